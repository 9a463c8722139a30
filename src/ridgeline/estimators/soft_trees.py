"""Classifiers and regressors of soft trees with scikit-learn's interface."""

import copy
import numbers
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ridgeline.data.scaling import Shift, fit_scaling, fit_shift
from ridgeline.errors import MissingExtra, UsageError
from ridgeline.estimators import fitting
from ridgeline.estimators.tables import check_table, column_names, tell_constant
from ridgeline.estimators.transport import transported
from ridgeline.nets import SoftTrees
from ridgeline.state import State, check_finite, check_same, check_state

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError:
    raise MissingExtra("scikit-learn", "trees", "An estimator of soft trees") from None

__all__ = ["SoftTreeClassifier", "SoftTreeRegressor"]

ROWS = 2048
"""Rows that are predicted at a time."""


class _SoftTreeEstimator(BaseEstimator):
    """Base of both estimators: parameters, training, and the way to the network."""

    network_: SoftTrees
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def __init__(
        self,
        *,
        trees: int = 256,
        depth: int = 2,
        kind: str = "oblivious",
        scaling: str = "standard",
        learning_rate: float = 0.01,
        epochs: int = 100,
        batch_size: int = 512,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        random_state: Any = None,
    ) -> None:
        self.trees = trees
        self.depth = depth
        self.kind = kind
        self.scaling = scaling
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state

    def _fit(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        weight: NDArray[Any] | None,
        *,
        labels: NDArray[np.intp] | None,
        outputs: int,
    ) -> Self:
        """Train on checked rows; `y` are class numbers (N,) or scaled values (N, C)."""
        sizes = {name: _whole(name, getattr(self, name)) for name in WHOLE}
        _number("learning_rate", self.learning_rate)
        _number("validation_fraction", self.validation_fraction)
        draws = check_random_state(self.random_state)
        seed = int(draws.randint(np.iinfo(np.int32).max))
        self.scaling_ = fit_scaling(self.scaling, x, weight)
        self.constant_features_ = tell_constant(x, column_names(self))
        rows = fitting.Rows(
            torch.tensor(self.scaling_(x)),
            torch.tensor(y),
            None if weight is None else torch.tensor(weight / weight.mean()),
        )
        held = None
        if self.early_stopping:
            kept, out = fitting.held_out(labels, len(x), self.validation_fraction, draws)
            rows, held = rows.take(kept), rows.take(out)
        network = SoftTrees(
            x.shape[1],
            outputs,
            trees=sizes["trees"],
            depth=sizes["depth"],
            kind=self.kind,  # pyright: ignore[reportArgumentType] (checked there)
            seed=seed,
        ).double()
        found = fitting.fit(
            network,
            rows,
            held,
            epochs=sizes["epochs"],
            batch_size=sizes["batch_size"],
            learning_rate=self.learning_rate,
            patience=sizes["patience"],
            seed=seed,
        )
        network.load_state_dict(found.state)
        self.network_ = network.requires_grad_(False)
        self.n_iter_ = found.epochs
        self.validation_losses_ = found.losses
        return self

    def _rows(
        self, X: Any, y: Any, sample_weight: Any, **checks: Any
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """Rows, targets and weights, checked."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite=False, **checks)
        check_table(X, column_names(self))
        if sample_weight is None:
            return X, y, None
        return (
            X,
            y,
            _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True),
        )

    def _predicted(self, X: Any) -> Tensor:
        """Outputs of the network, (N, C), in float64."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite=False, reset=False)
        check_table(X, column_names(self))
        with torch.no_grad():
            parts = [self.network_(torch.tensor(self.scaling_(part))) for part in _parts(X)]
        return torch.cat(parts)

    @property
    def state_(self) -> State:
        """Return a copy of the fitted network's state: ``weight``, ``bias`` and ``leaves``."""
        check_is_fitted(self)
        return {name: x.detach().clone() for name, x in self.network_.state_dict().items()}

    def with_state(self, state: Mapping[str, Tensor]) -> Self:
        """Return a fitted copy with another state of the network in its place.

        Scaling, classes and column names are those of this estimator; so a state from elsewhere
        has to be one of scaled columns like these, in this order, and of the same classes:
        `state_in` gives that of another estimator.

        Args:
            state: ``weight`` (M, N, F), ``bias`` (M, N) and ``leaves`` (M, L, C).

        Returns:
            An estimator that shares no memory with this one.

        Raises:
            StateMismatch: If names or shapes are others.
            NonFinite: If a value is not finite.
        """
        check_state(state)
        wide = {name: x.double() for name, x in state.items()}
        check_same(self.state_, wide)
        check_finite(wide, "the state")
        made = copy.deepcopy(self)
        made.network_.load_state_dict(wide)
        return made

    def state_in(self, other: "_SoftTreeEstimator") -> State:
        """Return the state that does in another estimator's place what this one does.

        Each estimator scales its columns by the rows that it was fitted on. The affine part of
        that is folded into the splits (and the targets' into the leaves), exactly, so that two
        estimators of two halves of a table can be compared, aligned and merged:
        ``a.with_state(rl.merge([a.state_, b.state_in(a)]).state)``.

        What has to agree: the class, `kind`, `depth` and `trees`; the columns, by name where both
        have names; the classes; and scaling by quantiles, which is not affine, number by number.

        Args:
            other: A fitted estimator.

        Returns:
            A state of the other's network.

        Raises:
            UsageError: If one of these does not agree, naming it.
        """
        check_is_fitted(self)
        check_is_fitted(other)
        return transported(self, other)


class SoftTreeClassifier(ClassifierMixin, _SoftTreeEstimator):
    """A classifier of table rows by a sum of soft trees, trained by Adam on the cross entropy.

    The trees are those of `ridgeline.nets.SoftTrees`; training and prediction are in float64.

    Args:
        trees: Number of trees.
        depth: Splits on the longest way to a leaf.
        kind: ``"oblivious"``, ``"perfect"``, ``"list"`` or ``"modified-list"``.
        scaling: Of columns, fitted to the rows: ``"standard"`` (mean 0, deviation 1),
            ``"quantile"`` (a normal law) or ``"none"``.
        learning_rate: Adam's.
        epochs: Passes over the rows.
        batch_size: Rows of a step; a table with fewer is taken whole.
        early_stopping: Hold rows out, and end when they are not fitted better for a while; what is
            kept is the best.
        validation_fraction: Share of rows, of each class, that is then held out.
        patience: Epochs without a lower loss on them.
        random_state: Of the first weights, the order of rows, and what is held out: None, a
            number, or a `numpy.random.RandomState`.

    Attributes:
        classes_: Labels, in order.
        network_: The fitted `SoftTrees`, of scaled columns, in float64.
        scaling_: What scales the columns.
        constant_features_: Columns, by name or number, that have one value only and do nothing.
        n_features_in_: Number of columns.
        feature_names_in_: Their names, where a table with names was given.
        n_iter_: Epochs trained.
        validation_losses_: Loss on the rows held out, epoch by epoch.
    """

    classes_: NDArray[Any]

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to rows.

        Args:
            X: Table (N, F) of finite numbers.
            y: A label for each row, numbers or strings.
            sample_weight: Of each row, not negative. A row of weight 0 is as if it were not there,
                but that its label is known as a class.

        Returns:
            The estimator itself.

        Raises:
            DataError: If a value is missing or infinite, naming the column.
            UsageError: If there is one class only, or a parameter is out of range.
        """
        X, y, weight = self._rows(X, y, sample_weight)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise UsageError(
                "A classifier is fitted to two classes or more.",
                got=f"one class, {self.classes_.tolist()[0]!r}",
                remedy="Give rows of another class too.",
            )
        X, labels, weight = _counting(X, labels, weight)
        return self._fit(X, labels, weight, labels=labels, outputs=len(self.classes_))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return probabilities of the classes, (N, C), in the order of `classes_`."""
        return self._predicted(X).softmax(1).numpy()

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of each row, (N,)."""
        most = self._predicted(X).argmax(1).numpy()  # first: unfitted, it has no classes
        return self.classes_[most]


class SoftTreeRegressor(RegressorMixin, _SoftTreeEstimator):
    """A regressor of table rows by a sum of soft trees, trained by Adam on the squared error.

    Targets are scaled to mean 0 and deviation 1 (weighted) for training, and predictions are scaled
    back. Parameters and attributes are those of `SoftTreeClassifier`, without classes.

    Attributes:
        target_scaling_: What scales the targets.
    """

    target_scaling_: Shift

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn asks of its kind: several targets are fine."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to rows.

        Args:
            X: Table (N, F) of finite numbers.
            y: A number for each row (N,), or several (N, C).
            sample_weight: Of each row, not negative; one of weight 0 is as if it were not there.

        Returns:
            The estimator itself.

        Raises:
            DataError: If a value is missing or infinite, naming the column.
            UsageError: If a parameter is out of range.
        """
        X, y, weight = _counting(
            *self._rows(X, y, sample_weight, multi_output=True, y_numeric=True)
        )
        values = np.asarray(y, dtype=np.float64)
        self.n_targets_ = 0 if values.ndim == 1 else values.shape[1]
        values = values.reshape(len(values), -1)
        self.target_scaling_ = fit_shift(values, weight)
        scaled = self.target_scaling_(values)
        return self._fit(X, scaled, weight, labels=None, outputs=values.shape[1])

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the value of each row: (N,), or (N, C) if it was fitted to several."""
        scaled = self._predicted(X).numpy()
        values = scaled * self.target_scaling_.deviation + self.target_scaling_.mean
        return values if self.n_targets_ else values[:, 0]


WHOLE = ("trees", "depth", "epochs", "batch_size", "patience")


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise UsageError(f"`{name}` must be a whole number of at least 1.", got=repr(value))
    return int(value)


def _number(name: str, value: Any) -> None:
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise UsageError(f"`{name}` is a number.", got=repr(value))


def _counting(
    x: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Rows of positive weight; no weights where they are alike."""
    if weight is None:
        return x, y, None
    counts = weight > 0
    weight = weight[counts]
    return x[counts], y[counts], None if weight.min() == weight.max() else weight


def _parts(x: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, len(x), ROWS):
        yield x[start : start + ROWS]
