"""Estimators as scikit-learn and its users have them."""

import pickle
import warnings

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import ridgeline as rl
from ridgeline.errors import DataError, RidgelineWarning, UnknownName, UsageError
from ridgeline.nets.soft_trees import ARCHITECTURES

SMALL = {"trees": 4, "epochs": 15, "learning_rate": 0.05, "random_state": 0}


@pytest.fixture(scope="module")
def table():
    return make_classification(
        120, 5, n_informative=3, n_classes=3, n_clusters_per_class=1, random_state=0
    )


@pytest.fixture(scope="module")
def fitted(table):
    return rl.SoftTreeClassifier(**SMALL).fit(*table)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [rl.SoftTreeClassifier, rl.SoftTreeRegressor])
def test_scikit_learn_finds_no_fault(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(kind(), on_fail=None)
    assert [x["check_name"] for x in found if x["status"] == "failed"] == []
    assert len(found) > 50


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_it_learns_and_its_probabilities_are_those_of_its_network(kind, table):
    x, y = table
    labels = np.array(["red", "green", "blue"])[y]
    made = rl.SoftTreeClassifier(trees=16, kind=kind, learning_rate=0.2, epochs=15, random_state=1)
    made.fit(x, labels)
    assert made.score(x, labels) > 0.85
    assert made.classes_.tolist() == ["blue", "green", "red"]
    scaled = torch.tensor((x - x.mean(0)) / x.std(0))
    wanted = made.network_(scaled).softmax(1).numpy()
    np.testing.assert_allclose(made.predict_proba(x), wanted, rtol=0, atol=1e-12)
    assert (made.predict(x) == made.classes_[wanted.argmax(1)]).all()


def test_a_regressor_predicts_in_the_units_of_its_targets():
    x, y = make_regression(150, 4, random_state=0)
    made = rl.SoftTreeRegressor(trees=16, epochs=15, learning_rate=0.2, random_state=0)
    assert made.fit(x, 1000 + y).score(x, 1000 + y) > 0.6
    both = np.stack([y, -y], 1)
    assert made.fit(x, both).predict(x).shape == (150, 2)


@pytest.mark.parametrize("kind", [rl.SoftTreeClassifier, rl.SoftTreeRegressor])
def test_a_weight_is_a_row_so_many_times(kind, table):
    x, y = table[0][:40], table[1][:40]
    weight = np.arange(40) % 3
    made = kind(**SMALL).fit(x, y, sample_weight=weight)
    rows = np.repeat(np.arange(40), weight)
    repeated = kind(**SMALL).fit(x[rows], y[rows])
    np.testing.assert_allclose(
        made.predict(x).astype(float), repeated.predict(x).astype(float), rtol=1e-9
    )
    for name, p in made.state_.items():
        torch.testing.assert_close(p, repeated.state_[name], rtol=0, atol=1e-9)


def test_a_row_of_no_weight_still_names_its_class(table):
    x, y = table
    made = rl.SoftTreeClassifier(**SMALL).fit(x, y, sample_weight=(y != 2).astype(float))
    assert made.classes_.tolist() == [0, 1, 2]
    assert 2 not in made.predict(x)


def test_the_same_random_state_is_the_same_fit(table, fitted):
    again = rl.SoftTreeClassifier(**SMALL).fit(*table)
    other = rl.SoftTreeClassifier(**{**SMALL, "random_state": 1}).fit(*table)
    for name, p in fitted.state_.items():
        assert torch.equal(p, again.state_[name])
        assert not torch.equal(p, other.state_[name])


def test_early_stopping_keeps_the_state_of_the_lowest_loss(table):
    x, y = table
    noise = np.random.default_rng(0).integers(3, size=len(y))
    made = rl.SoftTreeClassifier(
        trees=16, epochs=200, learning_rate=0.1, early_stopping=True, patience=4, random_state=0
    ).fit(x, noise)
    losses = made.validation_losses_
    assert made.n_iter_ == len(losses) < 200
    assert len(losses) - 1 - int(np.argmin(losses)) == 4
    shorter = clone(made).set_params(epochs=int(np.argmin(losses)) + 1, patience=200)
    for name, p in shorter.fit(x, noise).state_.items():
        torch.testing.assert_close(p, made.state_[name], rtol=0, atol=1e-9)


def test_it_goes_into_pipelines_searches_and_pickles(table):
    x, y = table
    steps = make_pipeline(StandardScaler(), rl.SoftTreeClassifier(**SMALL))
    search = GridSearchCV(steps, {"softtreeclassifier__depth": np.array([1, 2])}, cv=2).fit(x, y)
    copy = pickle.loads(pickle.dumps(search.best_estimator_))
    assert (copy.predict_proba(x) == search.predict_proba(x)).all()


def test_columns_go_by_their_names(table):
    x, y = table
    named = pa.table({f"column {i}": values for i, values in enumerate(x.T)})
    made = rl.SoftTreeClassifier(**SMALL).fit(named, y)
    assert made.feature_names_in_.tolist() == [f"column {i}" for i in range(5)]
    with pytest.raises(ValueError, match="feature names should match"):
        made.predict(named.select(["column 1", "column 0", *[f"column {i}" for i in (2, 3, 4)]]))


def test_quantiles_do_not_mind_how_a_column_is_spread(table):
    x, y = table
    made = rl.SoftTreeClassifier(**SMALL, scaling="quantile").fit(x, y)
    spread = rl.SoftTreeClassifier(**SMALL, scaling="quantile").fit(np.exp(x), y)
    for name, p in made.state_.items():
        torch.testing.assert_close(p, spread.state_[name], rtol=0, atol=0.05)


def test_a_missing_value_is_refused_by_its_column(table, fitted):
    x, y = table[0].copy(), table[1]
    x[3, 2] = np.nan
    for call in (lambda: rl.SoftTreeClassifier().fit(x, y), lambda: fitted.predict(x)):
        with pytest.raises(DataError, match=r"1 of NaN in column 2 \(row 3\)") as caught:
            call()
        assert "SimpleImputer" in str(caught.value)
    named = pa.table({"height": x[:, 0], "weight": x[:, 2]})
    with pytest.raises(DataError, match=r"in column 'weight'"):
        rl.SoftTreeRegressor().fit(named, y)


def test_one_class_is_refused(table):
    x, y = table
    with pytest.raises(UsageError, match=r"two classes or more.*one class, 0.*another class"):
        rl.SoftTreeClassifier().fit(x, np.zeros_like(y))


def test_a_constant_column_is_told_and_does_nothing(table):
    x, y = table[0].copy(), table[1]
    x[:, 1] = 7.3
    for scaling in ("standard", "quantile"):
        with pytest.warns(RidgelineWarning, match=r"1 of 5 columns .* nothing: 1\. They are kept"):
            made = rl.SoftTreeClassifier(**SMALL, scaling=scaling).fit(x, y)
        assert made.constant_features_ == ["1"]
        moved = x.copy()
        moved[:, 1] = 7.3
        scaled = made.scaling_(moved)
        assert (scaled[:, 1] == 0).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"trees": 0}, "`trees` must be a whole number of at least 1"),
        ({"depth": 1.5}, "`depth` must be a whole number of at least 1"),
        ({"epochs": True}, "`epochs` must be a whole number of at least 1"),
        ({"batch_size": "all"}, "`batch_size` must be"),
        ({"learning_rate": -1.0}, "`learning_rate` must be finite and not negative"),
        ({"learning_rate": "fast"}, "`learning_rate` is a number"),
        ({"early_stopping": True, "validation_fraction": 1.0}, "is between 0 and 1"),
        ({"early_stopping": True, "validation_fraction": 1e-9}, "needs rows to hold out"),
    ],
)
def test_parameters_out_of_range_are_refused_when_it_is_fitted(table, wrong, said):
    made = rl.SoftTreeClassifier(**wrong)
    with pytest.raises(UsageError, match=said):
        made.fit(*table)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "perfct"}, "architecture of soft trees.*Did you mean 'perfect'"),
        ({"scaling": "standrd"}, "scaling.*Did you mean 'standard'"),
    ],
)
def test_names_that_are_not_known(table, wrong, said):
    with pytest.raises(UnknownName, match=said):
        rl.SoftTreeClassifier(**wrong).fit(*table)


def test_a_fit_that_diverges_says_so(table):
    with pytest.raises(UsageError, match=r"loss stays finite.*learning_rate=1e\+300.*smaller"):
        rl.SoftTreeRegressor(**{**SMALL, "learning_rate": 1e300}).fit(*table)


def test_another_state_makes_another_estimator(table, fitted):
    x, _ = table
    before = fitted.predict_proba(x)
    state = {name: p.float() * 0 for name, p in fitted.state_.items()}
    made = fitted.with_state(state)
    np.testing.assert_allclose(made.predict_proba(x), 1 / 3)
    assert (fitted.predict_proba(x) == before).all()
    with pytest.raises(rl.errors.StateMismatch, match="leaves"):
        fitted.with_state({**state, "leaves": torch.zeros(4, 2, 3)})
    with pytest.raises(rl.errors.NonFinite, match="weight"):
        fitted.with_state({**state, "weight": state["weight"] * torch.nan})
