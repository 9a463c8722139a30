"""E5: wide networks are connected as they are, once outputs have their best temperature.

Not of the paper, but an answer to it: Ito et al. 2025, "Do we really need permutations?" (arXiv
2510.08023, known in summary). Between two networks logits shrink; the order of classes stays.
"""

from typing import Any

import numpy as np

from ridgeline.frame import Frame, correlation, mean
from ridgeline.frame.show import Summary, Trend
from ridgeline.measures import Array, Curve, barrier
from ridgeline.paths import Line
from ridgeline.repairs import calibrated
from ridgeline.studies.pairs import cells, of_learned, rows, width
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS"]


def tempered_widths(bench: Bench) -> Frame:
    """The barrier without any permutation, before and after calibration."""
    pairs = rows(cells(bench.runs("widths"), width))
    for units, group in pairs.by("at").items():
        bench.tell(f"width {units:g}", 0, len(group))
    points, widest = bench.setting("points"), max(pairs.values("at"))
    threshold = bench.setting("threshold")
    return pairs.derive(
        found=lambda pair: bench.kept(_calibrated, [pair.a, pair.b], points=points),
        before=lambda found: _height(found, "before"),
        after=lambda found: _height(found, "loss"),
        change=lambda before, after: after - before,
        judged=of_learned("after"),
        judged_change=of_learned("change"),
        halfway=lambda found: float(found["temperature"][np.argmin(abs(found["t"] - 0.5))]),
        ends=lambda found: float(found["temperature"][[0, -1]].mean()),
        wide=lambda at: at >= threshold,
        widest=lambda at: at == widest,
    ).noted(
        "The temperature is fitted on the test set itself at each position, ends included, "
        "so that a barrier compares like with like. The correlation with width is over those "
        f"from the interpolation threshold on, {threshold:g} units; what calibration does is "
        "asked of the widest alone."
    )


@versioned("calibrated line", "1")
def _calibrated(a: Subject, b: Subject, *, points: Any) -> dict[str, Any]:
    found = calibrated(Line(a.final, b.final), a.objective("test"), points=points)
    return {
        "t": found.t,
        "temperature": found.temperature,
        "loss": found.loss,
        "before": found.before,
    }


def _height(measured: dict[str, Array], name: str) -> float:
    return barrier(Curve.exact(measured["t"], measured[name])).height


ITEMS = (
    Item(
        name="temperature",
        id="E5",
        title="Temperature in place of permutation",
        asks="Are wide networks connected without permutation, outputs at their best temperature?",
        measure=tempered_widths,
        settings=("points", "threshold"),
        populations=("widths",),
        reported="Of Ito et al. 2025, known in summary: wide networks are connected without any "
        "permutation once their outputs are calibrated.",
        show=(
            Trend(
                "temperature",
                "Barriers without permutation, outputs at their best temperature",
                "Test loss over the chord. Mean over pairs of seeds that are sound everywhere, "
                "band of one sd.",
                x=("at", "hidden units"),
                y={
                    "test-loss barrier (nats)": {
                        "as they are": "before",
                        "best temperature": "after",
                    }
                },
                unit="group",
                log_x=True,
            ),
            Summary(
                "Test-loss barriers without permutation (nats)",
                by={"hidden units": "at"},
                of={
                    "barrier as they are": "before",
                    "barrier at the best temperature": "after",
                    "temperature halfway": "halfway",
                    "temperature of the ends": "ends",
                },
                note="Mean ± standard deviation over pairs (number of pairs).",
            ),
        ),
        claims=(
            Claim(
                *("E5a", "At its best temperature the barrier falls with width"),
                "our specification, 7.2, of Ito et al. 2025, known in summary",
                correlation(
                    "at",
                    "judged",
                    "width and calibrated test-loss barrier, from the threshold on",
                    cluster="group",
                    wide=True,
                )
                < 0,
                "derived",
            ),
            Claim(
                *("E5b", "Calibration lowers the barrier of the widest networks"),
                "our specification, 6.21, of Ito et al. 2025, known in summary",
                mean(
                    *("judged_change", "calibrated less plain test-loss barrier (nats)"),
                    widest=True,
                )
                < 0,
                "derived",
            ),
        ),
    ),
)
