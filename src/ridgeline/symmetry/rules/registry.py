"""Rules: what each operation of a trace does to the labels of its inputs."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import fx

from ridgeline.symmetry.labels import (
    Value,
    combine,
    reduce,
)
from ridgeline.symmetry.units import Labels, Units

__all__ = ["RULES", "Rule", "Walk", "over", "rule", "unknown", "why_of"]


class Walk(Protocol):
    """Questions that a rule may ask while the trace is walked through."""

    units: Units
    pointers: dict[fx.Node, Labels]
    """Integers that point at units, with the units in the order of their numbers."""
    counts: dict[fx.Node, Labels]
    """Numbers of how often each unit is pointed at, with the units."""

    def value(self, of: Any) -> Value:
        """The labels of an argument; a number has none."""
        ...

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        """The shape of what a node gives."""
        return tuple(node.meta["val"].shape)

    def leading(self, of: Any, axes: int) -> Value:
        """A value's first axes, the others taken as coordinates and left out: a kernel's."""
        ...

    def blockwise(self, of: Any, blocks: int) -> Value | None:
        """A weight whose second axis is another one for each block of its first.

        Returns:
            Shape (blocks, rows of a block, second axis), or None if the argument is no tensor of
            the state that is used here alone.
        """
        ...

    def stacked(self, of: Any) -> Value | None:
        """A stack of matrices, along the first axis, each with rows and columns of its own.

        Returns:
            Its labels, or None as for `blockwise`.
        """
        ...


Rule = Callable[[Walk, fx.Node, dict[str, Any]], Any]
RULES: dict[str, Rule] = {}
"""Name of an operation to what becomes of labels: a value, or a list of them."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a function as the rule of operations."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def why_of(node: fx.Node) -> str:
    """Return the reason to give for units that an operation leaves no rule for."""
    return f"cannot be followed through {node.name}"


def unknown(walk: Walk, node: fx.Node) -> Any:
    """After an operation without a rule: what goes in is fixed, what comes out are coordinates."""
    for of in node.all_input_nodes:
        value = walk.value(of)
        for one in value if isinstance(value, list) else [value]:
            for layer in one.layers:
                walk.units.fix(layer, why_of(node))
    made = node.meta.get("val")
    several = isinstance(made, (tuple, list))
    found = [Value.of(getattr(v, "shape", ())) for v in (made if several else [made])]
    return found if several else found[0]


def over(walk: Walk, x: Value, axes: Sequence[int], why: str, *others: Value) -> Value:
    """After something that treats alike what lies along axes, and depends on all of it."""
    return combine(walk.units, [x, reduce(walk.units, x, axes, why), *others], why)
