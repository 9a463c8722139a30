"""W7, W8 and W10: the network of homogeneous weights as a gradient flow, and hardness."""

from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.errors import UsageError
from ridgeline.frame import Frame, correlation, every, mean, share
from ridgeline.frame.show import POSITION, Summary
from ridgeline.measures import plateau
from ridgeline.studies.wang2023.homogeneous import HomogeneousFlow
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.theory import IllConditioned, ScalarChain

__all__ = ["ITEMS"]

POINTS = 201
EARLY = 2
"""Classes whose time of learning is predicted: later ones feel the biases."""
LEVEL = 0.01
"""The loss plateau of the flow: the share of the line within this share of log k."""


@versioned("homogeneous flow", "1")
def _flow(*, classes: int, degree: int, scale: float, seed: int) -> dict[str, Any]:
    flow = HomogeneousFlow(classes=classes, degree=degree, scale=scale, seed=seed).run()
    uniform, even = flow.profile(POINTS), flow.profile(POINTS, homogeneous=True)
    biases = flow.end[1]
    return {
        "finished": np.array(flow.finished),
        "seed": np.array(seed),
        "times": flow.times,
        "weights": np.diagonal(flow.weights, axis1=1, axis2=2),
        "biases": flow.biases,
        "learned": flow.learned.learned,
        "predicted": flow.predicted_times(),
        "hit": np.array(flow.learned.last_has_largest(biases)),
        "correlation": np.array(flow.learned.correlation(biases)),
        "end": np.array(plateau(uniform["error"]).end),
        "even": np.array(plateau(even["error"]).end),
        "loss": np.array((uniform["loss"].mean >= (1 - LEVEL) * np.log(classes)).mean()),
        "leaves": np.array(flow.predicted_end()),
    }


def _flows(bench: Bench, what: str, seeds: int, degree: int, scale: float) -> Frame:
    """Flows of four classes and several seeds, a row each; those that reached their loss."""
    rows = []
    for seed in range(seeds):
        bench.tell(what, seed, seeds)
        found = bench.kept(_flow, [], classes=4, degree=degree, scale=scale, seed=seed)
        plain = {name: of if of.ndim else of.item() for name, of in found.items()}
        rows.append({"degree": degree, "scale": scale, **plain})
    return Frame.of(rows, cluster="seed").where(finished=True)


# --- W7: one flow, seen in time --------------------------------------------------------------


def flow(bench: Bench) -> Frame:
    """Weights and biases over time, and who is learned last."""
    seeds = bench.setting("flow_seeds")
    found = _flows(bench, "flows", seeds, 4, 0.1)
    if not len(found):
        raise UsageError("A flow must reach its loss to be shown.", got=f"none of {seeds}")
    return found.derive(
        early=lambda learned: np.argsort(learned)[:EARLY],
        off=lambda predicted, learned, early: float(
            np.abs(predicted[early] / learned[early] - 1).mean()
        ),
        balanced=lambda biases: bool(np.abs(biases.sum(1)).max() < 1e-9),
    ).noted(f"{len(found)} of {seeds} flows reached a loss of 0.01; the others are left out.")


def _in_time(frame: Frame) -> Panels:
    one = next(iter(frame))
    time = one["times"][1:]

    def panel(what: str, values: Any) -> Panel:
        series = [
            Series(label=f"class {c + 1}", x=time, y=values[1:, c]) for c in range(values.shape[1])
        ]
        return Panel(x="time of the flow", y=what, series=series, log_x=True)

    return Panels(
        name="flow",
        title="Classes are learned one after another",
        caption="Four classes, degree 4, start of scale 0.1, the first seed that reached a loss of "
        "0.01.",
        panels=[
            panel("weight of a class on itself", one["weights"]),
            panel("bias of a class", one["biases"]),
        ],
    )


# --- W8: degree and scale --------------------------------------------------------------------


def degree_and_scale(bench: Bench) -> Frame:
    """The plateau by degree and by the scale of the start, at both rates."""
    seeds = bench.setting("grid_seeds")
    found = Frame(cluster="seed")  # a seed is the same start in every cell
    for degree, scale in bench.setting("flow_grid"):
        found += _flows(bench, f"degree {degree}, scale {scale:g}", seeds, degree, scale)
    same, steep = bench.setting("flow_scale"), bench.setting("flow_degree")
    return found.derive(
        by_degree=lambda scale: scale == same,
        by_scale=lambda degree: degree == steep,
        gain=lambda end, even: end - even,
        off=lambda end, leaves: abs(end - leaves),
    )


def _ends(frame: Frame) -> Panels:
    drawn = (("uniform rates", "end"), ("homogeneous biases", "even"), ("predicted", "leaves"))
    series = [
        Series(label=label, x=frame["degree"], y=frame[column], points=True, dash=dash)
        for dash, (label, column) in enumerate(drawn)
    ]
    return Panels(
        name="degree-and-scale",
        title="The plateau of the homogeneous-weight network",
        caption=f"Four classes; one point a flow and path, {len(frame)} flows over the degrees and "
        "scales of the table.",
        panels=[Panel(x="degree", y="error plateau ends (t)", series=series)],
    )


# --- W10: hardness ---------------------------------------------------------------------------


