"""G1: the line from initialisation to solution, by activation and by kind of network."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from ridgeline.charts import Mark, Panel, Panels, Series
from ridgeline.frame import Frame, mean, share
from ridgeline.frame.show import POSITION, Curves, Show, Summary
from ridgeline.measures import Array, convexity
from ridgeline.profiles import Profile
from ridgeline.studies.common import half, rise
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "beyond", "least_at"]

SMOOTH = 0.01
"""Nats: a rise of the training loss up to this is no obstacle."""
FINE = 20
"""Positions a unit of t where the line goes on beyond its ends."""
OUTSIDE = 0.25
"""Reach beyond the ends, on each side."""
KINDS = {"convolutional": "conv", "LSTM": "lstm"}
OURS = "tanh"
"""In place of the paper's maxout."""


def beyond() -> Array:
    """Positions from -0.25 to 1.25, with 0 and 1 exactly among them."""
    margin = round(OUTSIDE * FINE)
    return np.arange(-margin, FINE + margin + 1) / FINE


def least_at(outside: Profile) -> float:
    """The position of the least training loss, beyond the ends as well."""
    return float(outside.t[np.argmin(outside.curve().mean)])


def activations(bench: Bench) -> Frame:
    """Fully connected networks of three activations, on the line and a quarter beyond it."""
    return _measured(bench, bench.frame("activations", kind="net.activation"))


def other_networks(bench: Bench) -> Frame:
    """A convolutional network and an LSTM."""
    return _measured(bench, bench.frame(KINDS).derive(kind=lambda population: population))


def _measured(bench: Bench, runs: Frame) -> Frame:
    """Curves on the line, training and test; and beyond its ends, training alone."""
    lines = bench.lines(runs, splits=("train", "test"))
    lines = bench.lines(lines, into="outside", told="beyond", points=beyond(), extrapolate=True)
    return lines.derive(
        rise=rise,
        falls=lambda rise: rise <= SMOOTH,
        tested=lambda profile: profile.monotonicity(split="test").largest_rise,
        below=lambda profile: convexity(profile.curve()).overall,
        convex=lambda profile: convexity(profile.curve()).local,
        half_loss=lambda profile: half(profile, "loss"),
        least=least_at,
        at_solution=lambda least: 0.9 <= least <= 1.1,
    )


# --- what both show --------------------------------------------------------------------------


def _shown(name: str, title: str, table: str, head: str) -> tuple[Show, ...]:
    line = f"{title} on the line from initialisation to solution"
    return (
        Curves(f"{name}-train", line, line="kind"),
        Curves(f"{name}-test", f"{line}, test", "Test loss and error.", line="kind", split="test"),
        _beyond(f"{name}-beyond", f"{title} on the line and beyond it"),
        Summary(
            table,
            by={head: "kind"},
            of={
                "largest rise, training": "rise",
                "largest rise, test": "tested",
                "share on or below the chord": "below",
                "share locally convex": "convex",
                "half loss at": "half_loss",
                "least loss at": "least",
            },
            note="Mean ± standard deviation over runs (number of runs). Rises in nats, positions "
            "in t.",
        ),
    )


def _beyond(name: str, title: str) -> Callable[[Frame], Panels]:
    """Draw the lines on a logarithmic axis, where the solution's depth can be seen."""

    def show(frame: Frame) -> Panels:
        series = []
        for label, group in frame.by("kind").items():
            profiles = cast(tuple[Profile, ...], group.values("outside"))
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
        counts = ", ".join(f"{len(group)} ({kind})" for kind, group in frame.by("kind").items())
        caption = f"Geometric mean over runs, band of one standard deviation; runs: {counts}."
        return Panels(name=name, title=title, caption=caption, panels=[panel])

    return show


def _convex(id: str, kind: str) -> Claim:
    asked = mean("convex", "share of the line that is locally convex", kind=kind, optional=True)
    text = f"The curve is approximately convex, {kind}"
    if kind == OURS:
        return Claim(id, text, "our specification, G1", asked > 0.9, "derived")
    return Claim(id, text, "results on MNIST", asked > 0.9)


def _at_solution(id: str, kind: str) -> Claim:
    said = "runs whose least loss lies at t from 0.9 to 1.1"
    asked = share("at_solution", said, kind=kind, optional=True)
    text = f"The solution is a minimum along the line extended beyond it, {kind}"
    if kind == OURS:
        return Claim(id, text, "our specification, G1", asked > 0.5, "derived")
    return Claim(id, text, "figures, as remembered", asked > 0.5, "memory")


def _no_obstacle(id: str, kind: str, words: str, place: str) -> Claim:
    asked: Any = mean("rise", "largest rise of the training loss (nats)", kind=kind)
    return Claim(id, f"No significant obstacle for a {words} network", place, asked < 0.05)


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
        show=_shown(
            "activations", "Networks of three activations", "Lines by activation", "activation"
        ),
        claims=(
            Claim(  # runs of one seed have a beginning in common, whatever their activation
                *("G1a", "The training loss falls all the way", "abstract"),
                share(
                    *("falls", "runs whose training loss rises by at most 0.01 nats"),
                    cluster="seed",
                )
                > 0.5,
            ),
            _convex("G1c", "sigmoid"),
            _convex("G1f", "relu"),
            _convex("G1g", "tanh"),
            _at_solution("G1d", "sigmoid"),
            _at_solution("G1e", "relu"),
            _at_solution("G1h", "tanh"),
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
        show=_shown(
            *("other-networks", "A convolutional network and an LSTM"),
            *("Lines by kind of network", "network"),
        ),
        claims=(
            _no_obstacle(
                *("G1ba", "convolutional", "convolutional"), "results on convolutional networks"
            ),
            _no_obstacle("G1bb", "LSTM", "recurrent", "results on recurrent networks"),
        ),
    ),
)
