"""Laws of minima: what they draw, and how often, against plain enumeration."""

import itertools
import math

import numpy as np
import pytest

from ridgeline.errors import UnknownName, UsageError
from ridgeline.theory.minima import LAWS, draw, draw_types, is_minimum, nearest, risk


def rng(seed=0):
    return np.random.default_rng(seed)


def weight(law, vector, M):
    """Probability of a type vector, up to a factor, from the definition."""
    counts = [vector.count(j) for j in range(M + 1)]
    if 0 in counts[1:]:
        return 0.0
    if law == "volume":
        return 0.0 if counts[0] else math.prod(n**0.5 / math.factorial(n - 1) for n in counts[1:])
    zeros = {"types": 0.0, "with_zeros": 1 / (M + 1)}.get(law, law)
    return zeros ** counts[0] * ((1 - zeros) / M) ** (len(vector) - counts[0])


@pytest.mark.parametrize("law", [*LAWS, 0.4])
@pytest.mark.parametrize(("M", "m"), [(2, 4), (3, 4)])
def test_types_are_drawn_as_often_as_enumeration_says(law, M, m):
    vectors = list(itertools.product(range(M + 1), repeat=m))
    expected = np.array([weight(law, v, M) for v in vectors])
    expected /= expected.sum()
    n = 40_000
    drawn = draw_types(law, teachers=M, neurons=m, size=n, rng=rng())
    codes = (drawn * (M + 1) ** np.arange(m)[::-1]).sum(1)
    counts = np.bincount(codes, minlength=len(vectors))
    assert counts[expected == 0].sum() == 0
    at = expected > 0
    chi = ((counts[at] - n * expected[at]) ** 2 / (n * expected[at])).sum()
    assert chi < at.sum() + 4 * math.sqrt(2 * at.sum())


@pytest.mark.parametrize("law", [*LAWS, 0.0, 0.7])
def test_what_is_drawn_is_a_minimum(law):
    found = draw(law, teachers=3, neurons=12, size=50, rng=rng())
    assert is_minimum(found.weights(5), 3).all()
    assert np.abs(risk(found.weights(5), 3)).max() < 1e-14
    assert ((found.sizes > 0) == (found.types > 0)).all()


def test_sizes_are_uniform_on_the_simplex():
    found = draw("types", teachers=1, neurons=3, size=50_000, rng=rng())
    # Of the uniform law on a triangle: mean 1/3, and a share (1 - x)^2 above x.
    assert found.sizes.mean(0) == pytest.approx([1 / 3] * 3, abs=0.005)
    assert (found.sizes[:, 0] > 0.5).mean() == pytest.approx(0.25, abs=0.01)


def test_the_share_of_zeros_is_that_of_the_law():
    shares = {
        law: (draw_types(law, teachers=4, neurons=200, size=50, rng=rng()) == 0).mean()
        for law in (*LAWS, 0.9)
    }
    expected = {"types": 0, "volume": 0, "with_zeros": 0.2, 0.9: 0.9}
    assert shares == pytest.approx(expected, abs=0.01)


def test_the_same_stream_gives_the_same_minima():
    one, same, other = (
        draw("volume", teachers=2, neurons=9, size=5, rng=rng(s)) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.sizes, same.sizes)
    assert not np.array_equal(one.sizes, other.sizes)


def test_a_student_near_a_minimum_is_told_its_types():
    exact = draw(0.5, teachers=3, neurons=40, size=4, rng=rng())
    noisy = exact.weights(4) + 1e-5 * rng(1).standard_normal((4, 40, 4))
    found = nearest(noisy, 3, zero=0.001)
    clear = (exact.sizes == 0) | (exact.sizes > 1e-3)
    np.testing.assert_array_equal(found.types[clear], exact.types[clear])
    assert np.abs(found.sizes - exact.sizes).max() < 1e-3
    assert is_minimum(found.weights(4), 3).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"neurons": 2},
        {"teachers": 0},
        {"law": 1.0},
        {"law": -0.1},
        {"law": 0.999, "neurons": 4},
        {"size": 0},
    ],
)
def test_what_no_minimum_has_is_refused(wrong):
    asked = {"law": "types", "teachers": 3, "neurons": 9, "size": 1} | wrong
    with pytest.raises(UsageError):
        draw_types(asked.pop("law"), rng=rng(), **asked)


def test_a_law_of_no_name_is_refused():
    with pytest.raises(UnknownName, match="uniform"):
        draw_types("uniform", teachers=2, neurons=4, size=1, rng=rng())


def test_weights_without_a_type_are_near_no_minimum():
    with pytest.raises(UsageError, match="no neuron near e_2"):
        nearest(np.array([[1.0, 0.1], [0.5, 0.2]]), 2, zero=0.1)
