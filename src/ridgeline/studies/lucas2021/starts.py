"""L8: from initialisations that have nothing to do with the minimum."""

from collections.abc import Callable

from ridgeline.frame import Frame, mean
from ridgeline.frame.show import Curves, Summary, mean_sd, tidy
from ridgeline.paths import Line, Path
from ridgeline.state import capture
from ridgeline.studies.lucas2021.counting import judged, lines, runs
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "OTHERS", "first", "from_seed", "others_of", "unrelated"]

OTHERS = 1000
"""Added to the number of an unrelated initialisation: seeds that no run has."""


def first(bench: Bench, frame: Frame, count: str) -> Frame:
    """The first of the runs that count, as many as a setting says."""
    return frame.where(counts=True).head(bench.setting(count))


def unrelated(bench: Bench) -> Frame:
    """Lines to a minimum from other initialisations of the same network."""
    found = first(bench, runs(bench, "chosen"), "minima")
    starts = bench.setting("starts")
    others = found.each(start=lambda seed: others_of(seed, starts)).derive(
        profile=lambda run, start: bench.profile(run, from_seed(start))
    )
    own = lines(bench, found, told="their own start").derive(line="its own")
    leading = set(found.values("seed")[:1])
    every = judged(bench, others).derive(line=f"{starts} unrelated", other=True) + own
    return every.derive(drawn=lambda seed: seed in leading)


def others_of(seed: int, count: int) -> range:
    """Seeds of initialisations that no run has, for one minimum alone: none are shared.

    Args:
        seed: Of the run whose minimum it is.
        count: How many.
    """
    start = OTHERS + seed * count
    return range(start, start + count)


def from_seed(seed: int) -> Callable[[Subject], Path]:
    """The line from an initialisation of a seed to a run's end."""

    @versioned("from an initialisation", "1", seed=seed)
    def along(subject: Subject) -> Path:
        return Line(capture(subject.model(seed)), subject.final)

    return along


def _own(rows: Frame) -> Frame:
    return rows.where(line="its own")


def _others(rows: Frame) -> Frame:
    return rows.where(other=True)


ITEMS = (
    Item(
        name="unrelated-starts",
        id="L8",
        title="Unrelated initialisations",
        asks="Is the line monotone from an initialisation that training never had?",
        measure=unrelated,
        settings=("points", "minima", "starts", "threshold", "tolerance"),
        populations=("chosen",),
        reported="Figure 1: yes, for a ResNet-20.",
        show=(
            Curves(
                "unrelated-starts",
                "One minimum, unrelated initialisations",
                "Training loss and error; the first of the minima.",
                line="line",
                unit="lines",
                where={"drawn": True},
            ),
            Summary(
                "Lines to a minimum from unrelated initialisations",
                by={"run": "seed"},
                of={
                    "own monotone": lambda rows: tidy(bool(_own(rows)["falls"].all())),
                    "others monotone": lambda rows: int(_others(rows)["falls"].sum()),
                    "of": lambda rows: len(_others(rows)),
                    "own min Δ": lambda rows: f"{_own(rows)['rise'].max():.3g}",
                    "others'": lambda rows: mean_sd(_others(rows)["rise"]),
                },
                note="Mean ± standard deviation (initialisations), in nats. No two minima share an "
                "unrelated initialisation.",
            ),
        ),
        claims=(
            Claim(
                *("L8a", "Most lines from unrelated initialisations are monotone too", "figure 1"),
                mean(
                    *("falls", "share of initialisations whose line is monotone, by run"),
                    per="seed",
                    other=True,
                )
                > 0.5,
            ),
        ),
    ),
)
