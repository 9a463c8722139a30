"""The page of ``ridgeline demo``: four sections on two networks."""

from typing import TYPE_CHECKING

from ridgeline.numerals import plus_minus
from ridgeline.report.layers import layers_figure
from ridgeline.report.page import Card, Page, Section
from ridgeline.report.panels import profile_figure
from ridgeline.report.planes import surface_figure
from ridgeline.report.words import headline, measures_table, sentences

if TYPE_CHECKING:
    from ridgeline.profiles import Profile
    from ridgeline.studies.demo import Demo

__all__ = ["demo_page"]


def demo_page(found: "Demo", model: str) -> Page:
    """The whole story on one page: down, across, layer by layer, from above.

    Args:
        found: From `ridgeline.studies.demo`.
        model: What builds the network.
    """
    uniform, between = found.descent["uniform rates"], found.between
    sections = [
        Section(
            "From initialisation to minimum",
            text=[
                "The straight line from the state before training to the state after it, in the "
                "space of all weights. If the loss falls all the way, linear interpolation is "
                "monotone (Goodfellow et al. 2014; Lucas et al. 2021).",
                *_said(uniform),
                "With homogeneous biases the bias of layer l moves like t to the power l, in step "
                "with the signal that reaches it (Wang et al. 2023). The area under the training "
                f"error is {uniform.plateau(metric='error').area:.3f} at uniform rates and "
                f"{found.descent['homogeneous biases'].plateau(metric='error').area:.3f} with "
                "homogeneous biases.",
            ],
            figures=[
                profile_figure(
                    found.descent,
                    splits=("train",),
                    name="descent",
                    title="Initialisation to minimum",
                )
            ],
        ),
        Section(
            "From minimum to minimum",
            text=[
                "Two networks that differ only in their seeds, each at its minimum. The height by "
                "which the line between them rises above its chord is the barrier.",
                *_said(between),
            ],
            figures=[
                profile_figure(
                    {"minimum to minimum": between}, name="between", title="Minimum to minimum"
                )
            ],
            tables=[measures_table({**found.descent, "minimum to minimum": between})],
        ),
        Section(
            "Layer by layer",
            text=[
                "The same line with one layer moving and the others held at network a. A bar is "
                "what averaging that layer alone costs, against the mean of the two networks "
                "(Adilova et al. 2023).",
                _worst_layer(found),
            ],
            figures=[layers_figure(found.layers, between)],
        ),
        Section(
            "From above",
            text=[
                "The plane through the initialisation of a and both minima; distances are those of "
                "weight space. Each trajectory is drawn at the nearest points of the plane; it "
                f"leaves the plane by up to {_off(found, 'a'):.2g} (a) and {_off(found, 'b'):.2g} "
                "(b, which starts elsewhere).",
            ],
            figures=[
                surface_figure(
                    found.surface,
                    trajectories={
                        f"training {name}": [(x, y) for x, y, _ in line]
                        for name, line in found.trajectories.items()
                    },
                    points=dict(
                        zip(
                            ("start a", "minimum a", "minimum b"),
                            [(float(x), float(y)) for x, y in found.surface.corners],
                            strict=True,
                        )
                    ),
                )
            ],
        ),
    ]
    about = {"model": model, "data": "digits", "distances": found.spent, **between.provenance}
    return Page(
        title="Two networks and the paths between them",
        lead="Two small networks learn scikit-learn's digits from different seeds. "
        + headline(between),
        sections=sections,
        provenance=about,
        cards=_cards(found),
    )


def _said(one: "Profile") -> list[str]:
    """Sentences on the training data, a paragraph for each metric."""
    metrics = one.curves["train"]
    return [" ".join(sentences(one, metric=m, split="train")) for m in metrics]


def _cards(found: "Demo") -> list[Card]:
    """The story in four numbers."""
    top, wrong = found.between.barrier(), found.between.barrier(metric="error", split="test")
    descent = found.descent["uniform rates"].monotonicity()
    falls = f"rises by {plus_minus(descent.largest_rise, descent.stderr)}"
    falls = "falls all the way" if descent.verdict == "monotone" else falls
    return [
        Card(
            "Loss barrier between the minima",
            plus_minus(top.height, top.stderr),
            f"train, against the chord, at t = {top.at:g}",
        ),
        Card(
            "Test error barrier",
            plus_minus(100 * wrong.height, 100 * wrong.stderr) + " points",
            f"at t = {wrong.at:g}",
        ),
        Card("Initialisation to minimum", f"loss {falls}", "train, uniform rates"),
        Card(
            "Distance between the minima",
            f"{found.spent['minimum a to minimum b']:.3g}",
            f"{found.spent['initialisation to minimum, a']:.3g} from start to minimum",
        ),
    ]


def _worst_layer(found: "Demo") -> str:
    heights = {n: one.barrier() for n, one in found.layers.items()}
    name, top = max(heights.items(), key=lambda item: item[1].height)
    return (
        f"The highest is {name}'s, {top.height:.3g} (95 % interval {top.interval()[0]:.3g} to "
        f"{top.interval()[1]:.3g}); the whole line's is {found.between.barrier('half').height:.3g}."
    )


def _off(found: "Demo", name: str) -> float:
    return max(off for *_, off in found.trajectories[name])
