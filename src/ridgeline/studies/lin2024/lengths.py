"""Lengths of shortest paths between minima, a row a pair, and fitted exponents."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ridgeline.frame import Frame
from ridgeline.studies.lin2024.streams import generator
from ridgeline.study.bench import Bench
from ridgeline.study.keys import versioned
from ridgeline.theory.minima import (
    draw,
    least_ratio,
    two_piece,
)

__all__ = ["TEACHERS", "exponents", "rows_of"]

TEACHERS = 4


@versioned("lengths of two-piece paths", "1")
def _lengths(*, law: str | float, teachers: int, neurons: int, pairs: int) -> dict[str, Any]:
    rng = generator("lengths", law, teachers, neurons)
    a, b = (
        draw(law, teachers=teachers, neurons=neurons, size=pairs, rng=rng)  # type: ignore[arg-type]  # a name of LAWS
        for _ in range(2)
    )
    clash = (a.types != b.types) & (a.types > 0) & (b.types > 0)
    return {
        "ratio": two_piece(a, b).ratio,
        "least": least_ratio(a, b),
        "clash": clash.mean(-1),
    }


def rows_of(bench: Bench, law: str | float, M: int, m: int) -> list[dict[str, Any]]:
    """Pairs of one setting, a row each; the ratio is missing where there is no such path."""
    pairs = int(bench.setting("pairs"))
    found = bench.kept(_lengths, [], law=law, teachers=int(M), neurons=int(m), pairs=pairs)
    label = law if isinstance(law, str) else f"r = {law:g}"
    return [
        {
            "law": label,
            "M": int(M),
            "m": int(m),
            "pair": i,
            "ratio": ratio if np.isfinite(ratio) else None,
        }
        | {"least": float(found["least"][i]), "clash": float(found["clash"][i])}
        for i, ratio in enumerate(map(float, found["ratio"]))
    ]


def _present(ratio: float) -> float | None:
    return ratio if np.isfinite(ratio) else None


def exponents(x: str, value: Callable[..., float], unit: str = "pair") -> Callable[[Frame], Frame]:
    """Make rows of fitted exponents: a least-squares line in logarithms for each unit.

    Args:
        x: The column of settings, fitted against.
        value: Of a row, by its columns; positive.
        unit: The column that names what recurs; one that lacks a setting is left out.
    """

    def fitted(frame: Frame) -> Frame:
        made = frame.derive(value=value)
        made = made.where(value=lambda v: v is not None and v > 0)
        rows = []
        settings = set(frame.values(x))
        for name, group in made.by(unit).items():
            if set(group.values(x)) == settings:
                slope = np.polyfit(np.log(group[x]), np.log(group["value"]), 1)[0]
                rows.append({unit: name, "exponent": float(slope)})
        return Frame.of(rows) if rows else Frame({unit: (), "exponent": ()})

    return fitted
