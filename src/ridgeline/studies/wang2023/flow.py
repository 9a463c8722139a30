"""W7, W8 and W10: the network of homogeneous weights as a gradient flow, and hardness."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ridgeline.charts import Panel, Panels, Series, Table
from ridgeline.errors import UsageError
from ridgeline.measures import Array, plateau
from ridgeline.studies.common import mean_sd
from ridgeline.studies.wang2023.homogeneous import HomogeneousFlow
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Correlation, Every, Mean, Share
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.theory import IllConditioned, ScalarChain

__all__ = ["ITEMS"]

POINTS = 201
EARLY = 2
"""Classes whose time of learning is predicted: later ones feel the biases."""
Found = dict[str, Array]
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


def _flows(
    bench: Bench, what: str, seeds: int, classes: int, degree: int, scale: float
) -> list[dict[str, Array]]:
    """Flows of several seeds; those that reached their loss."""
    found = []
    for seed in range(seeds):
        bench.tell(what, seed, seeds)
        asked = {"classes": classes, "degree": degree, "scale": scale}
        found.append(bench.kept(_flow, [], seed=seed, **asked))
    return [flow for flow in found if flow["finished"]]


# --- W7: one flow, seen in time --------------------------------------------------------------


def flow(bench: Bench) -> Finding:
    """Weights and biases over time, and who is learned last."""
    seeds = bench.setting("flow_seeds")
    found = _flows(bench, "flows", seeds, 4, 4, 0.1)
    if not found:
        raise UsageError("A flow must reach its loss to be shown.", got=f"none of {seeds}")
    one = found[0]
    time = one["times"][1:]

    def panel(what: str, values: Array) -> Panel:
        series = [
            Series(label=f"class {c + 1}", x=time, y=values[1:, c]) for c in range(values.shape[1])
        ]
        return Panel(x="time of the flow", y=what, series=series, log_x=True)

    early = [np.argsort(f["learned"])[:EARLY] for f in found]
    off = [
        float(np.abs(f["predicted"][e] / f["learned"][e] - 1).mean())
        for f, e in zip(found, early, strict=True)
    ]
    return Finding(
        charts=[
            Panels(
                name="flow",
                title="Classes are learned one after another",
                caption="Four classes, degree 4, start of scale 0.1, the first seed that reached "
                "a loss of 0.01.",
                panels=[
                    panel("weight of a class on itself", one["weights"]),
                    panel("bias of a class", one["biases"]),
                ],
            )
        ],
        cases={
            "W7a": [bool(f["hit"]) for f in found],
            "W7b": [bool(np.abs(f["biases"].sum(1)).max() < 1e-9) for f in found],
            "W7c": off,
        },
        words=[f"{len(found)} of {seeds} flows reached a loss of 0.01; the others are left out."],
    )


# --- W8: degree and scale --------------------------------------------------------------------


def degree_and_scale(bench: Bench) -> Finding:
    """The plateau by degree and by the scale of the start, at both rates."""
    seeds, cells = bench.setting("grid_seeds"), bench.setting("flow_grid")
    rows, every = [], []
    for degree, scale in cells:
        found = _flows(bench, f"degree {degree}, scale {scale:g}", seeds, 4, degree, scale)
        every += [(degree, scale, f) for f in found]  # a seed is the same start in every cell
        ends = [float(f["end"]) for f in found]
        rows.append(
            [
                degree,
                scale,
                mean_sd(ends),
                mean_sd(float(f["even"]) for f in found),
                mean_sd(float(f["leaves"]) for f in found),
                mean_sd(float(f["loss"]) for f in found),
                f"{sum(bool(f['hit']) for f in found)} of {len(found)}",
            ]
        )
    columns = [
        *("degree", "scale", "error plateau ends", "with homogeneous biases", "predicted end"),
        *("loss plateau, share of the line", "last class has the largest bias"),
    ]
    same = bench.setting("flow_scale")
    fixed = [(d, f) for d, s, f in every if s == same]
    steep = bench.setting("flow_degree")
    swept = [(s, f) for d, s, f in every if d == steep]
    series = [
        Series(
            label=label,
            x=[d for d, _, _ in every],
            y=[float(f[key]) for _, _, f in every],
            points=True,
            dash=dash,
        )
        for label, key, dash in (
            ("uniform rates", "end", 0),
            ("homogeneous biases", "even", 1),
            ("predicted", "leaves", 2),
        )
    ]
    return Finding(
        charts=[
            Panels(
                name="degree-and-scale",
                title="The plateau of the homogeneous-weight network",
                caption=f"Four classes; one point a flow and path, {len(every)} flows over the "
                "degrees and scales of the table.",
                panels=[Panel(x="degree", y="error plateau ends (t)", series=series)],
            )
        ],
        tables=[Table(title="By degree and scale", columns=columns, rows=rows)],
        cases={
            "W8a": _against(fixed, "end"),
            "W8b": _against(swept, "loss"),
            "W8c": _by_seed(every, lambda f: float(f["end"] - f["even"])),
            "W8d": _by_seed(every, lambda f: abs(float(f["end"] - f["leaves"]))),
        },
    )


def _against(found: Sequence[tuple[float, Found]], what: str) -> dict[str, list[float]]:
    return {
        "x": [x for x, _ in found],
        "y": [float(f[what]) for _, f in found],
        "group": [float(f["seed"]) for _, f in found],
    }


def _by_seed(
    found: Sequence[tuple[int, float, Found]], what: Callable[[Found], float]
) -> list[float]:
    """The mean over cells, for each seed."""
    seeds = dict.fromkeys(int(f["seed"]) for _, _, f in found)
    return [float(np.mean([what(f) for *_, f in found if f["seed"] == s])) for s in seeds]


# --- W10: hardness ---------------------------------------------------------------------------


def hardness(bench: Bench) -> Finding:
    """Easy problems with plateaus, and a hard one without."""
    easy = [(2, 0.5), (5, 0.5), (10, 0.5), (20, 0.7)]
    chains = [ScalarChain(degree, start) for degree, start in easy]
    hard = IllConditioned(1e6)
    named = {f"w^{c.degree} = 1 from {c.start:g}": c for c in chains}
    rows: list[Sequence[object]] = []
    series = []
    for i, (name, chain) in enumerate(named.items()):
        bench.tell("chains", i, len(named))
        shape, curve = chain.plateau(), chain.curve(POINTS)
        rows.append([name, f"time {chain.time():.3g}", shape.end, shape.half])
        series.append(Series(label=name, x=curve.t, y=2 * curve.mean))
    shape, curve = hard.plateau(), hard.curve(POINTS)
    rows.append(["quadratic of condition 1e6", f"{hard.steps():,} steps", shape.end, shape.half])
    series.append(Series(label="quadratic", x=curve.t, y=2 * curve.mean, dash=1))
    flat = hard.plateau().end
    panel = Panel(x="t (position on the line)", y="loss / L(0), up to the start", series=series)
    return Finding(
        charts=[
            Panels(
                name="hardness",
                title="Easy with a plateau, hard without",
                caption="Chains of equal scalar weights, learned within a few units of time, and a "
                "quadratic that takes millions of steps.",
                panels=[panel],
            )
        ],
        tables=[
            Table(
                title="Hardness and shape",
                columns=["problem", "until loss 0.01", "plateau ends", "half at"],
                rows=rows,
                note="Gradient flow for the chains, gradient descent at one over the largest "
                "curvature for the quadratic.",
            )
        ],
        cases={"W10": [c.plateau().end > flat and c.time() < 10 for c in chains]},
        words=[
            "The constructions are ours; those of the paper's appendix A were not available. They "
            "are no sample of anything: the interval is that of any four cases out of four."
        ],
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
        claims=(
            Claim(
                id="W7a",
                text="The class learned last has the largest bias",
                place="theorem 2",
                test=Share("flows whose last class has the largest bias", "above", 0.75),
            ),
            Claim(
                id="W7b",
                text="Biases sum to zero all the time",
                place="our specification 3.4",
                source="derived",
                test=Every("the biases' sum stays below 1e-9"),
            ),
            Claim(
                id="W7c",
                text="The first two classes are learned when the formula says, within a tenth",
                place="our specification 3.4",
                source="derived",
                test=Mean("relative error of the predicted time, first two classes", "below", 0.1),
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
        claims=(
            Claim(
                id="W8a",
                text="The error plateau is longer at higher degree",
                place="theorem 1",
                test=Correlation("degree and end of the error plateau"),
            ),
            Claim(
                id="W8b",
                text="The loss plateau is longer from a smaller start",
                place="theorem 1",
                test=Correlation("scale of the start and share of the loss plateau", "below"),
            ),
            Claim(
                id="W8c",
                text="Homogeneous biases shorten the error plateau",
                place="section 4",
                test=Mean("end of the plateau, uniform less homogeneous (t)", "above", 0.2),
            ),
            Claim(
                id="W8d",
                text="The plateau ends where the signal overtakes the biases",
                place="our specification 3.4",
                source="derived",
                test=Mean("distance of the end from its prediction (t)", "below", 0.05),
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
        claims=(
            Claim(
                id="W10",
                text="Problems that are learned at once have longer plateaus than a hard one",
                place="appendix A, our constructions",
                source="derived",
                test=Every("an easy chain with a longer plateau than the hard quadratic", needs=4),
            ),
        ),
    ),
)
