"""What merging did: each checkpoint's loss and metrics beside those of what was made of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ridgeline.numerals import plus_minus
from ridgeline.report.summary import plain
from ridgeline.report.tables import Table

if TYPE_CHECKING:
    from ridgeline.merging import Merged

__all__ = ["Scores", "distinct", "score_sentence", "score_table", "summarise_merge"]

FORMAT = "ridgeline-merge"
VERSION = 1


@dataclass(frozen=True, eq=False)
class Scores:
    """Loss and metrics of several states, sample by sample.

    Args:
        given: Names of the states that were merged.
        made: Names of what was made of them, the last the final one.
        values: Name, split and metric to a number for each sample, shape (N,).
    """

    given: tuple[str, ...]
    made: tuple[str, ...]
    values: Mapping[str, Mapping[str, Mapping[str, NDArray[np.float64]]]]

    def cost(self, name: str, split: str, metric: str) -> tuple[float, float]:
        """By how much a state lies above the mean of those given, and its standard error.

        The error is paired: of the difference on the same samples.
        """
        mean = np.mean([self.values[g][split][metric] for g in self.given], axis=0)
        return _mean(self.values[name][split][metric] - mean)

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """Every split, metric and name."""
        for split, metrics in self.values[self.given[0]].items():
            for metric in metrics:
                for name in (*self.given, *self.made):
                    yield split, metric, name


def _mean(x: NDArray[np.float64]) -> tuple[float, float]:
    spread = float(x.std(ddof=1)) / len(x) ** 0.5 if len(x) > 1 else float("nan")
    return float(x.mean()), spread


def distinct(paths: Sequence[str]) -> list[str]:
    """File names, or whole paths where two would be alike, or numbered where these are."""
    names = [PurePath(p).name or p for p in paths]
    if len(set(names)) < len(names):
        names = list(paths)
    if len(set(names)) < len(names):
        names = [f"{name} ({k})" for k, name in enumerate(names, 1)]
    return names


def score_table(scores: Scores) -> Table:
    """A row for each split, metric and state."""
    rows = []
    for split, metric, name in scores:
        value = plus_minus(*_mean(scores.values[name][split][metric]))
        cost = plus_minus(*scores.cost(name, split, metric)) if name in scores.made else "-"
        rows.append([split, metric, name, value, cost])
    return Table(
        "Before and after",
        ["split", "metric", "state", "value (95 %)", "above the mean of those given"],
        rows,
        "The last column is paired: of the difference on the same samples.",
    )


def score_sentence(scores: Scores) -> str:
    """The main sentence: what merging costs in loss, on the first split."""
    split = next(iter(scores.values[scores.given[0]]))
    said = []
    for name in scores.made:
        cost, stderr = scores.cost(name, split, "loss")
        side = "above" if cost >= 0 else "below"
        said.append(f"{plus_minus(abs(cost), stderr)} {side} ({name})")
    return f"The loss on {split}, against the mean of those given: {', '.join(said)}."


def summarise_merge(
    found: "Merged", scores: Scores | None, said: Sequence[str] = ()
) -> dict[str, Any]:
    """A merge in plain values: strict JSON, of a stated format.

    Args:
        found: From `ridgeline.merge`.
        scores: What was measured; none without data.
        said: Sentences on what came before.

    Returns:
        ``format``, ``version``, ``by``, ``count``, ``weights``, ``merged`` (names of tensors),
        ``said`` and ``scores.<split>.<metric>.<state>`` {value, stderr, above: {value, stderr}}.
    """
    told: dict[str, Any] = {}
    for split, metric, name in scores or ():
        assert scores is not None
        value, stderr = _mean(scores.values[name][split][metric])
        entry: dict[str, Any] = {"value": value, "stderr": stderr}
        if name in scores.made:
            above, spread = scores.cost(name, split, metric)
            entry["above"] = {"value": above, "stderr": spread}
        told.setdefault(split, {}).setdefault(metric, {})[name] = entry
    return plain(
        {
            "format": FORMAT,
            "version": VERSION,
            "by": type(found.by).__name__,
            "count": found.count,
            "weights": found.weights,
            "merged": list(found.merged),
            "said": [*said, *str(found).splitlines()[:1], *found.notes],
            "scores": told,
        }
    )
