"""Places on which fibres share positions, against loops over fibres."""

import numpy as np
import pytest
import torch

from ridgeline.symmetry import Place

CONFINED = np.array([[[0], [1], [2]], [[2], [0], [1]]])  # two fibres of three units


def place(shape, axis, across):
    rows = np.array([[0, 2], [3, 1]])
    return Place("w", axis, CONFINED, within=(across, rows)), torch.randn(shape)


@pytest.mark.parametrize(
    ("shape", "axis", "across"), [((5, 4, 3), 1, 0), ((4, 5), 0, 1), ((2, 4, 3, 5), 1, 3)]
)
def test_confined_units_are_those_of_a_loop(shape, axis, across):
    held, x = place(shape, axis, across)
    found = held.units(x)
    for fibre, rows in enumerate(held.within[1]):
        part = x.index_select(across, torch.from_numpy(rows))
        for unit in range(3):
            one = part.select(axis, int(CONFINED[fibre, unit, 0]))
            assert sorted(found[fibre, unit].tolist()) == sorted(one.flatten().tolist())


@pytest.mark.parametrize(
    ("shape", "axis", "across"), [((5, 4, 3), 1, 0), ((4, 5), 0, 1), ((2, 4, 3, 5), 1, 3)]
)
def test_a_confined_order_moves_its_own_rows_alone(shape, axis, across):
    held, x = place(shape, axis, across)
    order = np.array([[1, 2, 0], [0, 2, 1]])
    found, wanted = held.permute(x, order), x.clone()
    for fibre, rows in enumerate(held.within[1]):
        for row in rows:
            for unit in range(3):
                to, of = CONFINED[fibre, unit, 0], CONFINED[fibre, order[fibre, unit], 0]
                at, source = [slice(None)] * x.ndim, [slice(None)] * x.ndim
                at[across], at[axis] = int(row), int(to)
                source[across], source[axis] = int(row), int(of)
                wanted[tuple(at)] = x[tuple(source)]
    assert torch.equal(found, wanted)
    assert found.is_contiguous()
    inverse = np.argsort(order, 1)
    assert torch.equal(held.permute(found, inverse), x)
