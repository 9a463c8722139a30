"""What strategies give back, and what is refused before they begin."""

import numpy as np
import pytest
import torch

from ridgeline.errors import UsageError, WrongKind
from ridgeline.matching import WeightMatching
from ridgeline.matching.contract import Matched, check_groups, check_strategy, spread
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.symmetry import Fixed

NOTHING = Transform((), {})


def matched(before, after, goal="maximise"):
    return Matched(transform=NOTHING, objective={"before": before, "after": after}, goal=goal)


@pytest.mark.parametrize(
    ("before", "after", "goal", "worse"),
    [
        (1.0, 2.0, "maximise", False), (2.0, 1.0, "maximise", True), (1.0, 2.0, "minimise", True),
        (2.0, 1.0, "minimise", False), (1.0, 1.0 - 5e-7, "maximise", False),
        (1.0, 1.0 - 2e-6, "maximise", True), (2.0, 1.0, "none", False),
        (1.0, float("nan"), "minimise", True), (-1.0, -2.0, "maximise", True),
    ],
)  # fmt: skip
def test_a_match_is_worse_by_more_than_rounding(before, after, goal, worse):
    assert matched(before, after, goal).worse is worse


def test_without_both_numbers_nothing_is_worse():
    assert not Matched(transform=NOTHING, objective={"after": 1.0}).worse


def test_a_match_is_a_transform_or_a_state():
    assert Matched(transform=None, state={}).state == {}
    for given in ({"transform": None}, {"transform": NOTHING, "state": {}}):
        with pytest.raises(UsageError, match=r"a transform or a state\. Got both or neither"):
            Matched(**given)
    with pytest.raises(UsageError, match=r"maximise, minimise or none\. Got 'least'"):
        Matched(transform=NOTHING, goal="least")


def test_a_symmetry_with_nothing_to_search_says_how_many_axes_are_fixed():
    with pytest.raises(WrongKind, match=r"rl\.symmetries\(model, example\)") as caught:
        check_groups({"w": torch.ones(1)})
    assert caught.value.got == "symmetry of type dict"
    fixed = tuple(Fixed("w", k, 2, "why") for k in range(2))
    with pytest.raises(UsageError, match="one group of units at least") as caught:
        check_groups(Symmetry((), {"w": (2, 2)}, fixed))
    assert caught.value.got == "none, and 2 axes that are fixed"


def test_a_strategy_is_an_instance():
    check_strategy(WeightMatching(), "match", "WeightMatching")
    with pytest.raises(WrongKind, match=r"such as `rl\.WeightMatching\(\)`") as caught:
        check_strategy(WeightMatching, "match", "WeightMatching")
    assert caught.value.got == "by the class WeightMatching"
    with pytest.raises(WrongKind, match="by = 'weights'"):
        check_strategy("weights", "match", "WeightMatching")


def test_the_spread_is_the_root_mean_square_distance_from_the_mean():
    values = np.array([[1.0, 2.0], [3.0, 5.0], [5.0, -1.0]])
    given = [{"x": torch.tensor(v), "n": torch.tensor(i)} for i, v in enumerate(values)]
    want = np.sqrt(((values - values.mean(0)) ** 2).sum(1).mean())
    assert spread(given) == pytest.approx(want) and spread(given[:1]) == 0
