"""What the operations of a trace say of layers."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ridgeline.graph import Network, operation
from ridgeline.repairs.layers import (
    added_bias,
    biases,
    layer_of,
    normalises,
    shape_of,
    source_of,
    users,
)


class Own(nn.Module):
    def __init__(self, work, **tensors):
        super().__init__()
        self.work = work
        for name, x in tensors.items():
            self.register_parameter(name, nn.Parameter(x))

    def forward(self, x):
        return self.work(self, x)


def traced(work, x=None, **tensors):
    x = torch.ones(2, 3) if x is None else x
    return Network(Own(work, **tensors)).trace((x,))


def node(trace, name):
    return next(n for n in trace.graph.nodes if operation(n) == name)


def layer(work, name, **more):
    trace = traced(work, **more)
    found = layer_of(node(trace, name))
    names = {n: t for t, n in trace.tensors.items()}
    return None if found is None else tuple(names.get(x, x) for x in found)


W, B = torch.ones(4, 3), torch.ones(4)


@pytest.mark.parametrize(
    ("work", "name", "want"),
    [
        (lambda m, x: F.linear(x, m.w, m.b), "linear", ("w", True, 0, -1, "b", 1)),
        (lambda m, x: F.linear(x, m.w) + m.b, "linear", ("w", True, 0, -1, None, 1)),
        (lambda m, x: torch.addmm(m.b, x, m.v), "addmm", ("v", True, 1, -1, "b", 1)),
        (lambda m, x: torch.addmm(m.b, x, m.v, beta=2) * m.w.sum(), "addmm", None),
        (lambda m, x: torch.addmm(m.b, x, m.v, alpha=2), "addmm", None),
        (lambda m, x: x @ m.v, "matmul", ("v", True, 1, -1, None, 1)),
        (lambda m, x: torch.mm(x, m.v), "mm", ("v", True, 1, -1, None, 1)),
        (lambda m, x: (x @ m.v).relu(), "relu", None),
    ],
)
def test_layers_of_matrices(work, name, want):
    assert layer(work, name, w=W, b=B, v=W.T.contiguous()) == want


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_convolutions_have_their_channels_before_the_places(axes):
    x = torch.ones(2, 3, *[5] * axes)
    conv, back = getattr(F, f"conv{axes}d"), getattr(F, f"conv_transpose{axes}d")
    one = [1] * axes
    found = layer(
        lambda m, x: conv(x, m.w, m.b), f"conv{axes}d", x=x, w=torch.ones(4, 3, *one), b=B
    )
    assert found == ("w", False, 0, -1 - axes, "b", 1)
    turned = layer(
        lambda m, x: back(x, m.w, m.b, groups=3),
        f"conv_transpose{axes}d", x=x, w=torch.ones(3, 2, *one), b=torch.ones(6),
    )  # fmt: skip
    assert turned == ("w", False, 1, -1 - axes, "b", 3)


@pytest.mark.parametrize(
    ("turn", "rows"),
    [(lambda v: v.T, 1), (lambda v: v.t().t(), 0), (lambda v: v.transpose(0, 1), 1),
     (lambda v: v.permute(1, 0), 1), (lambda v: v.permute(0, 1), 0), (lambda v: v.mT, 1),
     (lambda v: v.transpose(0, 0), 0)],
)  # fmt: skip
def test_the_tensor_of_a_turned_matrix_and_where_its_rows_stand(turn, rows):
    v = torch.ones(3, 3)
    trace = traced(lambda m, x: F.linear(x, turn(m.v)), v=v)
    weight = node(trace, "linear").args[1]
    assert source_of(weight, 0) == (trace.tensors["v"], rows)


def test_a_turn_of_more_axes_is_of_no_matrix():
    trace = traced(
        lambda m, x: x @ m.v.transpose(0, 2), x=torch.ones(2, 2, 3), v=torch.ones(4, 3, 2)
    )
    assert source_of(node(trace, "matmul").args[1], 1)[0] is None


def bias_of(work, b=B):
    trace = traced(work, w=W, b=b)
    names = {n: t for t, n in trace.tensors.items()}
    found = added_bias(node(trace, "linear"), names, -1, 4)
    return None if found is None else names[found[1]]


def test_a_bias_that_is_added_belongs_to_its_layer():
    assert bias_of(lambda m, x: F.linear(x, m.w) + m.b) == "b"
    assert bias_of(lambda m, x: m.b + F.linear(x, m.w)) == "b"


@pytest.mark.parametrize(
    ("work", "b"),
    [
        (lambda m, x: F.linear(x, m.w) * m.b, B),
        (lambda m, x: F.linear(x, m.w) + m.b.exp(), B),
        (lambda m, x: torch.add(F.linear(x, m.w), m.b, alpha=2), B),
        (lambda m, x: (z := F.linear(x, m.w)) + m.b + z, B),
        (lambda m, x: F.linear(x, m.w) + m.b, torch.ones(2, 4)),
        (lambda m, x: F.linear(x, m.w) + m.b, torch.ones(5, 1, 4)),
    ],
)
def test_what_is_added_otherwise_is_none(work, b):
    assert bias_of(work, b) is None


def test_shapes_of_biases():
    assert biases(-1, 4) == {(4,), (1, 4), (1, 1, 4)}
    assert biases(-3, 4) == {(4, 1, 1), (1, 4, 1, 1), (1, 1, 4, 1, 1)}


def test_uses_are_counted_through_turns():
    trace = traced(lambda m, x: x @ m.v.T @ m.v.T.T + x @ m.v, v=torch.ones(3, 3))
    assert users(trace.tensors["v"]) == 3


def test_a_normalisation_with_running_statistics_is_known():
    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.bn = nn.Linear(3, 4), nn.BatchNorm1d(4)

        def forward(self, x):
            return self.bn(self.fc(x))

    trace = Network(Normed()).trace((torch.ones(2, 3),))
    linear, norm = node(trace, "linear"), node(trace, "batch_norm")
    assert normalises(norm, linear)
    assert not normalises(linear, linear) and not normalises(norm, norm)


def test_the_shape_of_what_is_no_tensor_is_empty():
    trace = traced(lambda m, x: F.linear(x, m.w), w=W)
    assert shape_of(node(trace, "linear")) == (2, 4)
    assert shape_of(SimpleNamespace(meta={"val": 3})) == shape_of(SimpleNamespace(meta={})) == ()
