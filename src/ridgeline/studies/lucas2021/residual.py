"""L4: residual networks with and without batch normalisation, four kinds of first weights."""

from typing import Any

from ridgeline.charts import Table
from ridgeline.studies.common import tidy
from ridgeline.studies.lucas2021.counting import Cell, cell, falls, optimiser, rate, reached, seeds
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "residual"]


def residual(bench: Bench) -> Finding:
    """Table B: the share of residual networks whose line rises."""
    runs = bench.runs("residual")
    good = reached(bench, runs)
    bench.profiles(good, told="lines")

    cases: dict[str, list[Any]] = {}
    for side, kinds in {"more": ("BN", "BN-I"), "less": ("NBN-I", "NBN-F")}.items():
        chosen = [s for s in good if s.at("net.first") in kinds]
        cases[side] = [not falls(bench.profile(s), bench) for s in chosen]
        cases[f"{side}_group"] = seeds(chosen)
    return Finding(
        tables=[_in_all(bench, runs), _by_rate(bench, runs)],
        cases={"L4a": cases},
        words=[
            "Counted are runs whose final training loss is at most "
            f"{bench.setting('threshold'):g}; here every rise above "
            f"{bench.setting('tolerance'):g} counts, as in the released code. Runs of one seed "
            "are one group."
        ],
    )


def _cells(runs: list[Subject], rates: bool) -> dict[tuple[str, ...], list[Subject]]:
    found: dict[tuple[str, ...], list[Subject]] = {}
    for run in runs:
        at = [tidy(rate(run))] if rates else []
        key = (optimiser(run), str(run.at("net.first")), *at)
        found.setdefault(key, []).append(run)
    return found


def _row(counted: Cell) -> list[str]:
    return [counted.words, counted.mean, f"{counted.diverged} of {counted.of}"]


def _in_all(bench: Bench, runs: list[Subject]) -> Table:
    return Table(
        title="Residual networks whose line rises",
        columns=["optimiser", "first weights", "not monotone, p (n)", "mean min Δ", "diverged"],
        rows=[[*key, *_row(cell(bench, of))] for key, of in _cells(runs, False).items()],
        note="BN: ordinary; BN-I and NBN-I: branches start at zero; NBN-F: Fixup. The mean is "
        "over the runs that are not monotone.",
    )


def _by_rate(bench: Bench, runs: list[Subject]) -> Table:
    columns = ["optimiser", "first weights", "rate", "p (n)", "mean min Δ", "diverged"]
    return Table(
        title="Residual networks whose line rises, by learning rate",
        columns=columns,
        rows=[[*key, *_row(cell(bench, of))] for key, of in _cells(runs, True).items()],
    )


ITEMS = (
    Item(
        name="residual",
        id="L4",
        title="Residual networks",
        asks="Do batch normalisation and the kind of first weights matter in residual networks?",
        measure=residual,
        settings=("points", "threshold", "tolerance"),
        populations=("residual",),
        reported="Batch normalisation raises the share of runs that are not monotone; the "
        "table's cells could not be obtained.",
        claims=(
            Claim(
                id="L4a",
                text="Residual networks with batch normalisation are less often monotone",
                place="section 4, table of residual networks",
                test=Difference("share that is not monotone, with less without"),
            ),
        ),
    ),
)
