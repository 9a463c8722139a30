"""A merge: each checkpoint's loss and metrics beside those of what was made of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ridgeline.charts import Row, Table
from ridgeline.numerals import plus_minus, several
from ridgeline.report.summary import envelope, plain

if TYPE_CHECKING:
    from ridgeline.merging import Merged

__all__ = [
    "Scores",
    "distinct",
    "merge_sentence",
    "score_sentence",
    "score_table",
    "summarise_merge",
]


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
        """Height of a state above the mean of those given, and its standard error.

        The error is paired: of the difference on the same samples. A metric whose samples
        depend on the state (a precision) has other ones at each, and the error of unpaired means.
        """
        own = self.values[name][split][metric]
        given = [self.values[g][split][metric] for g in self.given]
        with np.errstate(invalid="ignore"):
            if all(len(values) == len(own) for values in given):
                return _mean(own - np.mean(given, axis=0))
            (mean, error), of = _mean(own), np.array([_mean(values) for values in given])
            spread = np.sqrt(error**2 + (of[:, 1] ** 2).sum() / len(of) ** 2)
            return mean - float(of[:, 0].mean()), float(spread)

    def value(self, name: str, split: str, metric: str) -> tuple[float, float]:
        """A state's mean over the samples, and its standard error."""
        return _mean(self.values[name][split][metric])

    def count(self, split: str) -> int:
        """Samples of a split."""
        return len(self.values[self.given[0]][split]["loss"])

    @property
    def names(self) -> tuple[str, ...]:
        """All states, what was made first."""
        return (*self.made, *self.given)

    @property
    def splits(self) -> tuple[str, ...]:
        """On what was measured."""
        return tuple(self.values[self.given[0]])

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what was measured, the loss first."""
        return tuple(self.values[self.given[0]][self.splits[0]])

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """Every split, metric and name."""
        for split in self.splits:
            for metric in self.metrics:
                for name in self.names:
                    yield split, metric, name

    def rows(self) -> list[Row]:
        """Tidy rows: split, metric, state, made, value, stderr, n, above and above_stderr."""
        found = []
        for split, metric, name in self:
            value, stderr = self.value(name, split, metric)
            row: Row = {"split": split, "metric": metric, "state": name, "made": name in self.made}
            row |= {"value": value, "stderr": stderr, "n": self.count(split)}
            above = self.cost(name, split, metric) if name in self.made else (None, None)
            found.append(row | dict(zip(("above", "above_stderr"), above, strict=True)))
        return found


def _mean(x: NDArray[np.float64]) -> tuple[float, float]:
    with np.errstate(invalid="ignore"):  # a sample whose loss is infinite leaves no interval
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
    """A row for each split, metric and state, what was made first."""
    rows = []
    for split, metric, name in scores:
        value = plus_minus(*scores.value(name, split, metric))
        cost = plus_minus(*scores.cost(name, split, metric)) if name in scores.made else "-"
        rows.append([split, metric, name, value, cost])
    return Table(
        "Before and after",
        ["split", "metric", "state", "value (95 %)", "above the mean of the checkpoints"],
        rows,
        "The last column is paired: of the difference on the same samples.",
        tidy=scores.rows(),
    )


def score_sentence(scores: Scores) -> str:
    """The main sentence: what merging costs in loss, on the first split."""
    split = next(iter(scores.values[scores.given[0]]))
    said = []
    for name in scores.made:
        cost, stderr = scores.cost(name, split, "loss")
        side = " above" if cost >= 0 else " below" if cost < 0 else ""
        said.append(f"{plus_minus(abs(cost), stderr)}{side} ({name})")
    return f"The loss on {split}, against the mean of the checkpoints: {', '.join(said)}."


def merge_sentence(found: "Merged") -> str:
    """Words for a merge, as ``2 checkpoints merged by Ties (keep 0.2, scale 1)``."""
    name, by = type(found.by).__name__, found.by
    given = {f.name: getattr(by, f.name) for f in fields(by)} if is_dataclass(by) else {}
    numbers = [f"{n} {v:g}" for n, v in given.items() if isinstance(v, float)]
    if found.weights is not None:
        numbers.append("weights " + ", ".join(f"{w:g}" for w in found.weights))
    settings = f" ({', '.join(numbers)})" if numbers else ""
    floats = sum(x.is_floating_point() for x in found.state.values())
    many = "all" if len(found.merged) == floats else f"{len(found.merged)} of"
    rest = "" if many == "all" else ", the others as in the first"
    return (
        f"{several(found.count, 'checkpoint')} merged by {name}{settings}: "
        f"{many} {several(floats, 'tensor')}{rest}."
    )


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
        value, stderr = scores.value(name, split, metric)
        entry: dict[str, Any] = {"value": value, "stderr": stderr}
        if name in scores.made:
            above, spread = scores.cost(name, split, metric)
            entry["above"] = {"value": above, "stderr": spread}
        told.setdefault(split, {}).setdefault(metric, {})[name] = entry
    return plain(
        envelope(
            "merge",
            by=type(found.by).__name__,
            count=found.count,
            weights=found.weights,
            merged=list(found.merged),
            said=[*said, merge_sentence(found), *found.notes],
            scores=told,
        )
    )
