"""`torch.vmap` without its warnings of operations that it can only loop over."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["looping_quietly"]

_within: list[None] = []
"""As long as there are blocks open, inside each other or in several threads."""


@contextmanager
def looping_quietly() -> Iterator[None]:
    """Without the warning that an operation has no rule for batches and is looped over.

    Whether a stack pays in spite of that is measured by who chooses it. Where a module calls the
    operation the warning is Python's; where a graph does, torch prints it past all filters, and
    has a switch of its own, which no function reads and which is on unless somebody turned it.
    """
    # Not public in torch 2.13, so not relied on: without it there are lines too many.
    functorch = getattr(torch._C, "_functorch", None)
    switch = getattr(functorch, "_set_vmap_fallback_warning_enabled", lambda _: None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
        _within.append(None)
        switch(False)
        try:
            yield
        finally:
            _within.pop()
            switch(not _within)
