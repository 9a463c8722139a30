"""Symmetries of networks that write types into their code: casts, autocast, constants."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ridgeline.errors import NotASymmetry
from ridgeline.graph import Network
from ridgeline.symmetry import Group, Place, prove, rescalable, symmetries
from ridgeline.symmetry.evaluation import Carried, outputs_of
from ridgeline.symmetry.residual import Residual
from symmetric import Run
from symmetry.derived import sizes

BATCH = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))


def network(run: Any, dtype: torch.dtype = torch.float32, **parts: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        given = {"a": nn.Linear(5, 8, dtype=dtype), "o": nn.Linear(8, 2), **parts}
        return Run(run, **given).eval()


def with_autocast(m, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = m.a(x).relu()
    return m.o(z.float())


def normalised(m, x):
    """As transformers' RMSNorm: in float32, then in the type of what came in."""
    h = m.a(x)
    wide = h.to(torch.float32)
    return m.o((wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).to(h.dtype).relu())


def smallest(m, x):
    h = m.a(x)
    mask = torch.full((3, 1), torch.finfo(h.dtype).min).masked_fill(torch.ones(3, 1) > 0, 0.0)
    return m.o((h + mask).relu())


CASTS = {
    "autocast": network(with_autocast),
    "bfloat16": network(lambda m, x: m.o(m.a(x.bfloat16()).relu().float()), torch.bfloat16),
    "half": network(lambda m, x: m.o(m.a(x.half()).relu().float()), torch.float16),
    "of a weight": network(lambda m, x: m.o(m.a(x.to(m.a.weight.dtype)).relu()).type(torch.half)),
    "complex": network(lambda m, x: m.o(m.a(x.cfloat()).real.relu()), torch.complex64),
    "float32 on the way": network(normalised),
    "a constant": network(lambda m, x: m.o((m.a(x) @ torch.eye(8) * torch.tensor(2.0)).relu())),
    "of the default type": network(lambda m, x: m.o((torch.zeros(3, 8) + m.a(x)).relu())),
    "the smallest number": network(smallest),
    "written in place": network(lambda m, x: m.o(torch.zeros(3, 8).add_(m.a(x)).relu())),
}
FREE = [name for name in CASTS if name != "a constant"]


@pytest.mark.parametrize("name", FREE)
def test_the_hidden_units_are_found_whatever_type_is_written(name):
    symmetry = symmetries(CASTS[name], BATCH)
    assert sizes(symmetry) == [8]


def test_rows_of_a_constant_stay():
    assert sizes(symmetries(CASTS["a constant"], BATCH)) == []


@pytest.mark.parametrize("name", FREE)
def test_the_function_stays_in_the_types_that_the_network_has(name):
    model = CASTS[name]
    moved = symmetries(model, BATCH).transform({"a": np.roll(np.arange(8), 3)[None]})(
        model.state_dict()
    )
    with torch.no_grad():
        before = model(BATCH)
        after = torch.func.functional_call(model, moved, (BATCH,))
    assert before.dtype == after.dtype
    rounding = 1e-2 if name in ("autocast", "bfloat16", "half", "of a weight") else 1e-6
    torch.testing.assert_close(after, before, rtol=rounding, atol=rounding)


def test_nothing_is_rounded_while_a_network_with_casts_is_evaluated():
    """Against the same network with everything in double precision from the start."""
    model = CASTS["bfloat16"]
    state = {n: x.double() for n, x in model.state_dict().items()}
    (found,) = outputs_of(Network(model), state, BATCH.double())
    h = BATCH.double() @ state["a.weight"].T + state["a.bias"]
    expected = h.relu() @ state["o.weight"].T + state["o.bias"]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("cast", [torch.float32, torch.bfloat16])
def test_a_group_that_changes_outputs_by_less_than_the_casts_round_is_refused(cast):
    uneven = 1 + 1e-6 * torch.arange(8, dtype=torch.float64)
    model = network(lambda m, x: m.o((m.a(x).to(cast) * uneven).relu().to(x.dtype)))
    index = np.arange(8).reshape(1, 8, 1)
    places = [Place("a.weight", 0, index), Place("a.bias", 0, index), Place("o.weight", 1, index)]
    honest = symmetries(model, BATCH)
    assert honest.groups == ()
    with pytest.raises(NotASymmetry, match="'uneven'"):
        prove(honest.adding(Group("uneven", tuple(places))), Network(model), BATCH)


# --- weights that are kept in float32 ---------------------------------------------------------

LARGE = 300
"""Units of a layer whose weights are so many that they are kept in float32."""


