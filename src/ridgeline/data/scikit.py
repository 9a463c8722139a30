"""Tables that come with scikit-learn, and one that it generates."""

import numpy as np

from ridgeline.data.tables import Table
from ridgeline.errors import MissingExtra

__all__ = ["ROWS", "known", "read"]

KNOWN = {
    "breast-cancer": "Breast tumours (Wolberg et al. 1995): 569 rows of 30 numbers, 2 classes",
    "wine": "Wines (Aeberhard & Forina 1991): 178 rows of 13 numbers, 3 classes",
    "digits-parity": "Odd and even handwritten digits: 1797 rows of 64 numbers, 2 classes",
    "diabetes": "Progress of diabetes (Efron et al. 2004): 442 rows of 10 numbers, values",
    "clusters": "Generated clusters (Guyon 2003): 10,000 rows of 20 numbers, 2 classes, 5 % noise",
}
ROWS = {
    "breast-cancer": 569,
    "wine": 178,
    "digits-parity": 1797,
    "diabetes": 442,
    "clusters": 10_000,
}


def known() -> dict[str, str]:
    """The tables, with a line about each."""
    return dict(KNOWN)


def read(name: str) -> Table:
    """Return one of them.

    Raises:
        MissingExtra: Without scikit-learn.
    """
    try:
        from sklearn import datasets
    except ImportError:
        raise MissingExtra("scikit-learn", "data", f"The data set {name!r}") from None
    match name:
        case "clusters":
            x, y = datasets.make_classification(
                10_000,
                20,
                n_informative=10,
                n_redundant=5,
                n_clusters_per_class=4,
                class_sep=0.8,
                flip_y=0.05,
                random_state=0,
            )
        case "digits-parity":
            x, y = datasets.load_digits(return_X_y=True)
            y = y % 2
        case "breast-cancer":
            x, y = datasets.load_breast_cancer(return_X_y=True)
        case "wine":
            x, y = datasets.load_wine(return_X_y=True)
        case _:
            x, y = datasets.load_diabetes(return_X_y=True)
    values = np.asarray(x, dtype=np.float64)
    names = tuple(f"x{i}" for i in range(values.shape[1]))
    return Table(names, values, np.asarray(y), "target")
