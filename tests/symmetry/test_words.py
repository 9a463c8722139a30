"""A symmetry in words: a line for each group, then what is left fixed and why."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ridgeline.graph import Network
from ridgeline.symmetry import Group, Place, Symmetry
from ridgeline.symmetry.scaling import Rescalable
from ridgeline.symmetry.symmetry import Fixed
from ridgeline.symmetry.words import _floored, made_in, outputs_left_out, shapes_of, told

INDEX = np.arange(4).reshape(1, 4, 1)
TWICE = np.arange(4).reshape(1, 2, 2)


@pytest.mark.parametrize(
    ("share", "said"),
    [(1.0, "100%"), (0.9999, "99.9%"), (0.5, "50%"), (0.0, "0%"), (0.3333, "33.3%")],
)
def test_shares_are_rounded_down(share, said):
    assert _floored(share) == said


def lines(*groups, **more):
    shapes = {"fc.w": (4, 4), "fc.b": (4,), "v": (2, 4)}
    return str(Symmetry(groups, shapes, **more)).splitlines()


def test_a_group_has_its_units_and_each_axis_once_with_its_width():
    one = Group("fc", (Place("fc.w", 0, INDEX), Place("fc.b", 0, INDEX)))
    found = lines(one)
    assert found[0].startswith("1 group of 4 units, of order 10^1.4;")
    assert found[1] == "  fc: 4  fc.w[0], fc.b[0]"
    pairs = Group("g", (Place("fc.w", 0, TWICE), Place("v", 1, TWICE)))
    assert lines(pairs)[1] == "  g: 2  fc.w[0] x2, v[1] x2"


def test_fibres_and_what_they_stand_inside_of():
    outer = Group("o", (Place("v", 0, np.arange(2).reshape(1, 2, 1)),))
    inner = Group("i", (Place("fc.w", 0, np.arange(4).reshape(2, 2, 1)),), "o")
    assert lines(inner, outer)[1] == "  i: 2 x 2 (inside o)  fc.w[0]"


def test_scalings_have_powers_and_kind():
    one = Group("fc", (Place("fc.w", 0, INDEX), Place("v", 1, INDEX), Place("fc.b", 0, INDEX)))
    members = (Rescalable("fc", "fc", (1, -1, 0)), Rescalable("fc", "fc", (1, 1, 1), signs=True))
    found = lines(one, scalings=members)
    assert found[2] == "  fc, positive factor: fc.w[0]^1, v[1]^-1"
    assert found[3] == "  fc, sign: fc.w[0]^1, v[1]^1, fc.b[0]^1"


def test_what_is_left_fixed_is_gathered_by_its_reason_six_at_most():
    fixed = [Fixed("v", k, 2, "inputs") for k in range(8)] + [Fixed("v", 0, 2, "outputs")] * 2
    found = lines(fixed=tuple(fixed), derived=("derived here",), left_out=("aux",))
    at = found.index("left fixed:")
    assert found[at + 1] == "  inputs: v[0], v[1], v[2], v[3], v[4], v[5] and 2 more"
    assert found[at + 2] == "  outputs: v[0]" and found[1] == "derived here"
    assert found[2] == "outputs left out, not proved: aux; `outputs=` says which count"


def test_outputs_left_out_are_named_six_at_most():
    assert outputs_left_out(()) == ()
    (said,) = outputs_left_out([f"o{k}" for k in range(8)])
    assert "o0, o1, o2, o3, o4, o5 and 2 more;" in said


def test_where_the_units_of_a_group_are_made():
    one = Group("fc", (Place("v", 1, INDEX), Place("fc.w", 0, INDEX)))
    assert made_in(one) == "module 'fc', fc.w[0]"
    assert made_in(Group("v", (Place("v", 1, INDEX),))) == "v[1]"
    own = SimpleNamespace(name="own", tensors=lambda: iter(["t.w", "t.v"]))
    assert (
        made_in(own) == "t.w"
        and made_in(SimpleNamespace(name="own", tensors=lambda: iter(()))) == "own"
    )


def test_shapes_of_an_example():
    x = torch.zeros(2, 3)
    assert shapes_of({"a": x, "b": [x[0], 3]}) == "derived at inputs of shape (2, 3), (3,)"
    assert shapes_of([x] * 8).endswith("(2, 3) and 2 more") and shapes_of(3).endswith("none")


def test_an_operation_is_called_by_its_module_or_by_the_one_before():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 3)

        def forward(self, x):
            return (x.sin() * 2, self.fc(x).relu().sum(1))[1]

    trace = Network(Net()).trace((torch.ones(2, 3),))
    nodes = {n.name for n in trace.graph.nodes}
    assert {"linear", "relu", "sum_1"} <= nodes
    assert told("goes through linear", trace) == "goes through fc (linear)"
    assert told("through sum_1 and through relu", trace) == (
        "through sum after fc (linear) and through relu after fc (linear)"
    )
    assert told("through thick and thin", trace) == "through thick and thin"
