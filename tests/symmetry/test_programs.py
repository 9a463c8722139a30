"""No false group in random programs: each is turned alone, at inputs of other sizes."""

import pytest
import torch

from ridgeline.errors import NotTraceable
from ridgeline.symmetry import symmetries
from symmetry.programs import program, taken_by
from symmetry.turned import false_groups

TOGETHER = 12
QUICK, ALL = 12, 96
"""How many programs are tried every time, and how many before a release."""


SLOW = [pytest.param(k, marks=pytest.mark.slow) for k in range(QUICK, ALL, TOGETHER)]


@pytest.mark.parametrize("first", [*range(0, QUICK, TOGETHER), *SLOW])
@pytest.mark.filterwarnings("ignore")  # of programs that nobody would write
def test_no_group_of_a_random_program_is_false(first):
    taken = 0
    for seed in range(first, first + TOGETHER):
        model, example, others = program(seed)
        inputs = taken_by(model, [example.double(), *others])
        if not inputs:
            continue
        try:
            found = symmetries(model, example)
        except NotTraceable:
            continue
        taken += len(found.groups)
        assert false_groups(model, found, inputs, seed) == {}, (seed, str(found))
    assert taken > TOGETHER // 2


def test_a_program_is_the_same_from_the_same_seed():
    one, other = program(5), program(5)
    assert torch.equal(one[1], other[1])
    assert {n: x.shape for n, x in one[0].state_dict().items()} == {
        n: x.shape for n, x in other[0].state_dict().items()
    }
