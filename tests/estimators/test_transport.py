"""One estimator's function in the scaling of another."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

import ridgeline as rl
from ridgeline.errors import UsageError
from ridgeline.nets.soft_trees import ARCHITECTURES

SMALL = {"trees": 3, "epochs": 5, "random_state": 0}


@pytest.fixture(scope="module")
def halves():
    x, y = make_classification(80, 4, random_state=0)
    return (x[:40], y[:40]), (3 * x[40:] + 1, y[40:])


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_function_is_the_same_in_the_scaling_of_another(kind, halves):
    a, b = (rl.SoftTreeClassifier(**SMALL, kind=kind).fit(*half) for half in halves)
    carried = a.with_state(b.state_in(a))
    x = np.concatenate([halves[0][0], halves[1][0]])
    np.testing.assert_allclose(carried.predict_proba(x), b.predict_proba(x), rtol=0, atol=1e-12)
    assert not np.allclose(a.with_state(b.state_).predict_proba(x), b.predict_proba(x), atol=1e-3)


@pytest.mark.parametrize("kind", ["perfect", "oblivious", "list"])
def test_of_a_regression_the_targets_too(kind, halves):
    (x, y), (u, v) = halves
    a = rl.SoftTreeRegressor(**SMALL, kind=kind).fit(x, y)
    b = rl.SoftTreeRegressor(**SMALL, kind=kind).fit(u, 5 * v + 2)
    carried = a.with_state(b.state_in(a))
    np.testing.assert_allclose(carried.predict(x), b.predict(x), rtol=0, atol=1e-12)


def test_modified_lists_have_no_leaf_for_another_mean(halves):
    (x, y), (u, v) = halves
    a = rl.SoftTreeRegressor(**SMALL, kind="modified-list").fit(x, y)
    b = rl.SoftTreeRegressor(**SMALL, kind="modified-list").fit(u, v + 2)
    with pytest.raises(UsageError, match=r"targets of one mean.*Use kind=\"list\""):
        b.state_in(a)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trees": 2}, "agree in `trees`. Got 2 and 3"),
        ({"depth": 1}, "agree in `depth`. Got 1 and 2"),
        ({"kind": "list"}, "agree in `kind`. Got 'list' and 'oblivious'"),
        ({"scaling": "quantile"}, "scale by quantiles are compared when"),
    ],
)
def test_what_is_not_comparable_is_told(change, said, halves):
    a = rl.SoftTreeClassifier(**SMALL).fit(*halves[0])
    b = rl.SoftTreeClassifier(**{**SMALL, **change}).fit(*halves[1])
    with pytest.raises(UsageError, match=said):
        b.state_in(a)


def test_quantiles_that_are_the_same_are_fine(halves):
    (x, y), _ = halves
    a, b = (
        rl.SoftTreeClassifier(**{**SMALL, "random_state": s}, scaling="quantile").fit(x, y)
        for s in (0, 1)
    )
    carried = a.with_state(b.state_in(a))
    assert (carried.predict_proba(x) == b.predict_proba(x)).all()


def test_other_classes_columns_and_kinds(halves):
    (x, y), (u, v) = halves
    a = rl.SoftTreeClassifier(**SMALL).fit(x, y)
    with pytest.raises(UsageError, match=r"know the same classes. Got \[0, 2\] and \[0, 1\]"):
        rl.SoftTreeClassifier(**SMALL).fit(u, 2 * v).state_in(a)
    with pytest.raises(UsageError, match=r"number of columns\. Got 3 and 4"):
        rl.SoftTreeClassifier(**SMALL).fit(u[:, :3], v).state_in(a)
    with pytest.raises(UsageError, match="agree in the class"):
        rl.SoftTreeRegressor(**SMALL).fit(u, v).state_in(a)
