"""Estimates with their intervals: in words, and as a small picture."""

import math
from types import SimpleNamespace

import pytest

from ridgeline.frame import Asked
from ridgeline.frame.demands import Every, Mean, Measured, Share
from ridgeline.report.estimates import estimate_words, interval_svg, interval_words, threshold

NAN = math.nan


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.83, 0.61, 0.95), "0.83 [0.61, 0.95]"),
        ((0.834, 0.8312, 0.8371), "0.8340 [0.8312, 0.8371]"),
        ((12.3, 4.0, 40.0), "12 [4, 40]"),
        ((1.5, 1.2, 1.9), "1.50 [1.20, 1.90]"),
        ((0.5, NAN, 0.9), "0.5"), ((0.5, None, 0.9), "0.5"), ((0.5, 0.1, math.inf), "0.5"),
        ((NAN, 0.1, 0.2), "-"), ((None, 0.1, 0.2), "-"), ((math.inf, 0, 1), "-"),
        ((1.0, 1.0, 1.0), "1 [1, 1]"),
        ((-0.001, -0.3, 0.4), "0.00 [-0.30, 0.40]"),
        ((2e7, 1e7, 3e7), "2e+07 [1e+07, 3e+07]"),
        ((2e-4, 1e-4, 3e-4), "0.0002 [0.0001, 0.0003]"),
    ],
)  # fmt: skip
def test_digits_are_those_that_the_interval_leaves(numbers, text):
    assert estimate_words(*numbers) == text


def test_an_interval_alone():
    assert interval_words(0.1, 0.2) == "[0.10, 0.20]"
    assert interval_words(None, 0.2) == interval_words(0.1, NAN) == ""


def verdict(test, estimate=0.8, low=0.6, high=0.9):
    measured = Measured("holds", estimate, low, high, 10)
    claim = SimpleNamespace(test=Asked(test, lambda rows: rows))
    return SimpleNamespace(claim=claim, measured=measured)


def test_thresholds_of_tests():
    assert threshold(verdict(Mean("x", "above", 0.5))) == (0.5, "above")
    assert threshold(verdict(Share("x", "below", 0.2))) == (0.2, "below")
    assert threshold(verdict(Every("x"))) == (1.0, "reach")
    assert threshold(verdict(SimpleNamespace(at=1.0))) is None


def test_a_picture_says_what_it_shows():
    svg = interval_svg(verdict(Mean("x", "above", 0.5)))
    assert 'aria-label="0.80 [0.60, 0.90]; threshold 0.5, above"' in svg
    for kind in ("axis", "limit", "span", "dot", "claimed"):
        assert f'class="{kind}"' in svg
    assert 'viewBox="0 0 220 44"' in svg and ">0.5</text>" in svg


def middle(svg, start):
    return float(svg.partition(start)[2].partition('"')[0])


def test_places_are_in_proportion_with_a_margin():
    svg = interval_svg(verdict(Mean("x", "above", 0.0), estimate=1.0, low=0.5, high=2.0))
    at = lambda v: 10 + 200 * (v + 0.24) / 2.48  # noqa: E731 (the formula of the picture)
    assert middle(svg, 'circle cx="') == pytest.approx(at(1.0), abs=0.06)
    assert middle(svg, '<rect x="') == pytest.approx(at(0.0), abs=0.06)


@pytest.mark.parametrize(("side", "left"), [("above", False), ("below", True)])
def test_the_claimed_side_is_shaded(side, left):
    svg = interval_svg(verdict(Mean("x", side, 0.7)))
    x = middle(svg, '<rect x="')
    assert (x == 10.0) is left


def test_without_interval_threshold_or_estimate_less_is_drawn():
    bare = interval_svg(verdict(SimpleNamespace(), low=NAN))
    assert "span" not in bare and "limit" not in bare and 'aria-label="0.8"' in bare
    assert interval_svg(verdict(Mean("x", "above", 0.5), estimate=NAN)) == ""
    every = interval_svg(verdict(Every("x")))
    assert "claimed" not in every and "threshold 1, reach" in every


@pytest.mark.parametrize(("at", "anchor"), [(-5.0, "start"), (0.75, "middle"), (5.0, "end")])
def test_a_threshold_at_an_edge_is_written_inwards(at, anchor):
    assert f'text-anchor="{anchor}"' in interval_svg(verdict(Mean("x", "above", at)))
