"""What trained networks ended at, in words."""

from types import SimpleNamespace

import pytest

from ridgeline.report.ended import ended_said, errors_said, untrained_said, verdicts_said


def ended(**more):
    about = {"runs": 3, "loss": None, "error": None, "diverged": 0, "wrong": ()}
    return SimpleNamespace(**(about | more))


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({}, "3 runs"),
        ({"runs": 1}, "1 run"),
        ({"loss": (0.01, 0.25)}, "3 runs, final training loss 0.01 to 0.25"),
        ({"loss": (0.01, 0.01)}, "3 runs, final training loss 0.01"),
        ({"error": (0.0, 0.2)}, "3 runs, error 0 to 20 %"),
        ({"error": (0.1234, 0.1234), "diverged": 2}, "3 runs, error 12.3 %, 2 diverged"),
    ],
)
def test_runs_and_the_range_of_their_ends(about, said):
    assert ended_said(ended(**about)) == said


def test_networks_far_from_a_minimum_are_told():
    assert untrained_said(ended()) == ""
    assert untrained_said(ended(wrong=[0.2, 0.4, 0.3])) == (
        "these verdicts are of networks that still misclassify 20 to 40 % of their training data."
    )
    assert untrained_said(ended(wrong=[0.2])).startswith("1 of 3 runs are networks that")


def test_the_range_of_errors():
    assert errors_said([0.25, 0.1, 0.4]) == "10 to 40 %" and errors_said([0.123]) == "12 %"


def test_verdicts_of_constructions_are_counted_apart():
    holds, fails = SimpleNamespace(outcome="holds"), SimpleNamespace(outcome="fails")
    both = verdicts_said([holds, fails], [holds])
    assert both.endswith("; of constructions, without data: " + verdicts_said([holds], []))
    assert verdicts_said([], [fails]) == verdicts_said([fails], [])
