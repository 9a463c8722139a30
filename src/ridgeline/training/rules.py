"""The optimisers of a stack's members, with what they remember."""

import importlib
import inspect
import io
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ridgeline.errors import MissingExtra, UsageError
from ridgeline.state import State
from ridgeline.training.optimisers import Library, Optimiser
from ridgeline.training.penalties import Penalties
from ridgeline.training.runs import Member
from ridgeline.training.stacks import Stack

__all__ = ["Rules"]

LIBRARY = "library"
"""The slot under which a library's optimiser is kept, as the bytes of its own state."""


class Rules:
    """Moves a stack by the optimisers of its members.

    Members with the same numbers are moved by one call over whole stacked tensors, others by a
    call for each set of numbers over rows.

    Args:
        members: In the order of the stack's rows.
        stack: What is moved.
    """

    def __init__(self, members: Sequence[Member], stack: Stack) -> None:
        self.stack = stack
        self.optimisers = [member.recipe.optimiser for member in members]
        origins = [member.origin for member in members]
        self.count = origins[0].count if origins[0] else 0
        """Steps that the slots have seen."""
        first = self.optimisers[0]
        self.slots: dict[str, dict[str, Tensor]] = {
            slot: {name: torch.zeros_like(x) for name, x in stack.parameters.items()}
            for slot in first.remembered()
        }
        self._library = _Wrapped(first, stack) if isinstance(first, Library) else None
        penalties = [m.recipe.penalty for m in members if m.recipe.penalty is not None]
        self._penalties = Penalties(penalties, stack.device) if penalties else None
        self._arrange()
        for row, origin in enumerate(origins):
            if origin is not None and origin.slots:
                self.load(row, origin.slots)

    @torch.no_grad()
    def update(self, gradients: Sequence[Tensor | None], factor: float, clip: float | None) -> None:
        """Take one step.

        Args:
            gradients: One for each parameter of the stack; None leaves it in place, unless there
                is a penalty.
            factor: Of the learning rates.
            clip: Largest norm of a member's gradient, that of its penalty included.
        """
        named = zip(self.stack.parameters, gradients, strict=True)
        # The fused kernels go over memory in order and take no notice of strides.
        moved = {name: g.contiguous() for name, g in named if g is not None}
        if self._penalties is not None:
            moved = self._penalties.added(moved, self.stack.parameters)
        if clip is not None:
            moved = clipped(moved, clip)
        if self._library is not None:
            self._library.update(moved, factor)
        else:
            for part in self._parts:
                slopes = [g for name in moved for g in part.pieces(moved[name])]
                part.optimiser.update(
                    [p for name in moved for p in part.parameters[name]],
                    slopes,
                    {
                        slot: [x for name in moved for x in held[name]]
                        for slot, held in part.slots.items()
                    },
                    self.count,
                    part.optimiser.learning_rate * factor,
                )
        self.count += 1

    def _arrange(self) -> None:
        """Sort rows by optimiser: whole tensors if there is one, else views of rows."""
        sets: dict[Optimiser, list[int]] = {}
        if self._library is None:
            for row, optimiser in enumerate(self.optimisers):
                sets.setdefault(optimiser, []).append(row)
        whole = len(sets) == 1
        self._parts = [
            _Part(optimiser, None if whole else part, self.stack.parameters, self.slots)
            for optimiser, rows in sets.items()
            # A rule that looks at all of a member's tensors is asked about one at a time.
            for part in ([[row] for row in rows] if optimiser.joint and not whole else [rows])
        ]

    def state(self, row: int) -> dict[str, State]:
        """A copy of what is remembered of one member."""
        if self._library is not None:
            return {LIBRARY: {"state": self._library.dump()}}
        return {
            slot: {name: x[row].clone() for name, x in held.items()}
            for slot, held in self.slots.items()
        }

    def load(self, row: int, slots: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what was remembered of one member.

        Raises:
            UsageError: If the slots are not those of this optimiser.
        """
        known = [LIBRARY] if self._library is not None else list(self.slots)
        if sorted(slots) != sorted(known):
            raise UsageError(
                "A run goes on with the slots of its own optimiser.",
                got=f"{', '.join(slots) or 'none'} in place of {', '.join(known) or 'none'}",
                remedy="Leave the slots out to start the optimiser anew.",
            )
        if self._library is not None:
            self._library.restore(slots[LIBRARY]["state"])
            return
        for slot, held in self.slots.items():
            for name, x in held.items():
                x[row].copy_(slots[slot][name])

    def select(self, rows: Sequence[int]) -> None:
        """Keep some members only, in this order."""
        self.optimisers = [self.optimisers[row] for row in rows]
        which = torch.tensor(rows, device=self.stack.device)
        self.slots = {
            slot: {name: x.index_select(0, which) for name, x in held.items()}
            for slot, held in self.slots.items()
        }
        if self._penalties is not None:
            self._penalties.select(rows)
        self._arrange()


class _Part:
    """Members with one set of numbers: what is moved and remembered, ready to be passed on."""

    def __init__(
        self,
        optimiser: Optimiser,
        rows: list[int] | None,
        parameters: Mapping[str, Tensor],
        slots: Mapping[str, Mapping[str, Tensor]],
    ) -> None:
        self.optimiser, self.rows = optimiser, rows
        self.parameters = {name: self.pieces(x) for name, x in parameters.items()}
        self.slots = {
            slot: {name: self.pieces(x) for name, x in held.items()} for slot, held in slots.items()
        }

    def pieces(self, stacked: Tensor) -> list[Tensor]:
        """The tensor whole, or its rows of these members."""
        if self.rows is None:
            return [stacked]
        if self.optimiser.joint:
            return [stacked[row : row + 1] for row in self.rows]
        each = stacked.unbind()
        return [each[row] for row in self.rows]


def clipped(gradients: Mapping[str, Tensor], largest: float) -> dict[str, Tensor]:
    """Each member's gradient scaled down to a norm of at most `largest`.

    As `torch.nn.utils.clip_grad_norm_` does it: by largest / (norm + 1e-6) where that is below 1.
    """
    squares = [g.flatten(1).square().sum(1) for g in gradients.values()]
    norm = torch.stack(squares).sum(0).sqrt()
    factor = (largest / (norm + 1e-6)).clamp(max=1.0)
    return {name: g * factor.view(-1, *[1] * (g.ndim - 1)) for name, g in gradients.items()}


class _Wrapped:
    """An optimiser with the interface of `torch.optim`, over a stack of one."""

    def __init__(self, chosen: Library, stack: Stack) -> None:
        self.rate = chosen.learning_rate
        self.parameters = {
            name: torch.nn.Parameter(x[0]) for name, x in stack.parameters.items()
        }  # views: what moves them moves the stack
        kind = _imported(chosen.name)
        if _asks_for_the_loss(kind):
            raise UsageError(
                "An optimiser is given gradients, once a step.",
                got=f"{chosen.name}, whose step evaluates the loss itself (`closure`)",
                remedy="Choose another, such as torch.optim:AdamW; or train with it yourself, and "
                "give the states to Ridgeline.",
            )
        options: dict[str, Any] = dict(chosen.options or {})
        if chosen.weight_decay:
            options["weight_decay"] = chosen.weight_decay
        try:
            self.made = kind(list(self.parameters.values()), lr=self.rate, **options)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"The optimiser {chosen.name} must accept its options.",
                got=f"{options}: {error}",
            ) from error

    def update(self, gradients: Mapping[str, Tensor], factor: float) -> None:
        for name, p in self.parameters.items():
            g = gradients.get(name)
            p.grad = None if g is None else g[0]
        for group in self.made.param_groups:
            group["lr"] = self.rate * factor
        try:
            self.made.step()
        except (RuntimeError, TypeError, ValueError) as error:
            raise UsageError(
                "An optimiser takes dense gradients of any shape, once a step.",
                got=f"{type(self.made).__name__}, which raised {type(error).__name__}: {error}",
                remedy="Choose another, or train with it yourself and give the states.",
            ) from error

    def dump(self) -> Tensor:
        """The optimiser's own state as bytes."""
        written = io.BytesIO()
        torch.save(self.made.state_dict(), written)
        return torch.frombuffer(bytearray(written.getvalue()), dtype=torch.uint8)

    def restore(self, held: Tensor) -> None:
        """Take bytes of `dump` back; they can hold tensors and numbers, never code."""
        read = io.BytesIO(held.cpu().numpy().tobytes())
        self.made.load_state_dict(torch.load(read, weights_only=True))


def _asks_for_the_loss(kind: type) -> bool:
    """True if an optimiser's step cannot do without a closure, as that of LBFGS."""
    try:
        found = inspect.signature(kind.step).parameters.get("closure")  # type: ignore[attr-defined]  # by its interface
    except (AttributeError, TypeError, ValueError):
        return False
    return found is not None and found.default is inspect.Parameter.empty


def _imported(name: str) -> Any:
    package, _, kind = name.partition(":")
    if not kind:
        raise UsageError(
            "An optimiser of a library is named package:Class.",
            got=repr(name),
            remedy="For example: pytorch_optimizer:Shampoo.",
        )
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise MissingExtra(package, "optimisers", f"The optimiser {name}") from error
    found = getattr(module, kind, None)
    if not isinstance(found, type):
        raise UsageError(f"{package} must have the class that is named.", got=repr(kind))
    return found
