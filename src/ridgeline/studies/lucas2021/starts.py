"""L8: from initialisations that have nothing to do with the minimum."""

from ridgeline.charts import Panel, Panels, Series, Table, band
from ridgeline.paths import Line, Path
from ridgeline.profiles import Profile
from ridgeline.state import capture
from ridgeline.studies.common import POSITION, mean_sd
from ridgeline.studies.lucas2021.counting import falls, reached, rise
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Mean
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "OTHERS", "banded", "others_of", "unrelated"]

OTHERS = 1000
"""Added to the number of an unrelated initialisation: seeds that no run has."""


def unrelated(bench: Bench) -> Finding:
    """Lines to a minimum from other initialisations of the same network."""
    runs = reached(bench, bench.runs("chosen"))[: bench.setting("minima")]
    if not runs:
        return Finding(words=["No run reached the threshold."])
    starts = bench.setting("starts")
    own = bench.profiles(runs, told="their own start")
    found = [[_from(bench, run, seed) for seed in others_of(run.seed, starts)] for run in runs]
    rows = [
        [
            *(run.seed, falls(mine, bench), sum(falls(p, bench) for p in others), len(others)),
            *(f"{rise(mine):.3g}", mean_sd(rise(p) for p in others)),
        ]
        for run, mine, others in zip(runs, own, found, strict=True)
    ]
    return Finding(
        charts=[
            banded(
                "unrelated-starts",
                "One minimum, unrelated initialisations",
                f"Training loss and error; the first of {len(runs)} minima.",
                {f"{starts} unrelated": found[0], "its own": own[:1]},
            )
        ],
        tables=[
            Table(
                title="Lines to a minimum from unrelated initialisations",
                columns=["run", "own monotone", "others monotone", "of", "own min Δ", "others'"],
                rows=[[row[0], "yes" if row[1] else "no", *row[2:]] for row in rows],
                note="Mean ± standard deviation (initialisations), in nats. No two minima share an "
                "unrelated initialisation.",
            )
        ],
        cases={"L8a": [row[2] / row[3] for row in rows]},
    )


def others_of(seed: int, count: int) -> range:
    """Seeds of initialisations that no run has, for one minimum alone: none are shared.

    Args:
        seed: Of the run whose minimum it is.
        count: How many.
    """
    first = OTHERS + seed * count
    return range(first, first + count)


def _from(bench: Bench, run: Subject, seed: int) -> Profile:
    @versioned("from an initialisation", "1", seed=seed)
    def other(subject: Subject) -> Path:
        return Line(capture(subject.model(seed)), subject.final)

    return bench.profile(run, other)


def banded(name: str, title: str, caption: str, found: dict[str, list[Profile]]) -> Panels:
    """Loss and error, a band of one standard deviation for each group of lines."""
    panels = []
    for metric, unit in (("loss", "loss (nats)"), ("error", "error (share of samples)")):
        series: list[Series] = [
            band(label, lines[0].t, [p.curve(metric).mean for p in lines])
            for label, lines in found.items()
            if lines
        ]
        panels.append(Panel(x=POSITION, y=unit, series=series))
    counts = ", ".join(f"{len(lines)} ({label})" for label, lines in found.items())
    said = f"{caption} Mean and a band of one standard deviation; lines: {counts}."
    return Panels(name=name, title=title, caption=said, panels=panels)


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
        claims=(
            Claim(
                id="L8a",
                text="Most lines from unrelated initialisations are monotone too",
                place="figure 1",
                test=Mean("share of initialisations whose line is monotone, by run", "above", 0.5),
            ),
        ),
    ),
)
