"""The search that strategies share: the identity first, the best kept, parts solved in turn."""

import pytest
import torch

from ridgeline import state as states
from ridgeline.matching.search import Search, alternate, counted
from ridgeline.symmetry import Group, Permutation, Place, Transform

NUMBERS = {"a": 3.0, "b": 1.0, "c": 2.0}


@pytest.mark.parametrize(("goal", "best"), [("minimise", "b"), ("maximise", "a")])
def test_the_best_that_was_tried_is_kept(goal, best):
    search = Search("c", NUMBERS.__getitem__, goal)
    assert [search.offer(x) for x in "ab"] == [3.0, 1.0]
    assert (search.best, search.value, search.before, search.tried) == (best, NUMBERS[best], 2.0, 3)
    assert search.gained


@pytest.mark.parametrize("goal", ["minimise", "maximise"])
def test_a_search_is_never_worse_than_the_identity(goal):
    search = Search("identity", lambda x: 0.0, goal)
    search.offer("worse", 1.0 if goal == "minimise" else -1.0)
    search.offer("nan", float("nan"))
    assert search.best == "identity" and not search.gained
    found = search.matched(Transform((), {}), measure="m", start=4.0)
    assert found.objective == {"before": 0.0, "after": 0.0, "start": 4.0} and not found.worse


def test_what_is_better_by_rounding_alone_is_not_kept():
    search = Search("identity", lambda x: 1.0, "maximise", margin=0.1)
    search.offer("rounding", 1.09)
    assert search.best == "identity"
    search.offer("more", 1.11)
    assert search.best == "more"


def test_elements_are_tried_every_so_many_steps_and_after_the_last():
    search, at, told = Search(0, lambda x: -float(x)), [0], []

    def step(k):
        at[0] = k + 1
        return 10.0 * k

    search.follow(
        step, lambda: at[0], steps=7, every=3, what="w", progress=lambda *x: told.append(x)
    )
    assert search.history == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    assert (search.tried, search.best) == (1 + 3, 7)
    assert told == [("w", k, 7) for k in range(1, 8)]


def test_an_element_that_was_tried_already_is_passed_over():
    search = Search(0, float)
    search.follow(lambda k: 0.0, lambda: None, steps=3, what="", progress=None)
    assert search.tried == 1


def test_what_is_counted_is_told_after_it_is_done():
    told = []
    for k in counted("w", 3, lambda *x: told.append(x)):
        assert len(told) == k
    assert told == [("w", 1, 3), ("w", 2, 3), ("w", 3, 3)]


GROUP = Group("g", (Place("w", 0, torch.arange(3).reshape(1, 3, 1).numpy()),))


def turned(order):
    return Transform((Permutation(GROUP, [order]),), {})


def test_parts_are_solved_in_turn_until_nothing_comes_nearer():
    a, b = {"w": torch.tensor([1.0, 2.0, 3.0])}, {"w": torch.tensor([3.0, 1.0, 2.0])}
    asked = []

    def part(name, order):
        def step(at):
            asked.append((name, at["w"].tolist()))
            return turned(order)

        return step

    parts = [part("swap", [1, 0, 2]), part("other", [0, 2, 1])]
    found, history = alternate(
        a, b, turned([0, 1, 2]), parts, rounds=9, tolerance=0.0, what="", progress=None
    )
    assert found(b)["w"].tolist() == [1.0, 2.0, 3.0]
    assert history == sorted(history, reverse=True)
    assert history[0] == states.distance(a, b) and history[-1] == 0.0
    assert [name for name, _ in asked] == ["swap", "other"] * 2  # the second turn changes nothing


def test_no_more_turns_are_taken_than_are_given():
    a, b = {"w": torch.zeros(3)}, {"w": torch.full((3,), 1.0)}

    class Half:
        permutes = False

        def __call__(self, state):
            return {"w": state["w"] / 2}

        def __matmul__(self, first):
            return self

    _, history = alternate(
        a, b, Half(), [lambda at: Half()], rounds=3, tolerance=1e-9, what="", progress=None
    )
    assert history == pytest.approx([3**0.5 / 2**k for k in (1, 2, 3, 4)])
