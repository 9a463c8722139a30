"""Pairs of independent runs, and what is said of the lines between them."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ridgeline.errors import UsageError
from ridgeline.studies import pairs
from ridgeline.studies.pairs import Pair, apart, cells, learned, of_learned


def run(seed, diverged=False, loss=0.1, width=8, hidden=1):
    widths = [4, *[width] * hidden, 2]
    return SimpleNamespace(
        seed=seed, diverged=diverged, loss=loss, final={"seed": seed},
        state=lambda step: {"seed": seed, "step": step}, at=lambda path: widths,
        train=SimpleNamespace(targets=torch.tensor([0, 0, 1, 1]), __len__=lambda: 4),
    )  # fmt: skip


class Train:
    targets = torch.tensor([0, 0, 1, 1])

    def __len__(self):
        return 4


def known(seed, loss):
    made = run(seed, loss=loss)
    made.train = Train()
    return made


def test_neighbouring_seeds_are_pairs_from_even_ones_on():
    found = apart([run(s) for s in (3, 0, 1, 2, 4, 7)])
    assert [(p.a.seed, p.b.seed) for p in found] == [(0, 1), (2, 3)]
    assert [p.group for p in found] == ["0-1", "2-3"]


def test_a_pair_of_which_one_diverged_is_left_out():
    found = apart([run(0), run(1, diverged=True), run(2), run(3)])
    assert [p.group for p in found] == ["2-3"]


@pytest.mark.parametrize(
    ("runs", "got"),
    [
        ([run(1), run(2)], "seeds [1, 2]"),
        ([run(0), run(1, diverged=True)], "2 runs, 1 pairs, all of which diverged"),
    ],
)
def test_without_a_pair_it_is_said_why(runs, got):
    with pytest.raises(UsageError, match="paired by their seeds: 0 and 1, 2 and 3") as caught:
        apart(runs)
    assert caught.value.got == got and "from an even one on" in caught.value.remedy


def test_states_are_at_the_ends_or_at_a_step():
    a, b = run(0), run(1)
    assert Pair(a, b).states == ({"seed": 0}, {"seed": 1})
    assert Pair(a, b, step=5).states == ({"seed": 0, "step": 5}, {"seed": 1, "step": 5})


@pytest.mark.parametrize(("share", "knows"), [(0.89, True), (0.91, False)])
def test_a_run_knows_more_than_how_frequent_classes_are(share, knows):
    guess = math.log(2)
    assert learned(known(0, share * guess)) is knows
    assert learned(known(0, 0.1), known(1, share * guess)) is knows
    assert Pair(known(0, 0.1), known(1, share * guess)).learned is knows


def test_what_learned_nothing_decides_nothing():
    assert of_learned("x")({"x": 3.0, "learned": True}) == 3.0
    assert np.isnan(of_learned("x")({"x": 3.0, "learned": False}))


def test_cells_stand_from_small_to_large():
    runs = [run(s, width=w) for w in (16, 8) for s in (0, 1)]
    found = cells(runs, pairs.width)
    assert list(found) == [8.0, 16.0] and [len(p) for p in found.values()] == [1, 1]
    assert pairs.hidden(run(0, hidden=3)) == 3.0 and pairs.width(run(0, width=32)) == 32.0


def test_pairs_as_rows_are_clustered_by_their_seeds():
    found = pairs.rows({4.0: [Pair(known(0, 0.1), known(1, 0.1))]})
    assert found.columns == ["at", "pair", "group", "learned"] and found.cluster == "group"
    assert found.values("at") == (4.0,) and found.values("learned") == (True,)


def test_heights_are_of_the_split_and_kind_asked_for_and_points_in_per_cent():
    asked = []

    def barrier(kind, *, metric="loss", split=None):
        asked.append((kind, metric, split))
        return SimpleNamespace(height=0.25)

    profile = SimpleNamespace(barrier=barrier)
    assert pairs.height(profile) == 0.25 and pairs.points_of(profile) == 25.0
    pairs.height(profile, "test", "abs")
    assert asked == [
        ("chord", "loss", "train"),
        ("chord", "error", "test"),
        ("abs", "loss", "test"),
    ]
