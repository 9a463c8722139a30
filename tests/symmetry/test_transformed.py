"""Transforms of `torch.func` inside of a network: traced, and their symmetries found."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ridgeline.symmetry import symmetries
from symmetric import Run, p
from symmetry.derived import sizes
from symmetry.turned import false_groups

L = nn.Linear
X = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))


def members(m, x):
    """An ensemble, as one tensor with an axis of members."""
    h = torch.vmap(lambda w: torch.relu(x @ w), out_dims=1)(m.w)
    return m.o(h.flatten(1))


def mean_of_members(m, x):
    both = torch.vmap(lambda w, v: torch.relu(x @ w) @ v)(m.w, m.v)
    return both.mean(0)


def rows(m, x):
    return torch.vmap(lambda r: m.o(m.n(F.gelu(m.a(r)))))(x)


def inner(m, x):
    h = m.a(x).unflatten(-1, (2, 4))
    return m.o(torch.vmap(torch.vmap(lambda r: r.softmax(-1) * r))(h).flatten(1))


def slopes(m, x):
    return torch.vmap(torch.func.grad(lambda r: m.o(torch.tanh(m.a(r))).sum()))(x)


NETWORKS = {
    # name: (run, parts, groups)
    "members": (members, {"w": p(3, 5, 4), "o": L(12, 2)}, None),
    "mean of members": (mean_of_members, {"w": p(3, 5, 4), "v": p(3, 4, 2)}, None),
    "rows": (rows, {"a": L(5, 8), "n": nn.LayerNorm(8), "o": L(8, 2)}, [8]),
    "one inside the other": (inner, {"a": L(5, 8), "o": L(8, 2)}, [2, (2, 4)]),
    "derivatives by the input": (slopes, {"a": L(5, 8), "o": L(8, 1)}, [8]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_symmetries_under_a_transform_are_found_and_true(name):
    run, parts, expected = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Run(run, **parts)
    found = symmetries(model, X)
    assert false_groups(model, found, [X.double(), torch.randn(7, 5).double()]) == {}
    assert found.groups
    if expected is not None:
        assert sizes(found) == sorted(expected, key=str), str(found)


def test_members_of_one_tensor_change_places():
    found = symmetries(Run(mean_of_members, w=p(3, 5, 4), v=p(3, 4, 2)), X)
    assert {("w", 0), ("v", 0)} <= {(q.tensor, q.axis) for g in found.groups for q in g.places}
