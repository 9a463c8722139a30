"""N4 and N5: stars of linear networks, and a pair of them without a chain of two."""

from typing import Any

import numpy as np
from scipy.optimize import minimize

from ridgeline.charts import Mark, Panel, Panels, Series
from ridgeline.frame import Frame, every
from ridgeline.frame.show import Scatter, Summary
from ridgeline.studies.lin2024.streams import generator
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item
from ridgeline.theory.deep_linear import arm_errors, draw_networks, linear_centre, summed_loss

__all__ = ["ITEMS"]

EXACT = 1e-9
"""Of a product along an arm, whose entries are of order 1."""
NEAR = 1e-6
LEAST = 4 / 15
"""Lemma 17's bound, over E x^2."""


def stars(bench: Bench) -> Frame:
    """Distances by which products stray along the arms of constructed centres."""
    rows = []
    for L, r, d in bench.setting("networks"):
        for more in bench.setting("above"):
            for draw in range(int(bench.setting("repeats"))):
                rng = generator("linear", L, r, d, more, draw)
                target, width = rng.standard_normal((1, d)), 1 + r * (L - 1) + more
                feet = draw_networks(depth=L, width=width, target=target, count=r, rng=rng)
                centre = linear_centre(feet, target, rng)
                off = float(arm_errors(centre, feet, target).max())
                label = f"L = {L}, r = {r}, d = {d}"
                rows.append({"shape": label, "more": more, "width": width, "off": off})
    return Frame.of(rows).derive(
        exact=lambda off: off < EXACT,
        strays=lambda off: off >= EXACT,
        drawn=lambda off: max(off, 1e-17),
    )


def lemma_17(bench: Bench) -> Frame:
    """Random centres, and the best that a minimiser finds, for the pair of lemma 17."""
    rows = []
    for draw in range(int(bench.setting("searches"))):
        rng = generator("lemma 17", draw)
        first, last = rng.standard_normal((2, 10_000, 4))
        last /= (first * last).sum(-1, keepdims=True)
        losses = summed_loss(first, last)
        found = minimize(
            lambda z: summed_loss(z[:4], z[4:]),
            np.concatenate((first[0], last[0] / np.linalg.norm(last[0]))),
            method="SLSQP",
            constraints={"type": "eq", "fun": lambda z: z[:4] @ z[4:] - 1},
            options={"ftol": 1e-14, "maxiter": 1000},
        )
        rows.append(
            {"least": float(losses.min()), "reached": float(found.fun)}
            | {"s": first[:200, 0] + last[:200, 0], "losses": losses[:200]}
        )
    return (
        Frame.of(rows)
        .derive(
            above=lambda least, reached: min(least, reached) >= LEAST - NEAR,
            attained=lambda reached: abs(reached - LEAST) < NEAR,
        )
        .noted(
            "The centre is a minimum itself, as a chain asks. One that need not be does better: "
            "1/6 at a product of 5/2 in place of 1 [derived]."
        )
    )


def _parabola(frame: Frame) -> Panels:
    s = np.linspace(-3, 3, 121)
    one = next(iter(frame))
    inside = np.abs(one["s"]) <= 3
    panel = Panel(
        x="s: first entries of the centre's two layers, summed",
        y="loss summed over both arms, over E x²",
        series=[
            Series(label="closed form", x=s, y=((s - 2) ** 2 + (s + 2) ** 2) / 30),
            Series(label="random minima", x=one["s"][inside], y=one["losses"][inside], points=True),
        ],
        marks=(Mark(LEAST, "4/15", "y"),),
    )
    return Panels(
        name="lemma-17",
        title="No centre of the pair of lemma 17 is below 4/15, and one is at it",
        caption=f"{int(inside.sum())} random minima of 4 hidden units as centres.",
        panels=[panel],
    )


def claim(id: str, text: str, place: str, test: Any, source: Any = "paper") -> Claim:
    """A claim of this page."""
    return Claim(id, text, place, test, source)


ITEMS = (
    Item(
        name="linear-stars",
        id="N4",
        title="Stars of linear networks",
        asks="Are linear networks of width above 1 + r (L - 1) the feet of a star?",
        measure=stars,
        settings=("networks", "above", "repeats"),
        reported="Proved: r minima almost surely, if m > 1 + r (L - 1).",
        show=(
            Scatter(
                "linear-stars",
                "Products along the arms of constructed centres",
                x=("more", "width above 1 + r (L - 1)"),
                y={"largest deviation from the target": "drawn"},
                line="shape",
                log_y=True,
            ),
            Summary(
                "Arms of linear networks",
                by={"networks": "shape", "width above 1 + r (L - 1)": "more"},
                of={
                    "stars": len,
                    "largest deviation": lambda rows: f"{rows['off'].max():.1e}",
                    "least": lambda rows: f"{rows['off'].min():.1e}",
                },
                note="L layers, r feet, inputs of dimension d. The centre solves linear equations.",
            ),
        ),
        claims=(
            claim(
                *("N4a", "Wider than 1 + r (L - 1) they have a centre", "theorem 18"),
                every("exact", f"arms are exact to {EXACT:g}", more=lambda more: more > 0),
            ),
            claim(
                *("N4b", "At that width they have one already", "our construction"),
                every("exact", f"arms are exact to {EXACT:g}", more=0),
                "derived",
            ),
            claim(
                *("N4c", "Below it the construction fails", "our construction"),
                every("strays", f"an arm strays by {EXACT:g} or more", more=lambda more: more < 0),
                "derived",
            ),
        ),
    ),
    Item(
        name="lemma-17",
        id="N5",
        title="A pair of linear networks without a chain of two",
        asks="How near does a path of two pieces come, and is the infimum attained?",
        measure=lemma_17,
        settings=("searches",),
        reported="Proved: the loss summed over both pieces is at least 4/15 E x².",
        show=(_parabola,),
        claims=(
            claim(
                *("N5a", "No centre is below 4/15", "lemma 17"),
                every("above", f"neither random nor best centres are below 4/15 by {NEAR:g}"),
            ),
            claim(
                *("N5b", "A centre attains it", "our closed form"),
                every("attained", f"the minimiser ends within {NEAR:g} of 4/15"),
                "derived",
            ),
        ),
    ),
)
