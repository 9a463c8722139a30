"""Linear equations modulo 2, each an integer whose bits are the unknowns that it adds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Equations", "Space", "forms_from", "parity_space"]


class Equations:
    """Sums of unknowns that are zero, in echelon form."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}  # highest bit of a row to the row

    def reduce(self, form: int) -> int:
        """The same sum with as few unknowns as the equations allow; 0 if it is known to be zero."""
        for top in sorted(self._rows, reverse=True):
            if form >> top & 1:
                form ^= self._rows[top]
        return form

    def add(self, form: int) -> None:
        """Say that a sum is zero."""
        form = self.reduce(form)
        if not form:
            return
        top = form.bit_length() - 1
        for other, row in self._rows.items():
            if row >> top & 1:
                self._rows[other] = row ^ form
        self._rows[top] = form

    def solutions(self, unknowns: int) -> list[int]:
        """A basis of what solves all equations.

        Args:
            unknowns: How many there are.
        """
        free = [k for k in range(unknowns) if k not in self._rows]
        return [
            1 << k | sum(1 << top for top, row in self._rows.items() if row >> k & 1) for k in free
        ]


@dataclass(frozen=True)
class Space:
    """A linear space of bit vectors.

    Args:
        basis: Independent members.
    """

    basis: list[int]

    def excluded(self, bits: int) -> list[int]:
        """Sums of bits that are zero on the space, and on nothing larger."""
        equations = Equations()
        for member in self.basis:
            equations.add(member)
        return equations.solutions(bits)


def parity_space(members: Iterable[int]) -> Space:
    """The largest space found in a set of bit vectors, smallest numbers first.

    Args:
        members: The set; zero among them.
    """
    known = set(members)
    basis: list[int] = []
    spanned = {0}
    for candidate in sorted(known - {0}):
        wider = spanned | {candidate ^ x for x in spanned}
        if candidate not in spanned and wider <= known:
            basis.append(candidate)
            spanned = wider
    return Space(basis)


def forms_from(combination: int, forms: Sequence[int]) -> int:
    """The sum of some forms, those whose bit is set."""
    total = 0
    for k, form in enumerate(forms):
        if combination >> k & 1:
            total ^= form
    return total
