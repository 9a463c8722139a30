"""Strategies for permutations, in turn with generators of one's own.

A strategy knows groups, exchanges and, some of them, scalings. Of any other generator it is known
which element fits best, all else held: the two are found in turn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from ridgeline import state as states
from ridgeline.matching.contract import Matched, Strategy
from ridgeline.matching.search import Search, alternate
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.symmetry import Generator, Symmetry, Transform

__all__ = ["match_together"]

ROUNDS = 30
"""Most turns over the strategy and all generators."""

TOLERANCE = 1e-9
"""Relative change of the distance that counts as none."""


def match_together(
    by: Strategy,
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    symmetry: Symmetry,
    *,
    seed: int,
    progress: Progress | None,
) -> Matched:
    """The match of a strategy, with the elements of generators of one's own where there are some.

    Generators that are better matched as one, as those of trees are, are taken together.

    Turns start from what the strategy finds alone, from what it finds between the generators'
    canonical forms of both, and from b as it is, where the generators come first; the nearest end
    counts.

    Args:
        by: The strategy.
        a: A state, which stays.
        b: Another.
        symmetry: Of both.
        seed: Of whatever the strategy draws.
        progress: Told how far the work is.
    """
    if not symmetry.more or getattr(by, "generators", False):  # a strategy that knows them
        return by.match(a, b, symmetry, seed=seed, progress=progress)
    known = replace(symmetry, more=())
    searched = bool(known.groups or known.exchanges or known.scalings)
    first = by.match(a, b, known, seed=seed, progress=progress) if searched else None
    if first is not None and first.transform is None:  # units were mixed: there is no element
        return first

    def found(at: State) -> Transform:
        again = by.match(a, at, known, seed=seed, progress=None).transform
        return symmetry.identity() if again is None else again

    def fitted(generator: Generator, at: State) -> Transform:
        return Transform((generator.best(a, at),), symmetry.ties)

    own = [lambda at, g=g: fitted(g, at) for g in _bundled(symmetry.more)]
    identity = symmetry.identity()
    starts = [(identity, [*own, *([found] if searched else [])])]
    if first is not None and first.transform is not None:
        to_a, to_b = (_canonical(x, symmetry) for x in (a, b))
        between = by.match(to_a(a), to_b(b), known, seed=seed, progress=None).transform
        starts.insert(0, (first.transform, [*own, found]))
        if between is not None:
            starts.append((to_a.inverse() @ between @ to_b, [*own, found]))
    search = Search(identity, lambda element: states.distance(a, element(b)))
    for start, parts in starts:
        element, history = alternate(
            a, b, start, parts,
            rounds=ROUNDS, tolerance=TOLERANCE, what="matching in turn", progress=progress,
        )  # fmt: skip
        search.offer(element, history[-1])
        if search.best is element:
            search.history = history
    names = ", ".join(g.name for g in symmetry.more)
    return search.matched(
        search.best,
        measure="distance |a - g(b)|",
        notes=(*(first.notes if first is not None else ()), f"matched in turn with {names}"),
    )


def _bundled(generators: Sequence[Generator]) -> list[Generator]:
    """The generators, of which those that can be are joined into one."""
    found: list[Generator] = []
    for generator in generators:
        for k, before in enumerate(found):
            if (one := before.joined([generator])) is not None:
                found[k] = one
                break
        else:
            found.append(generator)
    return found


def _canonical(state: Mapping[str, Tensor], symmetry: Symmetry) -> Transform:
    """The element that brings a state into the canonical form of generators of one's own."""
    element, at = symmetry.identity(), dict(state)
    for generator in symmetry.more:
        step = Transform((generator.canonical(at),), symmetry.ties)
        element, at = step @ element, step(at)
    return element
