"""What an explanation says, in plain sentences, of planted numbers."""

from types import SimpleNamespace

import numpy as np
import pytest

from ridgeline.explanations.evidence import Dominant, Evidence, Layer
from ridgeline.explanations.variants import UNIFORM, ZERO
from ridgeline.explanations.words import explained, metrics_of
from ridgeline.measures import Curve
from ridgeline.profiles import Profile

T = np.linspace(0, 1, 5)


def profile(*loss):
    return Profile(T, {"train": {"loss": Curve.exact(T, np.array(loss, float))}})


FALLING, HUMP = profile(1, 0.75, 0.5, 0.25, 0), profile(1, 1.5, 0.5, 0.25, 0)


def said(profiles=None, **more):
    about = {"layers": {}, "gauss": None, "distance": 3.0, "start_norm": 2.0} | more
    return explained(Evidence({UNIFORM: FALLING} | (profiles or {}), **about))


def test_a_curve_that_falls_and_how_far_training_went():
    assert said()["Monotone or not"] == [
        "The loss falls all the way.",
        "Training moved the weights by 3, 1.5 times the norm of the start.",
    ]
    assert said(start_norm=0.0)["Monotone or not"][-1] == "Training moved the weights by 3."


def test_a_rise_is_said_with_its_place():
    text = said({UNIFORM: HUMP})["Monotone or not"][0]
    assert text.startswith("The loss rises by 0.5 from t = 0 to 0.25, more than the tolerance of")


def test_turns_of_the_outputs_are_told():
    text = said(gauss=SimpleNamespace(mean=1.25, stderr=0.0))["Monotone or not"][-1]
    assert (
        "the outputs turn by 1.25 radians on average (turning angles; 0 is a straight path)" in text
    )


def test_a_plateau_has_an_end_a_half_and_an_area():
    (flat,) = said({UNIFORM: profile(1, 1, 1, 0, 0)})["Plateaus"]
    assert flat.startswith("The loss stays within ") and " until t = 0.5" in flat
    assert "is at half of it at t = " in flat and "the area under it is " in flat
    (none,) = said()["Plateaus"]
    assert none.startswith("The loss has no plateau at 1, is at half of it at t = 0.5,")
    (never,) = said({UNIFORM: profile(1, 1, 1, 1, 1)})["Plateaus"]
    assert "never comes down to half of it" in never


@pytest.mark.parametrize(
    ("share", "low", "high", "text"),
    [
        (0.3, 0.2, 0.4, "take away 30 % (95 % interval 20 to 40 %) of the area under the loss"),
        (-0.3, -0.4, -0.2, "add 30 % (95 % interval 20 to 40 %) to the area under the loss"),
        (0.1, -0.1, 0.3, "cannot be told from these samples: it is lower by 10 %"),
        (0.01, -0.01, 0.03, "leave the area under the loss nearly as it is (lower by 1.0 %;"),
        (0.05, 0.04, 0.06, "cannot be told from these samples"),
    ],
)
def test_the_part_of_the_biases(share, low, high, text):
    class Planted(Evidence):
        def saved(self, metric="error"):
            return share, (low, high)

    found = explained(Planted({UNIFORM: FALLING}, {}, None, 3.0, 2.0))
    assert text in found["The part of the biases"][0]


def test_the_class_of_the_largest_bias_is_told():
    one = Dominant(label=3, share=0.9, at=0.25, final=0.1, crossing=0.6)
    (text,) = said(dominant=one)["The part of the biases"]
    assert text == (
        "At t = 0.25 90 % of the samples are predicted as class 3, the one of the largest last "
        "bias (10 % at the end). The signal outgrows that bias from t = 0.6 on."
    )
    for crossing in (float("nan"), 0.0):
        other = Dominant(label=3, share=0.9, at=0.25, final=0.1, crossing=crossing)
        assert "outgrows" not in said(dominant=other)["The part of the biases"][0]


def test_reasons_are_said_once_for_all_that_they_keep_from():
    text = said(why_not={"x": "no biases", "y": "no biases", "z": "other"})[
        "The part of the biases"
    ]
    assert text == ["Not measured: x and y: no biases", "Not measured: z: other"]


@pytest.mark.parametrize(
    ("zero", "word"),
    [((1, 0.75, 0.5, 0.25, 0), "as good as the same"), ((1, 1, 1, 0.5, 0), "50 % more."),
     ((1, 0.5, 0.25, 0, 0), "38 % less.")],
)  # fmt: skip
def test_the_part_of_the_initialisation(zero, word):
    (text,) = said({ZERO: profile(*zero)})["The part of the initialisation"]
    assert word in text and "On the line from zero weights the area under the loss is " in text


def test_layers_that_cost_most_and_least():
    class Planted(Evidence):
        def matter(self):
            return [Layer("a", 2.0, 0.0, 0.25, None), Layer("b", 0.5, 0.0, None, None)]

    (text,) = explained(Planted({UNIFORM: FALLING}, {}, None, 3.0, 2.0))["Layers"]
    assert text.endswith(
        "a costs most: 2 in loss and +25.0 points of error; b costs least: 0.5 in loss."
    )
    assert "Layers" not in said()


def test_paths_that_are_clearly_shorter_are_listed_from_the_best():
    worse, better, best = (
        profile(1, 0.74, 0.5, 0.25, 0),
        profile(1, 0.5, 0.5, 0.2, 0),
        profile(1, 0, 0, 0, 0),
    )
    assert said({"w": worse})["What would shorten it"] == [
        "None of the paths that were tried has a clearly smaller area of loss."
    ]
    found = said({"better": better, "best": best})["What would shorten it"]
    assert found == ["Area of loss 0.5 at uniform rates; less on: best (0.125), better (0.425)."]


def test_metrics_of_which_less_is_better():
    curves = {
        "loss": Curve.exact(T, T),
        "accuracy": Curve.exact(T, T, higher_is_better=True),
    }
    assert metrics_of(Profile(T, {"train": curves})) == ["loss"]
