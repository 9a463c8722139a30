"""Linear equations modulo 2, against trying all assignments."""

import itertools

import pytest

from ridgeline.symmetry.bits import Equations, Space, forms_from, parity_space


def solutions(forms, unknowns):
    """All assignments on which every form is zero."""
    return {
        bits
        for bits in range(2**unknowns)
        if all((bits & form).bit_count() % 2 == 0 for form in forms)
    }


def spanned(basis):
    found = {0}
    for member in basis:
        found |= {x ^ member for x in found}
    return found


@pytest.mark.parametrize(
    "forms", [[], [0b011], [0b011, 0b110], [0b101, 0b011, 0b110], [0b1011, 0b0111, 0b1100]]
)
def test_a_basis_spans_all_solutions(forms):
    equations = Equations()
    for form in forms:
        equations.add(form)
    basis = equations.solutions(4)
    assert spanned(basis) == solutions(forms, 4) and len(spanned(basis)) == 2 ** len(basis)


def test_every_small_system_is_solved():
    for forms in itertools.combinations(range(1, 8), 2):
        equations = Equations()
        for form in forms:
            equations.add(form)
        assert spanned(equations.solutions(3)) == solutions(forms, 3)


def test_what_follows_reduces_to_nothing():
    equations = Equations()
    for form in (0b011, 0b110):
        equations.add(form)
    assert equations.reduce(0b101) == 0 and equations.reduce(0b001) != 0
    assert equations.reduce(0b001) == equations.reduce(0b100)


def test_the_largest_space_of_a_set():
    assert parity_space([0, 1, 2, 3]).basis == [1, 2]
    assert parity_space([0, 1, 2]).basis == [1] and parity_space([1, 2]).basis == []
    assert parity_space([0, 1, 6, 7, 4]).basis == [1, 6]
    assert parity_space([]).basis == []


def test_sums_that_are_zero_on_a_space():
    space = Space([0b011, 0b110])
    forms = space.excluded(3)
    assert spanned(forms) == solutions(space.basis, 3) == {0, 0b111}


def test_forms_whose_bit_is_set_are_summed():
    forms = [0b001, 0b011, 0b100]
    assert forms_from(0b000, forms) == 0 and forms_from(0b011, forms) == 0b010
    assert forms_from(0b101, forms) == 0b101
