"""What is cut out of a value is not like what is left, though nothing later meets both."""

import pytest
import torch
from torch import nn

from symmetric import Run, p, seeded
from symmetry.derived import derive

L = nn.Linear
VECTOR = torch.randn(2, 5)


def sum_of(x):
    return x.sum(1, keepdim=True)


def forest(m, x):
    """Soft trees: the second of three nodes decides otherwise than the third."""
    p = torch.sigmoid(torch.einsum("bd,tnd->btn", x, m.w) + m.c)
    top, left, right = p[..., 0], p[..., 1], p[..., 2]
    return torch.einsum("bt,to->bo", top * left - (1 - top) * right * right, m.leaf)


CUT = {
    "halves that go two ways": (  # and nothing that comes later meets both
        lambda: Run(
            lambda m, x: m.o(sum_of(m.a(x)[:, :4].sin()) + sum_of(m.a(x)[:, 4:].tanh())),
            a=L(5, 8),
            o=L(1, 2),
        ),
        VECTOR,
        [4, 4],
        [],
    ),
    "a part that is left out": (
        lambda: Run(lambda m, x: m.o(sum_of(m.a(x)[:, :3].sin())), a=L(5, 8), o=L(1, 2)),
        VECTOR,
        [3, 5],
        [],
    ),
    "units taken once and twice": (
        lambda: Run(
            lambda m, x: m.o(sum_of(m.a(x)[:, torch.tensor([0, 0, 1, 1, 2, 3, 4])].sin())),
            a=L(5, 5),
            o=L(1, 2),
        ),
        VECTOR,
        [2, 3],
        [],
    ),
    "one of three in each tree": (
        lambda: Run(forest, w=p(7, 3, 5), c=p(7, 3), leaf=p(7, 2)),
        VECTOR,
        [7],
        [],
    ),
}


@pytest.mark.parametrize("name", CUT)
def test_units_that_are_taken_are_told_from_those_that_are_not(name):
    make, example, expected, more = CUT[name]
    derive(seeded(make)(), example, expected, torch.cat([example, example[:1]]), *more)


def test_a_cut_that_comes_again_tells_what_has_come_in_between():
    """Nodes of trees are chosen, then shifted by a number for each, then chosen again."""

    def run(m, x):
        raw = torch.einsum("bd,tnd->btn", x, m.w)
        at = torch.sigmoid(raw + m.c)
        kept = raw[..., 0].sin() + at[..., 0] * (1 - at[..., 1])
        return torch.einsum("bt,to->bo", kept, m.leaf)

    model = seeded(lambda: Run(run, w=p(7, 3, 5), c=p(7, 3), leaf=p(7, 2)))()
    assert [g for g in derive(model, VECTOR, [7]).groups if g.size == 7]
