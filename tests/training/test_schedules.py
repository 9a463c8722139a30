import math

import pytest
import torch

from ridgeline.errors import UsageError
from ridgeline.training import SCHEDULES, Constant, Cosine, Cyclic, Linear, Steps, Triangular

TOTAL, EPOCH = 40, 4


def factors(schedule, total=TOTAL):
    return [schedule.factor(step, total, EPOCH) for step in range(total)]


def test_constant():
    assert factors(Constant()) == [1.0] * TOTAL


def test_cosine_agrees_with_torch():
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, TOTAL, eta_min=0.1)
    expected = []
    for _ in range(TOTAL):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        theirs.step()
    assert factors(Cosine(floor=0.1)) == pytest.approx(expected)


def test_linear_goes_straight_down():
    found = factors(Linear(floor=0.2))
    assert found[0] == 1.0
    assert found[1] - found[0] == pytest.approx(-0.8 / TOTAL)
    assert found[-1] == pytest.approx(0.2 + 0.8 / TOTAL)


def test_steps_count_from_the_start_whatever_the_warm_up():
    for warm in ("0it", "1ep"):
        found = factors(Steps(at=("5ep", "30it"), by=0.1, warm_up=warm))
        assert found[19] == pytest.approx(1.0)
        assert found[20] == pytest.approx(0.1)
        assert found[30] == pytest.approx(0.01)


def test_a_warm_up_is_linear_and_reaches_the_whole_rate():
    found = factors(Cosine(warm_up="1ep"))
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found[4:] == factors(Cosine(), TOTAL - 4)


def test_triangular_rises_to_its_peak_and_falls_to_zero():
    found = factors(Triangular(peak=0.2))
    assert found.index(max(found)) == 8
    assert max(found) == 1.0
    assert sorted(found[:9]) == found[:9]
    assert sorted(found[8:], reverse=True) == found[8:]
    assert found[-1] == pytest.approx(1 / 32)


@pytest.mark.parametrize("peak", [0.0, 1.0])
def test_triangular_at_its_ends_is_finite(peak):
    assert all(0 < x <= 1 for x in factors(Triangular(peak=peak)))


def test_cyclic_is_lowest_in_the_middle_of_each_cycle():
    found = factors(Cyclic(every="8it", floor=0.01))
    assert found[:8] == found[8:16]
    assert found[3] == pytest.approx(0.01)
    assert found[7] == pytest.approx(1.0)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_every_schedule_stays_within_zero_and_one(kind):
    for total in (1, 2, 7, TOTAL):
        for warm in ("0it", "3it", "2ep"):
            found = factors(SCHEDULES[kind](warm_up=warm), total)
            assert all(0 <= x <= 1 + 1e-12 and math.isfinite(x) for x in found)
            assert SCHEDULES[kind]().kind == kind


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="has a unit"):
        Cosine(warm_up="5")
    with pytest.raises(UsageError, match="share of the run"):
        Triangular(peak=2.0)
    with pytest.raises(UsageError, match="at least one step"):
        Cyclic(every="0it")
