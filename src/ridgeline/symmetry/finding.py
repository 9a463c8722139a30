"""The symmetry of a network: discovered, proved, and given out without what fails the proof."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from ridgeline.graph import Forward, Network, check_follows, empty_caches
from ridgeline.symmetry.discovery import discover
from ridgeline.symmetry.generator import Generator
from ridgeline.symmetry.group import Group
from ridgeline.symmetry.lengths import of_one
from ridgeline.symmetry.outputs import Counted, Which, network_of
from ridgeline.symmetry.proof import Bench, Wrong
from ridgeline.symmetry.symmetry import Fixed, Symmetry
from ridgeline.symmetry.taken import as_one
from ridgeline.symmetry.witness import witnessed
from ridgeline.symmetry.words import made_in

__all__ = ["symmetries"]


def symmetries(
    model: nn.Module,
    example: Any,
    *,
    forward: Forward | None = None,
    outputs: Which = None,
    without: Sequence[str] = (),
    seed: int = 0,
) -> Symmetry:
    """Find which units of a network may be permuted, and prove it.

    The network is traced once. Every axis of every tensor begins as units of its own; what the
    operations tie together becomes one unit, and units that nothing tells apart become a group.
    What cannot be followed is left fixed and named, never guessed. Then elements that move every
    unit are applied to random weights and outputs are compared in float64, in evaluation mode, at
    the example and at inputs of other sizes that the network takes. A group that changes outputs
    is not given out; `fixed` and ``print`` name it.

    Where the network takes longer inputs than the example, and the example is too short to tell
    units apart (a single step of a recurrence), it is traced again at a longer one.

    Args:
        model: Any module; left as it is.
        example: A batch of inputs, as the model takes them; one or two samples are enough. A dict
            is given to the model as keywords, a tuple by position.
        forward: How the model is called; ``model(inputs)`` by default.
        outputs: Which of several outputs count: names, or positions in a tuple. By default all
            floating ones do, but for caches and hidden states of a library's outputs.
        without: Names of groups to leave out.
        seed: Of the random weights and elements.

    Returns:
        Its groups, inner ones first, with what is left fixed and why. ``print`` reads well.

    Raises:
        NotTraceable: If the network branches on the values of its data, or does what the tracer
            cannot follow.
        UnknownName: If a name in `without` is of no group, or one in `outputs` of no output.
        NonFinite: If a parameter or a statistic of the model is not finite.
        StaleWeights: If the network keeps what it computed of other weights.
        UsageError: If no output is a tensor, or none is finite.
    """
    network = network_of(model, forward, outputs)
    other = empty_caches(network, network.tensors, example)
    check_follows(model, network, network.tensors, example, other)
    found = discover(network, example)
    bench = Bench(network, example, seed)
    proved, notes = _proved(found.without(*without), bench), found.derived
    if bench.longer is not None and _short(proved, found, example):
        longer = discover(network, bench.longer)
        names = {g.name for g in longer.groups}
        other = _proved(longer.without(*(n for n in without if n in names)), bench)
        if other.elements >= proved.elements:
            proved, notes = _seen(other, network, example), longer.derived
    dropped = [n for n in proved.derived if n not in found.derived and n not in notes]
    proved = _once(proved)
    return replace(
        proved,
        derived=(*notes, *dropped),
        left_out=network.forward.left if isinstance(network.forward, Counted) else (),
        witness=witnessed(network, example, seed),
    )


def _short(proved: Symmetry, found: Symmetry, example: Any) -> bool:
    """True if an example may be too short to tell units apart."""
    return bool(of_one(example)) or len(proved.groups) < len(found.groups)


def _proved(symmetry: Symmetry, bench: Bench) -> Symmetry:
    """The groups that stand their proof; the others are named among what is fixed."""
    wrong = bench.wrong(symmetry)
    if not wrong:
        return symmetry
    kept = symmetry.without(*(w.group for w in wrong))
    if again := _again(symmetry, kept, wrong, bench):
        return _proved(again, bench)
    fixed = [f for w in wrong for f in _fixed(symmetry, w)]
    notes = []
    for verb, own in (("derived", False), ("declared", True)):
        names = ", ".join(
            f"{w.name!r} ({w.change:.1e}, made in {made_in(group)})"
            for w in wrong
            if isinstance(group := symmetry.named(w.group), Generator) is own
        )
        notes += [f"{verb}, but dropped because outputs change: {names}"] if names else []
    return replace(kept, fixed=(*kept.fixed, *fixed), derived=(*kept.derived, *notes))


def _once(symmetry: Symmetry) -> Symmetry:
    """A symmetry without the groups whose permutations a declared generator has too."""
    twice = [g.name for g in symmetry.groups if any(d.contains(g) for d in symmetry.more)]
    return symmetry.without(*twice) if twice else symmetry


def _again(
    symmetry: Symmetry, kept: Symmetry, wrong: Sequence[Wrong], bench: Bench
) -> Symmetry | None:
    """A symmetry in which experts have one order where an order of each changes outputs."""
    named = [symmetry.named(w.group) for w in wrong]
    made = [one for g in named if isinstance(g, Group) and (one := as_one(g)) is not None]
    joined = [g for g in made if not bench.wrong(kept.adding(g).only(g.name))]
    return replace(kept, groups=(*joined, *kept.groups)) if joined else None


def _fixed(symmetry: Symmetry, wrong: Wrong) -> list[Fixed]:
    group = symmetry.named(wrong.group)
    if isinstance(group, Generator):  # as a module declares: it is named by what was dropped
        return []
    why = f"group {wrong.name!r} was derived, but changes outputs"
    axes = dict.fromkeys((p.tensor, p.axis) for p in group.places)
    return [Fixed(t, axis, group.fibres * group.size, why) for t, axis in axes]


def _seen(symmetry: Symmetry, network: Network, example: Any) -> Symmetry:
    """A symmetry of a longer trace, with the sightings that the example's trace has too."""
    shapes = {
        node.name: tuple(getattr(node.meta.get("val"), "shape", ()))
        for node in network.trace(example, check=False).graph.nodes
    }

    def there(value: str, axis: int, last: int) -> bool:
        shape = shapes.get(value, ())
        return axis < len(shape) and last < shape[axis]

    groups = [
        replace(g, sightings=tuple(s for s in g.sightings if there(s.value, s.axis, s.index.max())))
        for g in symmetry.groups
    ]
    return replace(symmetry, groups=tuple(groups))
