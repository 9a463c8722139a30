"""Symmetries of networks that write types into their code: casts, autocast, constants."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ridgeline.errors import NotASymmetry
from ridgeline.graph import Network
from ridgeline.symmetry import Group, Place, prove, symmetries
from ridgeline.symmetry.evaluation import outputs_of
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
