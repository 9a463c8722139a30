"""G1: the line from initialisation to solution, by activation and by kind of network."""

from collections.abc import Mapping, Sequence

import numpy as np

from ridgeline.charts import Chart, Mark, Panel, Panels, Series, Table
from ridgeline.measures import Array, convexity
from ridgeline.profiles import Profile
from ridgeline.studies.common import POSITION, curves_chart, groups, half, mean_sd, rise, sound
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Mean, Share
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "beyond", "least_at"]

SMOOTH = 0.01
"""Nats: a rise of the training loss up to this is no obstacle."""
SPLITS = ("train", "test")
FINE = 20
"""Positions a unit of t where the line goes on beyond its ends."""
OUTSIDE = 0.25
"""How far it does, on each side."""


def beyond() -> Array:
    """Positions from -0.25 to 1.25, with 0 and 1 exactly among them."""
    margin = round(OUTSIDE * FINE)
    return np.arange(-margin, FINE + margin + 1) / FINE


def least_at(profile: Profile) -> float:
    """The position of the least training loss."""
    return float(profile.t[np.argmin(profile.curve().mean)])


# --- G1: activations -------------------------------------------------------------------------

CONVEX = {"sigmoid": "G1c", "relu": "G1f", "tanh": "G1g"}
AT_SOLUTION = {"sigmoid": "G1d", "relu": "G1e", "tanh": "G1h"}
"""Activation to claim; tanh is ours, in place of the paper's maxout."""


def activations(bench: Bench) -> Finding:
    """Fully connected networks of three activations, on the line and a quarter beyond it."""
    kinds = groups(sound(bench.runs("activations")), "net.activation")
    found, outside = _measured(bench, {str(k): runs for k, runs in kinds.items()})
    every = [p for profiles in found.values() for p in profiles]
    # Runs of one seed have a beginning in common, whatever their activation.
    seeds = [run.seed for runs in kinds.values() for run in runs]
    return Finding(
        charts=_charts("activations", "Networks of three activations", found, outside),
        tables=[_table("Lines by activation", "activation", found, outside)],
        cases={
            "G1a": {"is": [rise(p) <= SMOOTH for p in every], "group": seeds},
            **{
                CONVEX[k]: [convexity(p.curve()).local for p in profiles]
                for k, profiles in found.items()
                if k in CONVEX
            },
            **{
                AT_SOLUTION[k]: [0.9 <= least_at(p) <= 1.1 for p in profiles]
                for k, profiles in outside.items()
                if k in AT_SOLUTION
            },
        },
    )


# --- G1b: other networks ---------------------------------------------------------------------

KINDS = {"convolutional": "conv", "LSTM": "lstm"}


def other_networks(bench: Bench) -> Finding:
    """A convolutional network and an LSTM."""
    runs = {label: sound(bench.runs(population)) for label, population in KINDS.items()}
    found, outside = _measured(bench, runs)
    return Finding(
        charts=_charts("other-networks", "A convolutional network and an LSTM", found, outside),
        tables=[_table("Lines by kind of network", "network", found, outside)],
        cases={
            "G1ba": [rise(p) for p in found["convolutional"]],
            "G1bb": [rise(p) for p in found["LSTM"]],
        },
    )


# --- what both show --------------------------------------------------------------------------


def _measured(
    bench: Bench, runs: Mapping[str, Sequence[Subject]]
) -> tuple[dict[str, list[Profile]], dict[str, list[Profile]]]:
    """Curves of each group: on the line, training and test; beyond its ends, training alone."""
    found = {k: bench.profiles(group, told=k, splits=SPLITS) for k, group in runs.items()}
    outside = {
        k: bench.profiles(group, told=f"{k}, beyond", points=beyond(), extrapolate=True)
        for k, group in runs.items()
    }
    return found, outside


def _charts(
    name: str,
    title: str,
    found: Mapping[str, Sequence[Profile]],
    outside: Mapping[str, Sequence[Profile]],
) -> list[Chart]:
    line = f"{title} on the line from initialisation to solution"
    return [
        curves_chart(f"{name}-train", line, "Training loss and error.", found),
        curves_chart(f"{name}-test", f"{line}, test", "Test loss and error.", found, split="test"),
        _beyond(f"{name}-beyond", f"{title} on the line and beyond it", outside),
    ]


