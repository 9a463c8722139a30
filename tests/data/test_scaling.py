"""Scalings of columns against scikit-learn's, and by hand."""

import numpy as np
import pytest
from sklearn.preprocessing import QuantileTransformer

from ridgeline.data.scaling import fit_scaling, same_scaling, scaling_of
from ridgeline.errors import UnknownName


def columns(rows, seed=0):
    draws = np.random.default_rng(seed)
    spread = draws.normal(size=rows)
    return np.stack([spread, np.exp(3 * spread), draws.integers(3, size=rows) * 1.0], 1)


@pytest.mark.parametrize("rows", [1, 7, 300, 2500])
def test_quantiles_are_scikit_learn_s(rows):
    x, others = columns(rows), columns(50, seed=1)
    theirs = QuantileTransformer(
        n_quantiles=min(1000, rows), output_distribution="normal", subsample=None
    ).fit(x)
    ours = fit_scaling("quantile", x)
    moving = x.min(0) < x.max(0)
    for given in (x, others):
        wanted = theirs.transform(given)
        np.testing.assert_allclose(ours(given)[:, moving], wanted[:, moving], rtol=0, atol=1e-12)
        assert (ours(given)[:, ~moving] == 0).all()  # theirs are at the end of the law


def test_the_standard_scaling_is_weighted():
    x, weight = columns(20), np.arange(20) % 4
    repeated = np.repeat(x, weight, axis=0)
    scaled = fit_scaling("standard", x, weight.astype(float))(repeated)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-14)
    np.testing.assert_allclose(scaled.std(0), 1)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_numbers_of_any_size_are_scaled(size):
    x = columns(20)[:, :1]
    scaled = fit_scaling("standard", size * x)(size * x)
    np.testing.assert_allclose(scaled, (x - x.mean(0)) / x.std(0), rtol=1e-9)


def test_a_constant_column_is_zero_under_each():
    x = np.full((5, 1), 0.1)
    for kind in ("standard", "quantile"):
        assert (fit_scaling(kind, x)(x) == 0).all()
    assert (fit_scaling("none", x)(x) == x).all()


@pytest.mark.parametrize("kind", ["standard", "quantile", "none"])
def test_its_arrays_say_all_of_it(kind):
    made = fit_scaling(kind, columns(9))
    assert same_scaling(made, scaling_of(made.arrays()))
    other = fit_scaling(kind, 2 * columns(9))
    assert same_scaling(made, other) == (kind == "none")


def test_a_scaling_that_is_not_known():
    with pytest.raises(UnknownName, match="Did you mean 'quantile'"):
        fit_scaling("quantiles", columns(3))
