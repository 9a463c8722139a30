"""Evaluation in double precision of networks that write other types into their code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ridgeline.graph import GROUPED, plain

__all__ = ["widely"]

WIDER = {
    **dict.fromkeys((torch.float16, torch.bfloat16, torch.float32), torch.float64),
    **dict.fromkeys((torch.complex32, torch.complex64), torch.complex128),
}
"""Types that are rounded to, by the type in which they are not."""

FLOATING = {"zeros", "ones", "empty", "eye", "rand", "randn", "normal", "linspace", "logspace"}
"""Operations that make floating numbers of the default type if none is given."""

FILLED = {"full", "arange", "scalar_tensor"}
"""Operations that make them where a number that it is given is one."""


class _Wide(TorchDispatchMode):
    """Casts to a smaller type, constants of one and what autocast chooses are doubles.

    Each operation is given doubles and asked for doubles, so that a network of which a part is
    written for float32 or bfloat16 can be evaluated with the weights and inputs of a proof, and
    nothing is rounded on the way.
    """

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        if func is torch.ops.aten.view.dtype:  # the same bits, read as another type
            return func(*args, **(kwargs or {}))
        if any(a.alias_info is not None and a.alias_info.is_write for a in func._schema.arguments):
            return func(*args, **(kwargs or {}))  # the type is that of what is written to
        args, kwargs = pytree.tree_map(_wide, (args, kwargs or {}))
        name = func.overloadpacket.__name__
        if name in GROUPED and (made := plain(args, kwargs)) is not None:
            return made
        number = name in FILLED and any(isinstance(x, float) for x in args)
        if (number or name in FLOATING) and kwargs.get("dtype") is None:
            kwargs["dtype"] = torch.float64
        return pytree.tree_map(_wide, func(*args, **kwargs))


def _wide(x: Any) -> Any:
    if isinstance(x, torch.dtype):
        return WIDER.get(x, x)
    return x.to(WIDER[x.dtype]) if isinstance(x, Tensor) and x.dtype in WIDER else x


@contextmanager
def widely() -> Iterator[None]:
    """Let whatever is computed be computed in double precision, whatever type is asked for."""
    with _Wide():
        yield
