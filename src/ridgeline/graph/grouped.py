"""Products of rows with one of several matrices each, in plain operations.

`torch.nn.functional.grouped_mm` takes rows in the order of their matrices, and the ends of each
matrix's run. It has no shapes for fake tensors of most types and is not written for doubles, so
that who traces a network, or evaluates it in double precision, does without it.
"""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["GROUPED", "Ungrouped", "grouped_product", "plain"]

GROUPED = {"grouped_mm", "_grouped_mm"}
OTHERS = ("self", "mat2", "offsets")
"""Names of its arguments in the operation that torch's function calls."""


def grouped_product(x: Tensor, weight: Tensor, offs: Tensor) -> Tensor:
    """Each row by the matrix whose run it lies in.

    Args:
        x: Rows, of shape (rows, inputs), in the order of their matrices.
        weight: Matrices, of shape (count, inputs, outputs).
        offs: Where the run of each matrix ends.
    """
    rows = torch.arange(x.shape[0], dtype=offs.dtype, device=x.device)
    which = torch.searchsorted(offs, rows, right=True)
    return torch.bmm(x.unsqueeze(1), weight[which]).squeeze(1)


class Ungrouped(TorchFunctionMode):
    """Products of this kind are computed in plain operations."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in GROUPED and (made := plain(args, kwargs)) is not None:
            return made
        return func(*args, **kwargs)


def plain(args: Any, kwargs: Any) -> Tensor | None:
    """What such a product gives, if it is of rows with matrices.

    Args:
        args: Of the operation.
        kwargs: The same.
    """
    names = ("mat_a", "mat_b", "offs", "bias", "out_dtype")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    x, weight, offs = (given.get(n, given.get(m)) for n, m in zip(names, OTHERS, strict=False))
    if not (isinstance(x, Tensor) and isinstance(weight, Tensor) and isinstance(offs, Tensor)):
        return None
    if (x.ndim, weight.ndim) != (2, 3) or given.get("bias") is not None:
        return None
    made = grouped_product(x, weight, offs)
    kind = given.get("out_dtype")
    return made if kind is None else made.to(kind)
