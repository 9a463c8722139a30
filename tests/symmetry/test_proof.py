"""What is proved, and what proves nothing."""

import pytest
import torch
from torch import nn

from ridgeline.errors import NonFinite, NotASymmetry, UsageError
from ridgeline.graph import Network
from ridgeline.symmetry import Group, discover, prove, symmetries
from symmetric import IMAGE, TOKENS, VECTOR, Run, batchnormed, seeded

MASK = torch.tensor([False, True, False])


def perceptron(after=lambda y: y):
    return Run(lambda m, x: after(m.b(m.a(x).relu())), a=nn.Linear(4, 6), b=nn.Linear(6, 3))


def wrong_for(network):
    """The found symmetry with a group that moves one side of the units alone."""
    found = discover(network, VECTOR)
    reads = tuple(p for p in found.groups[0].places if p.tensor == "b.weight")
    return found.adding(Group("wrong", reads))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_network_that_diverged_is_refused_by_its_tensors(value):
    model = perceptron()
    with torch.no_grad():
        model.a.weight[0, 1] = float(value)
    with pytest.raises(NonFinite, match=r"the model.*a\.weight \(. NaN, . infinite\)"):
        symmetries(model, VECTOR)
    norm = seeded(batchnormed)()
    norm[1].running_var[2] = float(value)
    with pytest.raises(NonFinite, match=r"1\.running_var"):
        symmetries(norm, IMAGE)


@pytest.mark.parametrize("persistent", [True, False])
def test_a_mask_of_infinities_is_no_divergence(persistent):
    class Causal(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(6, 6) for _ in range(3))
            self.o = nn.Linear(6, 3)
            mask = torch.full((4, 4), float("-inf")).triu(1)
            self.register_buffer("mask", mask, persistent=persistent)

        def forward(self, x):
            scores = self.q(x) @ self.k(x).transpose(1, 2) + self.mask
            return self.o((scores.softmax(-1) @ self.v(x)).relu()).mean(1)

    found = symmetries(Causal(), TOKENS)
    assert {g.name: g.size for g in found.groups} == {"q": 6, "v": 6}


def test_outputs_that_are_masked_prove_by_the_others():
    network = Network(perceptron(lambda y: y.masked_fill(MASK, float("-inf"))))
    assert prove(discover(network, VECTOR), network, VECTOR).residual < 1e-12
    with pytest.raises(NotASymmetry, match="'wrong'"):
        prove(wrong_for(network), network, VECTOR)


def test_outputs_that_are_all_infinite_prove_nothing():
    with pytest.raises(UsageError, match=r"finite.*`forward=`"):
        symmetries(perceptron(lambda y: y.masked_fill(y == y, float("-inf"))), VECTOR)
