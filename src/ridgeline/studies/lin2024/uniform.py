"""N8: how long the path is between minima drawn uniformly, by the teacher and the width."""

from typing import Any

import numpy as np

from ridgeline.frame import Frame, mean
from ridgeline.frame.show import Summary, Trend
from ridgeline.studies.lin2024.lengths import TEACHERS, exponents, rows_of
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item
from ridgeline.theory.minima import LAWS, ratio_limit

__all__ = ["ITEMS"]

FLAT = 0.05
"""Exponent of m up to which a length is said not to grow with it; ours."""


def uniform(bench: Bench) -> Frame:
    """Lengths by the teacher at the largest width, and by the width at one teacher."""
    rows, widths = [], bench.setting("widths")
    teachers = bench.setting("teachers")
    for i, law in enumerate(LAWS):
        bench.tell("laws", i, len(LAWS))
        for M in teachers:
            rows += [row | {"by": "M"} for row in rows_of(bench, law, M, widths[-1])]
        for m in widths:
            rows += [row | {"by": "m"} for row in rows_of(bench, law, TEACHERS, m)]
    limits = ", ".join(f"{ratio_limit(M, 1 / (M + 1)):.2f} (M = {M})" for M in (2, 4, 8, 64, 512))
    return (
        Frame.of(rows, cluster="pair")
        .derive(root=lambda ratio, M: ratio / np.sqrt(M))
        .noted(
            "Theorem 12 bounds the normalised geodesic distance (NGD) by a constant times the "
            "square root of M. Measured is the shortest path of two pieces, whose length is exact; "
            "pairs without one are left out and counted. Where types are uniform on 0..M "
            "(`with_zeros`) a third of the neurons of M = 2 is zero and a ninth of those of M = 8, "
            f"so that the root is reached late: as m grows NGD tends to {limits}."
        )
    )


def _uniform_claims() -> tuple[Claim, ...]:
    found = []
    for letters, law in zip(("ab", "cd", "ef"), LAWS, strict=True):
        asked = {"by": "M", "law": law}
        said = f"exponent of M, law `{law}`"
        fit = exponents("M", lambda ratio: ratio)

        def rows(frame: Frame, asked: Any = asked, fit: Any = fit) -> Frame:
            return fit(frame.where(**asked))

        for id, test, not_so in zip(
            letters,
            (mean("exponent", said, rows=rows) > 0.35, mean("exponent", said, rows=rows) < 0.65),
            ("slower", "faster"),
            strict=True,
        ):
            text = f"NGD grows like the square root of M, not {not_so} (`{law}`)"
            found.append(Claim(f"N8{id}", text, "theorem 12; thresholds are ours", test))

    def by_width(frame: Frame) -> Frame:
        return exponents("m", lambda ratio: ratio)(frame.where(by="m", law="types"))

    found.append(
        Claim(
            *("N8g", "It does not grow with m", "theorem 12; the threshold is ours"),
            mean("exponent", "exponent of m, law `types`", rows=by_width) < FLAT,
        )
    )
    return tuple(found)


ITEMS = (
    Item(
        name="uniform-lengths",
        id="N8",
        title="Length of the path between minima drawn uniformly",
        asks="Does the normalised distance grow like the square root of M, and not with m?",
        measure=uniform,
        settings=("pairs", "widths", "teachers"),
        reported="Proved: at most c √M with probability 1 - c' e^(-m).",
        show=(
            Trend(
                "uniform-by-teacher",
                "Length of the shortest two-piece path by the teacher",
                x=("M", "neurons of the teacher M"),
                y={"NGD": "ratio", "NGD / √M": "root"},
                unit="pair",
                line="law",
                log_x=True,
                where={"by": "M", "ratio": lambda ratio: ratio is not None},
            ),
            Trend(
                "uniform-by-width",
                f"Length of the shortest two-piece path by the width, M = {TEACHERS}",
                x=("m", "neurons m"),
                y={"NGD": "ratio"},
                unit="pair",
                line="law",
                log_x=True,
                where={"by": "m", "ratio": lambda ratio: ratio is not None},
            ),
            Summary(
                "Lengths of minima drawn uniformly",
                by={"law": "law", "M": "M", "m": "m"},
                of={
                    "pairs": len,
                    "without a path": lambda rows: sum(x is None for x in rows.values("ratio")),
                    "NGD": "ratio",
                    "NGD / √M": "root",
                },
                count=False,
            ),
        ),
        claims=_uniform_claims(),
    ),
)
