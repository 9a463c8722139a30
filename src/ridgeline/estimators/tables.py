"""Checks of a table for an estimator: which values are missing, which columns are constant."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridgeline.errors import DataError, RidgelineWarning

__all__ = ["check_table", "column_names", "tell_constant"]

TOLD = 5


def column_names(estimator: Any) -> list[str]:
    """Return the columns' names, quoted, or their numbers from 0."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        return [repr(str(name)) for name in names]
    return [str(i) for i in range(estimator.n_features_in_)]


def check_table(x: NDArray[np.float64], names: Sequence[str]) -> None:
    """Refuse missing and infinite values.

    Raises:
        DataError: Naming the first columns that hold one.
    """
    wrong = ~np.isfinite(x)
    if not wrong.any():
        return
    found = []
    for i in np.flatnonzero(wrong.any(0))[:TOLD].tolist():
        rows = np.flatnonzero(wrong[:, i])
        kinds = [word for word, test in KINDS.items() if test(x[:, i]).any()]
        found.append(f"{len(rows)} of {' and '.join(kinds)} in column {names[i]} (row {rows[0]})")
    raise DataError(
        "Every value of a table is a finite number: missing ones are not filled in.",
        got=", ".join(found),
        remedy="Fill them in or leave the rows out, with sklearn.impute.SimpleImputer for one.",
    )


KINDS = {"NaN": np.isnan, "infinity": np.isinf}


def tell_constant(x: NDArray[np.float64], names: Sequence[str]) -> list[str]:
    """Return the names of columns of one value, and warn of them."""
    constant = [names[i].strip("'") for i in np.flatnonzero(x.min(0) == x.max(0)).tolist()]
    if constant:
        shown = ", ".join(constant[:TOLD]) + (", ..." if len(constant) > TOLD else "")
        warnings.warn(
            f"{len(constant)} of {x.shape[1]} columns have one value in all rows and say nothing: "
            f"{shown}. They are kept, as 0.",
            RidgelineWarning,
            stacklevel=5,
        )
    return constant