class Renormed(nn.Module):
    """An embedding that writes to its own weight when it is looked into."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(LARGE, LARGE, max_norm=1.0)
        self.o = nn.Linear(LARGE, 2)

    def forward(self, x):
        return self.o(self.table(x))


class Checked(nn.Module):
    """A layer that refuses inputs of another type than its weights."""

    def __init__(self):
        super().__init__()
        self.a, self.o = nn.Linear(5, LARGE), nn.Linear(LARGE, LARGE)

    def forward(self, x):
        h = self.a(x).relu()
        if h.dtype != self.o.weight.dtype:
            raise ValueError(f"inputs of type {h.dtype}")
        return self.o(h)


class Recurrent(nn.Module):
    """torch's own check of types."""

    def __init__(self):
        super().__init__()
        self.a, self.o = nn.LSTM(5, LARGE, batch_first=True), nn.Linear(LARGE, 2)

    def forward(self, x):
        return self.o(self.a(x)[0])


class Tied(nn.Module):
    """A table that is looked into and multiplied by, as a language model's."""

    def __init__(self):
        super().__init__()
        self.table, self.a = nn.Embedding(50, LARGE), nn.Linear(LARGE, LARGE)

    def forward(self, x):
        return (self.a(self.table(x)).relu() + self.table(x)) @ self.table.weight.T


TOKENS = torch.arange(12).reshape(3, 4)
WIDE = {
    "checked": (Checked, BATCH, [LARGE]),
    "recurrent": (Recurrent, torch.randn(2, 3, 5), [LARGE]),
    "tied": (Tied, TOKENS, [LARGE]),
}


@pytest.mark.parametrize("name", list(WIDE))
def test_large_weights_prove_whatever_a_network_does_to_them(name):
    kind, example, expected = WIDE[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind().eval()
    before = {n: x.clone() for n, x in model.state_dict().items()}
    assert sizes(symmetries(model, example)) == expected
    assert all(torch.equal(x, before[n]) for n, x in model.state_dict().items())


def test_large_weights_that_a_network_writes_to_are_doubles():
    network = Network(Renormed().eval())
    assert Carried(network, 0, 1.0).by(None)["table.weight"].dtype == torch.float32
    place = Residual(network, TOKENS, 0)
    table = place.state["table.weight"]
    assert table.dtype == torch.float64
    assert float((table[TOKENS].norm(dim=-1) - 1).abs().max()) < 1e-6


def test_large_weights_are_drawn_in_float32_and_used_as_doubles():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, LARGE), nn.Tanh(), nn.Linear(LARGE, LARGE)).eval()
    net = Network(model)
    state = Carried(net, 0, 1.0).by(None)
    assert {n: x.dtype for n, x in state.items()} == {
        "0.weight": torch.float64, "0.bias": torch.float64,
        "2.weight": torch.float32, "2.bias": torch.float64,
    }  # fmt: skip
    (found,) = outputs_of(net, state, BATCH.double())
    wide = {n: x.double() for n, x in state.items()}
    h = (BATCH.double() @ wide["0.weight"].T + wide["0.bias"]).tanh()
    expected = h @ wide["2.weight"].T + wide["2.bias"]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    (shaken,) = outputs_of(net, state, BATCH.double(), shaken=1e-3)
    assert 1e-5 < float((shaken - found).abs().max()) < 1e-1


def test_a_group_that_changes_outputs_by_less_than_float32_rounds_is_refused_of_large_weights():
    uneven = 1 + 1e-8 * torch.arange(LARGE, dtype=torch.float64)
    parts = {"a": nn.Linear(LARGE, LARGE), "o": nn.Linear(LARGE, LARGE)}
    model = network(lambda m, x: m.o((m.a(x) * uneven).relu().to(x.dtype)), **parts)
    x = torch.randn(3, LARGE, generator=torch.Generator().manual_seed(1))
    index = np.arange(LARGE).reshape(1, LARGE, 1)
    places = [Place("a.weight", 0, index), Place("a.bias", 0, index), Place("o.weight", 1, index)]
    honest = symmetries(model, x)
    with pytest.raises(NotASymmetry, match="'uneven'"):
        prove(honest.adding(Group("uneven", tuple(places))), Network(model), x)


def test_a_scaling_of_large_weights_is_not_rounded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(LARGE, LARGE), nn.ReLU(), nn.Linear(LARGE, LARGE)).eval()
    x = torch.randn(3, LARGE, generator=torch.Generator().manual_seed(1))
    whole = rescalable(symmetries(model, x), model, x)
    assert [m.signs for m in whole.scalings] == [False]