def hardness(bench: Bench) -> Frame:
    """Easy problems with plateaus, and a hard one without."""
    rows: list[dict[str, Any]] = []
    for degree, start in [(2, 0.5), (5, 0.5), (10, 0.5), (20, 0.7)]:
        bench.tell("chains", len(rows), 4)
        chain = ScalarChain(degree, start)
        rows.append(
            {"problem": f"w^{degree} = 1 from {start:g}", "label": f"w^{degree} = 1 from {start:g}"}
            | {"until": f"time {chain.time():.3g}", "quick": chain.time() < 10, "hard": False}
            | {"shape": chain.plateau(), "curve": chain.curve(POINTS)}
        )
    hard = IllConditioned(1e6)
    rows.append(
        {"problem": "quadratic of condition 1e6", "label": "quadratic", "hard": True}
        | {"until": f"{hard.steps():,} steps", "quick": False}
        | {"shape": hard.plateau(), "curve": hard.curve(POINTS)}
    )
    flat = hard.plateau().end
    return (
        Frame.of(rows)
        .derive(
            end=lambda shape: shape.end,
            half=lambda shape: shape.half,
            longer=lambda end, quick: bool(end > flat and quick),
        )
        .noted(
            "The constructions are ours; those of the paper's appendix A were not available. They "
            "are no sample of anything: the interval is that of any four cases out of four."
        )
    )


def _chains(frame: Frame) -> Panels:
    series = [
        Series(label=row["label"], x=row["curve"].t, y=2 * row["curve"].mean, dash=int(row["hard"]))
        for row in frame
    ]
    return Panels(
        name="hardness",
        title="Easy with a plateau, hard without",
        caption="Chains of equal scalar weights, learned within a few units of time, and a "
        "quadratic that takes millions of steps.",
        panels=[Panel(x=POSITION, y="loss / L(0), up to the start", series=series)],
    )


def _problems(frame: Frame) -> Table:
    return Table(
        title="Hardness and shape",
        columns=["problem", "until loss 0.01", "plateau ends", "half at"],
        rows=[[row[name] for name in ("problem", "until", "end", "half")] for row in frame],
        note="Gradient flow for the chains, gradient descent at one over the largest curvature for "
        "the quadratic.",
    )


ITEMS = (
    Item(
        name="flow",
        id="W7",
        title="The homogeneous-weight network in time",
        asks="Which class is learned last, and whose bias is largest?",
        measure=flow,
        settings=("flow_seeds",),
        reported="Figure 3 shows the weights and biases of four classes over time; theorem 2: the "
        "class learned last has the largest bias.",
        show=(_in_time,),
        claims=(
            Claim(
                *("W7a", "The class learned last has the largest bias", "theorem 2"),
                share("hit", "flows whose last class has the largest bias") > 0.75,
            ),
            Claim(
                *("W7b", "Biases sum to zero all the time", "our specification 3.4"),
                every("balanced", "the biases' sum stays below 1e-9"),
                "derived",
            ),
            Claim(
                *("W7c", "The first two classes are learned when the formula says, within a tenth"),
                "our specification 3.4",
                mean("off", "relative error of the predicted time, first two classes") < 0.1,
                "derived",
            ),
        ),
    ),
    Item(
        name="degree-and-scale",
        id="W8",
        title="The plateau by degree and scale of the start",
        asks="How does the plateau of the homogeneous-weight network grow?",
        measure=degree_and_scale,
        settings=("grid_seeds", "flow_grid", "flow_scale", "flow_degree"),
        reported="Plateaus are longer for deeper networks and smaller starts.",
        show=(
            _ends,
            Summary(
                "By degree and scale",
                by={"degree": "degree", "scale": "scale"},
                of={
                    "error plateau ends": "end",
                    "with homogeneous biases": "even",
                    "predicted end": "leaves",
                    "loss plateau, share of the line": "loss",
                    "last class has the largest bias": lambda rows: (
                        f"{int(rows['hit'].sum())} of {len(rows)}"
                    ),
                },
            ),
        ),
        claims=(
            Claim(
                *("W8a", "The error plateau is longer at higher degree", "theorem 1"),
                correlation(
                    *("degree", "end", "degree and end of the error plateau"),
                    cluster="seed",
                    by_degree=True,
                )
                > 0,
            ),
            Claim(
                *("W8b", "The loss plateau is longer from a smaller start", "theorem 1"),
                correlation(
                    *("scale", "loss", "scale of the start and share of the loss plateau"),
                    cluster="seed",
                    by_scale=True,
                )
                < 0,
            ),
            Claim(
                *("W8c", "Homogeneous biases shorten the error plateau", "section 4"),
                mean("gain", "end of the plateau, uniform less homogeneous (t)", per="seed") > 0.2,
            ),
            Claim(
                *("W8d", "The plateau ends where the signal overtakes the biases"),
                "our specification 3.4",
                mean("off", "distance of the end from its prediction (t)", per="seed") < 0.05,
                "derived",
            ),
        ),
    ),
    Item(
        name="hardness",
        id="W10",
        title="The shape says nothing about hardness",
        asks="Is a problem with a plateau hard?",
        measure=hardness,
        settings=(),
        reported="Appendix A: the shape of the curve need not relate to how hard training is.",
        show=(_chains, _problems),
        claims=(
            Claim(
                *("W10", "Problems that are learned at once have longer plateaus than a hard one"),
                "appendix A, our constructions",
                every(
                    *("longer", "an easy chain with a longer plateau than the hard quadratic"),
                    needs=4,
                    hard=False,
                ),
                "derived",
            ),
        ),
    ),
)
