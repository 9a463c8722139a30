"""Degrees in t of a network's values, one operation after another."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ridgeline.engine.degrees import CONSTANT, GENERAL, Degree, degrees
from ridgeline.graph import Network

A, B = Degree("affine", 0), Degree("affine", 1)


class Two(nn.Module):
    """Two weights that move, one that stands, and what is made of them."""

    def __init__(self, work):
        super().__init__()
        self.p, self.q, self.c = (nn.Parameter(torch.ones(3, 3)) for _ in "pqc")
        self.work = work

    def forward(self, x):
        return self.work(x, self.p, self.q, self.c)


def degree(work, p=A, q=A):
    trace = Network(Two(work)).trace((torch.ones(2, 3),))
    found = degrees(trace, {"p": p, "q": q})
    return found[next(n for n in trace.graph.nodes if n.op == "output")]


@pytest.mark.parametrize(
    "work",
    [
        lambda x, p, q, c: p + q,
        lambda x, p, q, c: p - c,
        lambda x, p, q, c: F.linear(x, p, q[0]),
        lambda x, p, q, c: x @ p,
        lambda x, p, q, c: p @ c,
        lambda x, p, q, c: p * 2,
        lambda x, p, q, c: p / c,
        lambda x, p, q, c: p.T.reshape(-1),
        lambda x, p, q, c: torch.cat([p, q, c]),
        lambda x, p, q, c: p.mean(0),
        lambda x, p, q, c: torch.addmm(p, q, c),
        lambda x, p, q, c: torch.where(x[:, :1] > 0, p[:2], q[:2]),
        lambda x, p, q, c: F.embedding(torch.tensor([0, 2]), p),
        lambda x, p, q, c: F.layer_norm(x, (3,), p[0], q[0]),
        lambda x, p, q, c: F.conv1d(x[None], p[:2, :2, None], q[0, :2]),
        lambda x, p, q, c: p[:, [0, 1]],
        lambda x, p, q, c: p.double(),
    ],
)
def test_affine_values_stay_affine(work):
    assert degree(work) == A


@pytest.mark.parametrize(
    "work",
    [
        lambda x, p, q, c: p * q,
        lambda x, p, q, c: p @ q,
        lambda x, p, q, c: c / p,
        lambda x, p, q, c: p.relu(),
        lambda x, p, q, c: F.linear(p, q),
        lambda x, p, q, c: torch.addmm(c, p, q),
        lambda x, p, q, c: F.layer_norm(p, (3,), c[0], c[0]),
        lambda x, p, q, c: torch.where(p > 0, q, c),
        lambda x, p, q, c: p.softmax(-1),
        lambda x, p, q, c: p.div(2, rounding_mode="floor"),
        lambda x, p, q, c: p.long(),
        lambda x, p, q, c: p > 0,
    ],
)
def test_products_and_what_bends_or_rounds_are_general(work):
    assert degree(work) == GENERAL


def test_what_no_weight_that_moves_goes_into_is_constant():
    assert degree(lambda x, p, q, c: F.linear(x, c).relu()) == CONSTANT
    assert degree(lambda x, p, q, c: x * 2 + q[0], q=CONSTANT) == CONSTANT


def test_two_tables_that_meet_are_general_and_apart_are_their_own():
    assert degree(lambda x, p, q, c: p + q, q=B) == GENERAL
    assert degree(lambda x, p, q, c: q + c, q=B) == B
    assert degree(lambda x, p, q, c: p + 1, p=GENERAL) == GENERAL


def test_a_division_of_what_moves_is_affine_and_a_rounded_one_of_constants_is_constant():
    assert degree(lambda x, p, q, c: p.div(3.0)) == A
    assert degree(lambda x, p, q, c: c.div(2, rounding_mode="floor")) == CONSTANT
