"""Thresholds that the example does not reach keep units from factors and signs."""

import pytest
import torch
from torch import nn

from ridgeline.graph import Network
from ridgeline.symmetry import rescalable, symmetries
from ridgeline.symmetry.signs import signs

PLAIN = torch.randn(32, 6, generator=torch.Generator().manual_seed(0))


def found(model, example):
    """The positive factors of a network: powers by place."""
    whole = rescalable(symmetries(model.eval(), example), model, example)
    return [
        {
            (p.tensor, p.axis): e
            for p, e in zip(whole.group(m.group).places, m.powers, strict=True)
            if e
        }
        for m in whole.scalings
        if not m.signs
    ]


class Shaped(nn.Module):
    """Two layers with any function between."""

    def __init__(self, between):
        super().__init__()
        self.a, self.o, self.between = nn.Linear(6, 8), nn.Linear(8, 3), between

    def forward(self, x):
        return self.o(self.between(self.a(x)))


UNREACHED = {
    "relu6": nn.ReLU6(),
    "hardtanh": nn.Hardtanh(-30, 30),
    "one side of a clamp": lambda h: h.relu().clamp(max=1000),
    "clamp in place": lambda h: h.relu().clamp_(max=1000),
    "threshold": nn.Threshold(-50, 0.0),
    "value of a threshold": nn.Threshold(0.0, -50.0),
    "maximum": lambda h: torch.maximum(h, torch.tensor(-50.0)),
    "where": lambda h: torch.where(h > -50, h, torch.zeros(())),
    "masked": lambda h: h.masked_fill(h < -50, 0.0),
    "elu of large": lambda h: torch.nn.functional.elu(h.relu() + 0.0) + h.relu().clamp(max=99),
    "hardshrink": nn.Hardshrink(1e-3),
    "softshrink": nn.Softshrink(50.0),
    "rounded": lambda h: h + (1e-6 * h.relu()).round(),
}


@pytest.mark.parametrize("name", list(UNREACHED))
def test_a_threshold_other_than_zero_keeps_units_from_positive_factors(name):
    assert found(Shaped(UNREACHED[name]), 0.01 * PLAIN) == []


HOMOGENEOUS = {
    "abs": torch.abs,
    "relu": torch.relu,
    "prelu of channels": nn.PReLU(8),
    "larger than zero": lambda h: torch.where(h > 0, h, 0.1 * h),
    "clamp at zero": lambda h: h.clamp(min=0),
    "maximum with zero": lambda h: torch.maximum(h, torch.zeros(())),
    "maximum with itself": lambda h: torch.maximum(h, 0.3 * h),
    "pooled": lambda h: nn.functional.max_pool1d(h[..., None].expand(-1, -1, 4), 2).sum(-1),
    "largest of several": lambda h: torch.stack([h, -2 * h, 0.5 * h]).amax(0),
    "no bound": lambda h: h.clamp(min=0, max=float("inf")),
}


@pytest.mark.parametrize("name", list(HOMOGENEOUS))
def test_comparisons_with_zero_and_among_a_units_own_numbers_keep_factors(name):
    members = found(Shaped(HOMOGENEOUS[name]), PLAIN)
    assert {("a.weight", 0): 1, ("a.bias", 0): 1, ("o.weight", 1): -1} in [
        {k: e for k, e in p.items() if not k[0].startswith("between")} for p in members
    ]


def test_what_is_compared_must_be_scaled_alike():
    """The maximum of two units' numbers, of which the example always takes the first."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.o = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.o(torch.maximum(self.a(x) + 0.0, self.b(x) * 1.0))

    model = Two()
    with torch.no_grad():
        model.a.bias.add_(100)
    expected = {(f"{m}.{t}", 0): 1 for m in "ab" for t in ("weight", "bias")}
    assert found(model, PLAIN) == [expected | {("o.weight", 1): -1}]


@pytest.mark.parametrize(
    ("between", "count"),
    [
        (nn.Hardtanh(-30, 30), 1),
        (lambda h: h.clamp(-1000, 1000), 1),
        (nn.Softshrink(1e-6), 1),
        (lambda h: h.clamp(max=1000), 0),
        (lambda h: h.clamp(-1000, 2000), 0),
        (nn.Threshold(-50, 0.0), 0),
        (lambda h: torch.maximum(h, torch.tensor(-50.0)), 0),
        (lambda h: torch.where(h > -50, h, torch.zeros(())), 0),
        (lambda h: h.clamp(-float("inf"), float("inf")), 1),
        (lambda h: h.relu().clamp(max=1000), 0),
    ],
)
def test_signs_are_kept_by_symmetric_thresholds_alone_reached_or_not(between, count):
    model = Shaped(between)
    members = signs(symmetries(model, 0.1 * PLAIN), Network(model), 0.1 * PLAIN)
    assert len(members) == count
