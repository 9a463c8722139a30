"""N1: minima by their types, and the lines between them."""

import numpy as np

from ridgeline.charts import Mark, Panel, Panels, Series
from ridgeline.frame import Frame, every
from ridgeline.frame.show import Summary
from ridgeline.studies.lin2024.streams import generator
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item
from ridgeline.theory.minima import LAWS, Minima, adjacent, draw, risk

__all__ = ["ITEMS"]

ZERO = 1e-12
"""Of a risk: rounding of sums of a few dozen neurons is below 1e-15."""
SIZES = ((2, 4, 2), (2, 6, 3), (3, 6, 4), (4, 9, 4))
"""M, m and the dimension of inputs."""


def minima(bench: Bench) -> Frame:
    """Risks of minima, of what is nearly one, and half-way between two."""
    rows, draws = [], int(bench.setting("pairs"))
    for M, m, d in SIZES:
        for law in (*LAWS, 0.5):
            rng = generator("minima", M, m, law)
            a, b = (draw(law, teachers=M, neurons=m, size=draws, rng=rng) for _ in range(2))
            lines = adjacent(a.types, b.types)
            one, other = a.weights(d), b.weights(d)
            found = {
                "minimum": np.abs(risk(one, M)),
                "spoiled": risk(_spoiled(a, d), M),
                "halfway": np.abs(risk(0.5 * (one + other), M)),
            }
            for i in range(draws):
                row = {name: float(values[i]) for name, values in found.items()}
                rows.append({"law": _law(law), "M": M, "m": m, "line": bool(lines[i]), **row})
    return Frame.of(rows).derive(
        minimal=lambda minimum: minimum < ZERO,
        raised=lambda spoiled: spoiled > ZERO,
        right=lambda line, halfway: line == (halfway < ZERO),
    )


def _law(law: str | float) -> str:
    return law if isinstance(law, str) else f"sparse, r = {law:g}"


def _spoiled(minima: Minima, dimension: int) -> np.ndarray:
    """Weights with the sums of a minimum: its first neurons of types 1 and 2 exchange a share."""
    weights, rows = minima.weights(dimension), np.arange(len(minima.types))
    first, second = ((minima.types == j).argmax(-1) for j in (1, 2))
    share = 0.5 * np.minimum(minima.sizes[rows, first], minima.sizes[rows, second])
    for neuron, own, other in ((first, 0, 1), (second, 1, 0)):
        weights[rows, neuron, own] -= share
        weights[rows, neuron, other] += share
    return weights


def _risks(frame: Frame) -> Panels:
    kinds = {
        "minimum": frame["minimum"],
        "same sums, two neurons of two types": frame["spoiled"],
        "half-way, lemma 7 says a line": frame.where(line=True)["halfway"],
        "half-way, lemma 7 says none": frame.where(line=False)["halfway"],
    }
    series = [
        Series(label=label, x=np.sort(np.maximum(of, 1e-18)), y=np.linspace(0, 1, len(of)))
        for label, of in kinds.items()
    ]
    panel = Panel(
        x="risk over the sphere (at least 1e-18)",
        y="share of what was drawn",
        series=series,
        log_x=True,
        marks=(Mark(ZERO, "taken for zero"),),
    )
    counts = ", ".join(f"{len(of)} ({label})" for label, of in kinds.items())
    return Panels(
        name="risks",
        title="Theorem 6 and lemma 7 say where the risk is zero",
        caption=f"Distribution of the exact risk; drawn: {counts}.",
        panels=[panel],
    )


ITEMS = (
    Item(
        name="minima",
        id="N1",
        title="Minima by their types",
        asks="Are the minima those of theorem 6, and do types decide which lines stay at zero?",
        measure=minima,
        settings=("pairs",),
        reported="Proved: theorem 6 and lemma 7.",
        show=(
            _risks,
            Summary(
                "Minima and lines",
                by={"law": "law", "M": "M", "m": "m"},
                of={
                    "pairs": len,
                    "on a line": lambda rows: f"{rows['line'].mean():.2f}",
                    "largest risk of a minimum": lambda rows: f"{rows['minimum'].max():.1e}",
                    "least risk of a spoiled one": lambda rows: f"{rows['spoiled'].min():.1e}",
                },
            ),
        ),
        claims=(
            Claim(
                *("N1a", "What theorem 6 describes has no risk", "theorem 6"),
                every("minimal", f"the exact risk is below {ZERO:g}"),
            ),
            Claim(
                *("N1b", "With the same sums but a neuron of two types it has", "theorem 6"),
                every("raised", f"the exact risk is above {ZERO:g}"),
            ),
            Claim(
                *("N1c", "Types decide if the line between two minima has any", "lemma 7"),
                every("right", "lemma 7 says what the risk half-way is"),
            ),
        ),
    ),
)