def _beyond(name: str, title: str, outside: Mapping[str, Sequence[Profile]]) -> Panels:
    """On a logarithmic axis, where the solution's depth can be seen."""
    series = []
    for label, profiles in outside.items():
        logs = np.log([p.curve().mean for p in profiles])
        middle, spread = logs.mean(0), logs.std(0)
        low, high = np.exp(middle - spread), np.exp(middle + spread)
        series.append(Series(label=label, x=beyond(), y=np.exp(middle), low=low, high=high))
    panel = Panel(
        x=POSITION,
        y="training loss (mean per sample)",
        series=series,
        log_y=True,
        marks=[Mark(0.0, "initialisation"), Mark(1.0, "solution")],
    )
    counts = ", ".join(f"{len(p)} ({label})" for label, p in outside.items())
    caption = f"Geometric mean over runs, band of one standard deviation; runs: {counts}."
    return Panels(name=name, title=title, caption=caption, panels=[panel])


def _table(
    title: str,
    first: str,
    found: Mapping[str, Sequence[Profile]],
    outside: Mapping[str, Sequence[Profile]],
) -> Table:
    rows = []
    for label, profiles in found.items():
        shapes = [convexity(p.curve()) for p in profiles]
        tested = [p.monotonicity(split="test").largest_rise for p in profiles]
        rows.append(
            [
                label,
                mean_sd(rise(p) for p in profiles),
                mean_sd(tested),
                mean_sd(shape.overall for shape in shapes),
                mean_sd(shape.local for shape in shapes),
                mean_sd(half(p, "loss") for p in profiles),
                mean_sd(least_at(p) for p in outside[label]),
            ]
        )
    columns = [
        *(first, "largest rise, training", "largest rise, test"),
        *("share on or below the chord", "share locally convex", "half loss at", "least loss at"),
    ]
    note = "Mean ± standard deviation over runs (number of runs). Rises in nats, positions in t"
    return Table(title=title, columns=columns, rows=rows, note=f"{note}.")


def _convex(id: str, kind: str) -> Claim:
    ours = kind == "tanh"
    return Claim(
        id=id,
        text=f"The curve is approximately convex, {kind}",
        place="our specification, G1" if ours else "results on MNIST",
        source="derived" if ours else "paper",
        test=Mean("share of the line that is locally convex", "above", 0.9),
    )


def _at_solution(id: str, kind: str) -> Claim:
    ours = kind == "tanh"
    return Claim(
        id=id,
        text=f"The solution is a minimum along the line extended beyond it, {kind}",
        place="our specification, G1" if ours else "figures, as remembered",
        source="derived" if ours else "memory",
        test=Share("runs whose least loss lies at t from 0.9 to 1.1", "above", 0.5),
    )


ITEMS = (
    Item(
        name="activations",
        id="G1",
        title="From initialisation to solution",
        asks="Is there any obstacle on the line from the initialisation to the solution?",
        measure=activations,
        settings=("points",),
        populations=("activations",),
        reported="MNIST networks of sigmoid, ReLU and maxout units: the loss falls monotonically "
        "and is approximately convex. Training never meets a significant obstacle.",
        claims=(
            Claim(
                id="G1a",
                text="The training loss falls all the way",
                place="abstract",
                test=Share("runs whose training loss rises by at most 0.01 nats", "above", 0.5),
            ),
            *(_convex(id, kind) for kind, id in CONVEX.items()),
            *(_at_solution(id, kind) for kind, id in AT_SOLUTION.items()),
        ),
    ),
    Item(
        name="other-networks",
        id="G1b",
        title="Other kinds of networks",
        asks="Is it so with convolutions and with recurrence?",
        measure=other_networks,
        settings=("points",),
        populations=("conv", "lstm"),
        reported="Convolutional maxout networks on CIFAR-10 and an LSTM language model look the "
        "same; small deviations near the ends are remembered for both.",
        claims=(
            Claim(
                id="G1ba",
                text="No significant obstacle for a convolutional network",
                place="results on convolutional networks",
                test=Mean("largest rise of the training loss (nats)", "below", 0.05),
            ),
            Claim(
                id="G1bb",
                text="No significant obstacle for a recurrent network",
                place="results on recurrent networks",
                test=Mean("largest rise of the training loss (nats)", "below", 0.05),
            ),
        ),
    ),
)
