"""Fitted estimators of soft trees in the verbs: what they predict, and refusals."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

import ridgeline as rl
from ridgeline.errors import UsageError
from ridgeline.estimators import SoftTreeClassifier, SoftTreeRegressor


@pytest.fixture(scope="module")
def table():
    x, y = load_breast_cancer(return_X_y=True)
    return x[:300, :6], y[:300]


@pytest.fixture(scope="module")
def parents(table):
    """Fitted on two halves, each with a scaling of its own."""
    x, y = table
    return [
        SoftTreeClassifier(trees=6, epochs=3, kind="perfect", random_state=k).fit(x[k::3], y[k::3])
        for k in range(3)
    ]


def test_align_gives_an_estimator_that_predicts_what_b_does_in_the_scaling_of_a(table, parents):
    a, b, _ = parents
    found = rl.align(a, b)
    np.testing.assert_allclose(found.predict_proba(table[0]), b.predict_proba(table[0]), atol=1e-9)
    assert found.scaling_.mean.tolist() == a.scaling_.mean.tolist()
    assert found.aligned_.after < found.aligned_.before
    assert found.aligned_.same_function is True
    assert not hasattr(a, "aligned_")


def test_merge_gives_the_mean_of_what_was_aligned(table, parents):
    a, b, _ = parents
    found = rl.merge([a, rl.align(a, b)], weights=[3, 1])
    state = {n: 0.75 * x + 0.25 * rl.align(a, b).state_[n] for n, x in a.state_.items()}
    want = a.with_state(state).predict_proba(table[0])
    np.testing.assert_allclose(found.predict_proba(table[0]), want, atol=1e-12)
    assert found.merged_.count == 2


def test_many_come_into_the_frame_of_one_and_are_merged(table, parents):
    carried = rl.align_many(parents)
    for one, before in zip(carried, parents, strict=True):
        got, want = (e.predict_proba(table[0]) for e in (one, before))
        np.testing.assert_allclose(got, want, atol=1e-9)
    assert carried[0].aligned_.after < carried[0].aligned_.before
    assert rl.merge(carried).score(*table) > 0.5


def test_a_base_is_an_estimator_too(parents):
    a, b, base = parents
    found = rl.merge([a, b], by=rl.TaskArithmetic(0.5), base=base)
    want = 0.5 * (a.state_["bias"] + b.state_in(a)["bias"])
    assert (found.state_["bias"] - want).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"trees": 5}, "agree in `trees`.*5 and 6"),
        ({"depth": 3}, "agree in `depth`.*3 and 2"),
        ({"kind": "list"}, "agree in `kind`.*'list' and 'perfect'"),
    ],
)
def test_trees_that_do_not_go_together_are_refused_in_words(table, parents, other, words):
    settings = {"trees": 6, "epochs": 1, "kind": "perfect"}
    with pytest.raises(UsageError, match=words):
        rl.align(parents[0], SoftTreeClassifier(**settings | other).fit(*table))


def test_an_estimator_goes_with_one_of_its_class_and_with_no_state(table, parents):
    a = parents[0]
    with pytest.raises(UsageError, match="agree in the class"):
        rl.align(a, SoftTreeRegressor(trees=6, epochs=1, kind="perfect").fit(*table))
    with pytest.raises(UsageError, match=r"Estimators go with.*SoftTreeClassifier and dict"):
        rl.align(a, a.state_)
