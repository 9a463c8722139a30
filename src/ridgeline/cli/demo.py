"""``ridgeline demo``: the whole story on bundled data, in one page."""

import argparse
import sys
from pathlib import Path

from ridgeline import io, report
from ridgeline.cli.consoles import progress_bar, stderr_console, stdout_console
from ridgeline.cli.writing import check_out
from ridgeline.numerals import plus_minus
from ridgeline.profiles import Profile
from ridgeline.studies.demo import MODEL, Demo, demo

__all__ = ["run"]


def run(chosen: argparse.Namespace) -> int:
    """See the options."""
    stderr_console()
    check_out(chosen)
    with progress_bar() as tell:
        found = demo(tell)
    page = _page(found)
    with io.fresh_directory(chosen.out, overwrite=chosen.overwrite) as folder:
        states = folder / "states"
        for name, run_ in found.runs.items():
            made = {"made by": "ridgeline demo", "model": MODEL, "network": name}
            io.save(run_.initial, states / f"start_{name}.safetensors", metadata=made)
            io.save(run_.final, states / f"minimum_{name}.safetensors", metadata=made)
        profiles = {**found.descent, "minimum to minimum": found.between}
        rows = [row for n, one in profiles.items() for row in report.rows(one, path=n)]
        for layer, one in found.layers.items():
            rows += report.rows(one, path=f"layer {layer}")
        report.write_parquet(rows, folder / "profiles.parquet")
        report.write_parquet(report.surface_rows(found.surface), folder / "surface.parquet")
        summaries = {name: report.summarise(one) for name, one in profiles.items()}
        report.to_json(summaries, folder / "profiles.json")
        report.write_page(page, folder)
    console = stdout_console()
    for name, one in profiles.items():
        report.render_profile(one, console, title=name)
    report.render_layers(found.layers, console, whole=found.between)
    out = Path(chosen.out)
    print(f"written: {out / 'report.html'}", file=sys.stderr)
    print(
        "Try the same on the saved checkpoints:\n"
        f"  ridgeline profile {out / 'states/minimum_a.safetensors'} "
        f"{out / 'states/minimum_b.safetensors'} --model '{MODEL}' --data digits",
        file=sys.stderr,
    )
    return 0


def _page(found: Demo) -> "report.Page":
    """Four sections: down, across, layer by layer, from above."""
    uniform, between = found.descent["uniform rates"], found.between
    sections = [
        report.Section(
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
                report.profile_figure(
                    found.descent,
                    splits=("train",),
                    name="descent",
                    title="Initialisation to minimum",
                )
            ],
        ),
        report.Section(
            "From minimum to minimum",
            text=[
                "Two networks that differ only in their seeds, each at its minimum. The height by "
                "which the line between them rises above its chord is the barrier.",
                *_said(between),
            ],
            figures=[
                report.profile_figure(
                    {"minimum to minimum": between}, name="between", title="Minimum to minimum"
                )
            ],
            tables=[report.measures_table({**found.descent, "minimum to minimum": between})],
        ),
        report.Section(
            "Layer by layer",
            text=[
                "The same line with one layer moving and the others held at network a. A bar is "
                "what averaging that layer alone costs, against the mean of the two networks "
                "(Adilova et al. 2023).",
                _worst_layer(found),
            ],
            figures=[report.layers_figure(found.layers, between)],
        ),
        report.Section(
            "From above",
            text=[
                "The plane through the initialisation of a and both minima; distances are those of "
                "weight space. Each trajectory is drawn at the nearest points of the plane; it "
                f"leaves the plane by up to {_off(found, 'a'):.2g} (a) and {_off(found, 'b'):.2g} "
                "(b, which starts elsewhere).",
            ],
            figures=[
                report.surface_figure(
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
    about = {"model": MODEL, "data": "digits", "distances": found.spent, **between.provenance}
    return report.Page(
        title="Two networks and the paths between them",
        lead="Two small networks learn scikit-learn's digits from different seeds. "
        + report.headline(between),
        sections=sections,
        provenance=about,
        cards=_cards(found),
    )


def _said(one: Profile) -> list[str]:
    """Sentences on the training data, a paragraph for each metric."""
    metrics = one.curves["train"]
    return [" ".join(report.sentences(one, metric=m, split="train")) for m in metrics]


def _cards(found: Demo) -> "list[report.Card]":
    """The story in four numbers."""
    top, wrong = found.between.barrier(), found.between.barrier(metric="error", split="test")
    descent = found.descent["uniform rates"].monotonicity()
    falls = f"rises by {plus_minus(descent.largest_rise, descent.stderr)}"
    falls = "falls all the way" if descent.verdict == "monotone" else falls
    return [
        report.Card(
            "Loss barrier between the minima",
            plus_minus(top.height, top.stderr),
            f"train, against the chord, at t = {top.at:g}",
        ),
        report.Card(
            "Test error barrier",
            plus_minus(100 * wrong.height, 100 * wrong.stderr) + " points",
            f"at t = {wrong.at:g}",
        ),
        report.Card("Initialisation to minimum", f"loss {falls}", "train, uniform rates"),
        report.Card(
            "Distance between the minima",
            f"{found.spent['minimum a to minimum b']:.3g}",
            f"{found.spent['initialisation to minimum, a']:.3g} from start to minimum",
        ),
    ]


def _worst_layer(found: Demo) -> str:
    heights = {n: one.barrier() for n, one in found.layers.items()}
    name, top = max(heights.items(), key=lambda item: item[1].height)
    return (
        f"The highest is {name}'s, {top.height:.3g} (95 % interval {top.interval()[0]:.3g} to "
        f"{top.interval()[1]:.3g}); the whole line's is {found.between.barrier('half').height:.3g}."
    )


def _off(found: Demo, name: str) -> float:
    return max(off for *_, off in found.trajectories[name])
