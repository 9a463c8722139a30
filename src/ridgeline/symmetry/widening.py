"""Evaluation in double precision of networks that write other types into their code."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ridgeline.graph import GROUPED, plain

__all__ = ["narrow", "widely"]

WIDER = {
    **dict.fromkeys((torch.float16, torch.bfloat16, torch.float32), torch.float64),
    **dict.fromkeys((torch.complex32, torch.complex64), torch.complex128),
}
"""Types that are rounded to, by the type in which they are not."""

FLOATING = {"zeros", "ones", "empty", "eye", "rand", "randn", "normal", "linspace", "logspace"}
"""Operations that make floating numbers of the default type if none is given."""

FILLED = {"full", "arange", "scalar_tensor"}
"""Operations that make them where a number that it is given is one."""


PLAIN = {int, float, bool, str}
"""Types that stand among arguments and are of no number's type."""

PICKS = {"embedding", "index_select", "index", "gather"}
"""Operations that take some numbers of their first argument as they are."""

BLOCK = 1 << 18
"""Numbers of a matrix that are made doubles at a time: 2 MiB, which a cache holds."""


class _Wide(TorchDispatchMode):
    """Casts to a smaller type, constants of one and what autocast chooses are doubles.

    Each operation is given doubles and asked for doubles, so that a network of which a part is
    written for float32 or bfloat16 can be evaluated with the weights and inputs of a proof, and
    nothing is rounded on the way.

    Weights may be kept in a smaller type: their views are views of them, and they are doubles
    where they are used, a part of a large matrix at a time.

    Args:
        kept: Tensors of a state.
        shaken: By how much every second number of those in a smaller type changes, over its size,
            when it is made a double.
        frozen: Whether a write to one of them raises before it is done.
    """

    def __init__(self, kept: Iterable[Tensor], shaken: float, frozen: bool) -> None:
        super().__init__()
        every = [x for x in kept if x.numel()]
        mine = (x for x in every if narrow(x))
        self._frozen = {x.untyped_storage().data_ptr() for x in every} if frozen else set()
        self._kept = {x.untyped_storage().data_ptr() for x in mine}
        self._shaken = shaken
        self.written = False
        """True if something was written to a weight in a smaller type, and rounded."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled within: a detour at each operation is saved

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        kwargs = kwargs or {}
        if func is torch.ops.aten.view.dtype:  # the same bits, read as another type
            return func(*args, **kwargs)
        first = args[0] if args else None
        if written := _written(func):
            into = [args[k] for k in written if k < len(args)]
            self.written |= any(map(self._keeps, into))
            if self._frozen and any(map(self._holds, into)):
                self.written = True  # code may go on after what is raised
                raise RuntimeError("a tensor of the state is written to")
            return func(*args, **kwargs)  # the type is that of what is written to
        name = func.overloadpacket.__name__
        if self._keeps(first):
            if func.is_view:
                return func(*args, **kwargs)
            if name in PICKS:
                return self._wide(func(*args, **kwargs))
        if name in ("mm", "addmm") and self._keeps(args[-1]) and not kwargs:
            return self._product(*args)
        args, kwargs = self._widened(args), self._widened(kwargs)
        if name in GROUPED and (made := plain(args, kwargs)) is not None:
            return made
        number = name in FILLED and any(isinstance(x, float) for x in args)
        if (number or name in FLOATING) and kwargs.get("dtype") is None:
            kwargs["dtype"] = torch.float64
        return self._widened(func(*args, **kwargs))

    def _widened(self, x: Any) -> Any:
        """Arguments or results with doubles for all that is of a smaller type."""
        if isinstance(x, Tensor | torch.dtype):
            return self._wide(x)
        if type(x) in (tuple, list):  # three times as fast as a map of any tree
            return type(x)([self._widened(y) for y in x])
        if type(x) is dict:
            return {k: self._widened(y) for k, y in x.items()}
        return pytree.tree_map(self._wide, x) if x is not None and type(x) not in PLAIN else x

    def _keeps(self, x: Any) -> bool:
        """True if something is a weight that is kept in a smaller type, or a view of one."""
        if not self._kept or not isinstance(x, Tensor) or not narrow(x):
            return False
        return x.layout is torch.strided and x.untyped_storage().data_ptr() in self._kept

    def _holds(self, x: Any) -> bool:
        strided = isinstance(x, Tensor) and x.layout is torch.strided
        return strided and x.untyped_storage().data_ptr() in self._frozen

    def _product(self, *args: Tensor) -> Tensor:
        """A matrix times one that is kept in a smaller type, and what is added to it."""
        *added, x, y = args
        x = self._wide(x)
        made = [x @ self._wide(part) for part in y.split(max(1, BLOCK // max(1, len(y))), 1)]
        total = torch.cat(made, 1) if len(made) > 1 else made[0]
        return total.add_(self._wide(added[0])) if added else total

    def _wide(self, x: Any) -> Any:
        if isinstance(x, torch.dtype):
            return WIDER.get(x, x)
        if not (isinstance(x, Tensor) and x.dtype in WIDER):
            return x
        made = x.to(WIDER[x.dtype])
        if self._shaken and self._keeps(x):
            made = made.contiguous()
            made.view(-1)[::2].mul_(1 + self._shaken)
        return made


@cache
def _written(func: Any) -> tuple[int, ...]:
    """Return which of an operation's arguments it writes to."""
    given = enumerate(func._schema.arguments)
    return tuple(k for k, a in given if a.alias_info is not None and a.alias_info.is_write)


def narrow(x: Tensor) -> bool:
    """True if a tensor's type is one in which a proof would round."""
    return x.dtype in WIDER


@contextmanager
def widely(
    kept: Iterable[Tensor] = (), *, shaken: float = 0.0, frozen: bool = False
) -> Iterator[_Wide]:
    """Let whatever is computed be computed in double precision, whatever type is asked for.

    Args:
        kept: Tensors of the state, which may be of smaller types.
        shaken: By how much every second number of those changes, over its size.
        frozen: Whether a write to one of them raises before it is done: they are a caller's.

    Yields:
        The mode, which says whether one of them was written to.
    """
    with _Wide(kept, shaken, frozen) as mode:
        yield mode
