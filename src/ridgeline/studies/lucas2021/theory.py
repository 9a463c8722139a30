"""L13: what is proved of wide networks and of two-layer linear ones."""

from ridgeline.frame import Frame, correlation, every
from ridgeline.frame.show import Lines, Scatter, Summary
from ridgeline.studies.lucas2021.counting import bent, rise
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "ROUNDING", "linear", "width"]

ROUNDING = 1e-5
"""Of a rise, as a share of the first loss: outputs are computed in float32."""


def width(bench: Bench) -> Frame:
    """Gauss length against the width of the hidden layers."""
    found = bench.frame(
        "sizes", size=lambda run: int(run.at("net.widths")[1]), loss=lambda run: run.loss
    )
    lines = bench.lines(found).derive(rise=rise, counts=True, what="runs")
    return bent(bench, lines, "ad", "turning")


def linear(bench: Bench) -> Frame:
    """Two-layer linear networks from small first weights, at several ranks of the target."""
    lines = bench.lines(bench.frame("linear", data="data.set", loss=lambda run: run.loss))
    return lines.derive(
        t=lambda profile: profile.t,
        curve=lambda profile: profile.curve().mean,
        relative=lambda profile, curve: rise(profile) / float(curve[0]),
        monotone=lambda relative: relative <= ROUNDING,
        rank=lambda data: f"rank {data.rpartition('rank=')[2].strip(' )')}",
    )


def _shorter(id: str, method: str) -> Claim:
    asked = correlation("size", method, "width and Gauss length", cluster="seed")
    text = f"The wider a network, the smaller its Gauss length ({method})"
    return Claim(id, text, "theory, wide networks", asked < 0, "derived")


ITEMS = (
    Item(
        name="width",
        id="L13",
        title="Wide networks",
        asks="Do the outputs of wider networks bend less?",
        measure=width,
        settings=("points", "samples"),
        populations=("sizes",),
        reported="Networks in the linear regime have a Gauss length of zero.",
        show=(
            Scatter(
                "length-by-width",
                "Gauss length by width",
                "The two ways are not compared.",
                x=("size", "width of hidden layers"),
                y={f"Gauss length, {method} (rad)": method for method in ("ad", "turning")},
                line="what",
                log_x=True,
            ),
            Summary(
                "Gauss length by width",
                by={"width": "size"},
                of={
                    "length, ad": "ad",
                    "length, turning": "turning",
                    "final loss": "loss",
                    "min Δ": "rise",
                },
                note="Mean ± standard deviation (runs).",
            ),
        ),
        claims=(_shorter("L13a", "ad"), _shorter("L13b", "turning")),
    ),
    Item(
        name="linear",
        id="L13",
        title="Two-layer linear networks",
        asks="Are two-layer linear networks from small first weights monotone?",
        measure=linear,
        settings=("points",),
        populations=("linear",),
        reported="Proved.",
        show=(
            Lines(
                "linear",
                "Two-layer linear networks from small first weights",
                "Squared error on the line, one line a run.",
                y=("curve", "squared error"),
                line="rank",
            ),
            Summary(
                "Two-layer linear networks",
                by={"target": "rank"},
                of={
                    "runs": len,
                    "final loss": "loss",
                    "largest min Δ / L(0)": lambda rows: f"{rows['relative'].max():.3g}",
                },
            ),
        ),
        claims=(
            Claim(
                *("L13c", "Two-layer linear networks from small first weights are monotone"),
                "theorem on two-layer linear networks",
                every("monotone", f"min Δ is at most {ROUNDING:g} L(0)"),
            ),
        ),
    ),
)
