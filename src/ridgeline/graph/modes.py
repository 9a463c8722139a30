"""Evaluation mode, and modules that compute something of their weights on the way into it.

LoRA layers add their factors to the weight, attention layers expand a table of biases,
re-parametrised convolutions are fused. What `eval()` made of one state's weights is wrong for the
next, so of such a network `eval()` belongs to every call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ridgeline.graph.calls import Forward
from ridgeline.graph.copies import duplicate, private_copy
from ridgeline.graph.keeping import Holders

__all__ = ["Caller", "Modes", "modes_of"]

FLAGS = (bool, int, str, type(None))
"""Types of attributes that say in which mode a module is, and are computed of no weights."""


@dataclass(frozen=True)
class Modes:
    """Changes in a module when its mode changes."""

    settles: bool = False
    """True if `eval()` computes something, so that it belongs to every call."""
    written: frozenset[str] = frozenset()
    """Parameters and buffers that it writes to."""
    stubborn: tuple[tuple[str, str], ...] = ()
    """Name and class of parts that stay in training mode after it."""
    frozen: frozenset[str] = frozenset()
    """Parts that stay in evaluation mode while the module trains."""
    inert: frozenset[str] = frozenset()
    """Normalisation layers whose statistics cannot be gathered anew: they average with a momentum
    of their own, so that part of what stood there stays. Found by who gathers."""


def modes_of(model: nn.Module) -> Modes:
    """Try the modes of a module, on a copy if it has code of its own for them.

    Args:
        model: Left as it is.
    """
    frozen = {n for n, part in model.named_modules() if model.training and not part.training}
    if not any(_has_own_modes(part) for part in model.modules()):
        return Modes(frozen=frozenset(frozen))
    known = _of_flags(model)
    if known is not None:
        return Modes(stubborn=known.stubborn, frozen=frozenset(frozen) | known.frozen)
    trial = duplicate(model)
    # The caller's own are what the copy's were: nothing is copied twice.
    own = _tensors(model)
    held = {n: (x, own[n] if n in own else x.detach().clone()) for n, x in _tensors(trial).items()}
    holders = Holders(trial)
    before, parts = holders.held(), dict(trial.named_modules())
    trial.eval()
    stubborn = tuple((n, type(m).__name__) for n, m in parts.items() if m.training)
    now = _tensors(trial)
    written = frozenset(n for n, (x, was) in held.items() if n not in now or _differs(x, was))
    moved = any(now.get(n) is not x for n, (x, _) in held.items()) or len(now) > len(held)
    computed = any(not isinstance(x, FLAGS) for x in holders.changed(before))
    trial.train()
    frozen |= {n for n, part in trial.named_modules() if not part.training}
    settles = bool(written) or moved or computed
    return Modes(settles, written, stubborn, frozenset(frozen))


class _Unseen:
    """Refuses to do anything with a tensor, and remembers that it was asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = False

    def refuse(self) -> None:
        """Raise."""
        self.asked = True  # code may go on after what is raised
        raise NotImplementedError("no tensor is looked at here")


class _NoOperations(_Unseen, TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        self.refuse()


class _NoFunctions(_Unseen, TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        self.refuse()


def _of_flags(model: nn.Module) -> Modes | None:
    """Modes of a module whose code for them is seen to look at no tensor; None of any other.

    Tried on a copy that shares the weights: whatever is done with one raises before it is done, so
    that a large model need not be copied and compared.
    """
    trial = private_copy(model)
    functions, operations = _NoFunctions(), _NoOperations()
    own, holders = _tensors(trial), Holders(trial)
    before, parts = holders.held(), dict(trial.named_modules())
    try:
        with functions, operations:
            trial.eval()
            stubborn = tuple((n, type(m).__name__) for n, m in parts.items() if m.training)
            changed = holders.changed(before)
            trial.train()
    except Exception:  # whatever a user's own code may raise, of this or of something else
        return None
    if functions.asked or operations.asked:
        return None
    now = _tensors(trial)
    same = now.keys() == own.keys() and all(now[n] is x for n, x in own.items())
    if not same or not all(isinstance(x, FLAGS) for x in changed):
        return None
    frozen = frozenset(n for n, part in trial.named_modules() if not part.training)
    return Modes(stubborn=stubborn, frozen=frozen)


def _has_own_modes(part: nn.Module) -> bool:
    kind = type(part)
    own = kind.train is not nn.Module.train or kind.eval is not nn.Module.eval
    return own or "train" in vars(part) or "eval" in vars(part)


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    named = module.named_parameters(remove_duplicate=False)
    return dict([*named, *module.named_buffers(remove_duplicate=False)])


def _differs(x: Tensor, was: Tensor) -> bool:
    if x.shape != was.shape or x.dtype != was.dtype:
        return True
    return not bool(((x == was) | ((x != x) & (was != was))).all())


class Caller(nn.Module):
    """Lets `functional_call` reach a module that is called in the user's own way.

    After each call, also one that raises, the module holds what it held before.

    Args:
        inner: A copy of the user's module.
        forward: How it is called.
        settles: Whether `eval()` belongs to every call.
        blank: Classes and attributes of theirs that are None when a call begins.
    """

    def __init__(
        self,
        inner: nn.Module,
        forward: Forward,
        settles: bool = False,
        blank: Sequence[tuple[type, str]] = (),
    ) -> None:
        super().__init__()
        self.blank = blank
        self.inner, self.call_inner, self.settles = inner, forward, settles
        self.holders = Holders(inner)
        self.look: Callable[[], None] | None = None

    def forward(self, data: Any) -> Any:
        """The outputs, and nothing kept of what they were computed with."""
        before = self.holders.held()
        try:
            for kind, key in self.blank:
                setattr(kind, key, None)
            if self.settles:
                self.inner.eval()
            outputs = self.call_inner(self.inner, data)
            if self.look is not None:
                self.look()
            return outputs
        finally:
            self.holders.put_back(before)
