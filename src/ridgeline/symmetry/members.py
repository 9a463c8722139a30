"""Modules of one kind that a network holds several of, by the names of their tensors.

Experts, branches and members of an ensemble are modules in a list: their tensors' names are the
same but for one number, and their shapes are the same.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Members", "members_of"]


@dataclass(frozen=True)
class Members:
    """Modules of one kind.

    Args:
        name: Of all their tensors, with ``*`` in place of the number, as far as it is one.
        slots: Of each of their tensors, with ``*`` in place of the number.
        tensors: For each member its tensors in the order of the slots.
    """

    name: str
    slots: tuple[str, ...]
    tensors: tuple[tuple[str, ...], ...]

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.tensors)

    @property
    def home(self) -> str:
        """The module that holds them, or the list that does."""
        return self.name.partition("*")[0].rstrip(".").rpartition(".")[0]


def members_of(shapes: Mapping[str, Sequence[int]]) -> list[Members]:
    """Sets of modules of one kind, the largest modules first.

    Args:
        shapes: Names of tensors to shapes.
    """
    found: dict[tuple[str, str], dict[int, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in shapes:
        for number in re.finditer(r"\d+", name):
            before, after = name[: number.start()], name[number.end() :]
            # All tensors of a module in a list, or of one whose name ends in a number.
            rest, dot, slot = after.partition(".")
            key = (before, rest if dot else after)
            found[key][int(number[0])][slot if dot else ""] = name
    made = []
    for (before, rest), members in found.items():
        kinds: dict[object, list[dict[str, str]]] = defaultdict(list)
        for _, slots in sorted(members.items()):
            kinds[tuple(sorted((s, tuple(shapes[n])) for s, n in slots.items()))].append(slots)
        for alike in kinds.values():
            if len(alike) > 1:
                slots = sorted(alike[0])
                name = f"{before}*{rest}"
                made.append(
                    Members(
                        name,
                        tuple(f"{name}.{s}" if s else name for s in slots),
                        tuple(tuple(one[s] for s in slots) for one in alike),
                    )
                )
    return sorted(made, key=lambda m: (m.name.count("."), m.name))
