"""Saying which of a user's things hinders an objective from being pickled."""

import pickle
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from torch import Tensor, nn

from ridgeline.errors import UsageError

__all__ = ["check_pickled"]

OTHERS = ("copy", "cloudpickle", "dill")
"""Modules that take objects apart by other rules than `pickle`, lambdas among them."""


def check_pickled(functions: dict[str, Any], module: nn.Module) -> None:
    """Refuse what `pickle` cannot find again by its name, if it is `pickle` that asks.

    Args:
        functions: What the user gave, by what to call it.
        module: The network.

    Raises:
        UsageError: Naming the function, class or attribute.
    """
    if any(name.split(".")[-1] in OTHERS for name in _callers()):
        return
    for what, thing in [*functions.items(), *_parts(module)]:
        try:
            pickle.dumps(thing)
        except Exception as error:  # whatever an object's own way of pickling may raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            raise UsageError(
                "What is sent to another process is found there by its name.",
                got=f"{what}, which cannot be pickled ({reason})",
                remedy="Define it with `def` or `class` at the top of a module instead of as a "
                "lambda or inside of a function; or send the objective with joblib or cloudpickle.",
            ) from error


def _callers() -> Iterator[str]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield str(frame.f_globals.get("__name__", ""))
        frame = frame.f_back


def _parts(module: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, part in module.named_modules():
        yield f"the class {type(part).__qualname__}", type(part)
        held: Any = part.__getstate__()
        for key, x in held.items() if isinstance(held, dict) else ():
            if key not in ("_parameters", "_buffers", "_modules") and not isinstance(x, Tensor):
                yield f"{name}.{key}" if name else key, x
