"""Modules of one kind that a network uses as alternatives, in no order: what may be exchanged."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from torch import fx

from ridgeline.symmetry.exchange import Exchange
from ridgeline.symmetry.exchanging import Exchanging, numbered
from ridgeline.symmetry.members import Members, members_of
from ridgeline.symmetry.walk import Tracing

__all__ = ["exchanges"]

Rows = tuple[tuple[str, int, int], ...]
"""Axes of tensors, with how many positions each module has there."""

ROUNDS = 4
"""Times that rows are added which others turn out to need."""

NEAR = 4
"""Sets of rows, the nearest by name, that are tried in pairs too."""


def exchanges(walk: Tracing) -> tuple[Exchange, ...]:
    """Exchanges of whole modules that change no output, by following the trace.

    Args:
        walk: Through the trace; rows that move by themselves are left to its groups.
    """
    shapes = {n: tuple(node.meta["val"].shape) for n, node in walk.trace.tensors.items()}
    unused, same = set(walk.unused), numbered(walk.trace, walk.constants)
    found: list[Exchange] = []
    failed: dict[tuple[str, int], list[Members]] = defaultdict(list)
    for members in members_of(shapes):
        if all(name in unused for tensors in members.tensors for name in tensors):
            continue
        made = _exchange(walk, members, same)
        if made is None:
            failed[members.home, members.count].append(members)
        else:
            found.append(made)
    for several in failed.values():  # the parts of modules, in a list for each part
        if len(several) > 1 and (made := _exchange(walk, _together(several), same)) is not None:
            found.append(made)
    return tuple(found)


def _together(several: Sequence[Members]) -> Members:
    tensors = zip(*(m.tensors for m in several), strict=True)
    return Members(
        " and ".join(m.name for m in several),
        tuple(slot for m in several for slot in m.slots),
        tuple(tuple(name for part in parts for name in part) for parts in tensors),
    )


def _exchange(walk: Tracing, members: Members, same: Mapping[fx.Node, int]) -> Exchange | None:
    for tried in _tried(walk, members):
        rows = tried
        for _ in range(ROUNDS):
            made = Exchanging(walk.trace, walk.constants, members, rows, same)
            if made.stays:
                return Exchange(members, rows)
            more = [row for row in dict.fromkeys(made.wanted) if row not in rows]
            if not more:
                break
            rows = (*rows, *more)
    return None


def _tried(walk: Tracing, members: Members) -> Iterator[Rows]:
    """Rows that may belong to the modules: none, then those nearest by name, alone and in pairs."""
    yield ()
    mine = {name for tensors in members.tensors for name in tensors}
    units, classes = walk.units, defaultdict[tuple[int, ...], list[tuple[str, int, int]]](list)
    for owner in units.owners:
        if owner.within is None and len(owner.index) == members.count and owner.tensor not in mine:
            labels = units.find(owner.first + owner.index)
            if (labels <= 0).all():
                classes[tuple(labels.tolist())].append((owner.tensor, owner.axis, 1))
    near = sorted(map(tuple, classes.values()), key=lambda rows: -_shared(rows[0][0], members.home))
    least = _shared(near[0][0][0], members.home) if near else 0
    near = [rows for rows in near if _shared(rows[0][0], members.home) == least]
    yield from near
    for one, other in combinations(near[:NEAR], 2):
        yield (*one, *other)


def _shared(name: str, home: str) -> int:
    """Parts of a name that are those of a module's."""
    parts = zip(name.split("."), home.split("."), strict=False)
    return next((k for k, (a, b) in enumerate(parts) if a != b), len(home.split(".")))
