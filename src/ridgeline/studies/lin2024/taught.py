"""N6 and N7: students that SGD finds: the path between two, and how many neurons are zero."""

from typing import Any

import numpy as np

from ridgeline.frame import Frame, correlation, mean
from ridgeline.frame.show import Scatter, Summary
from ridgeline.studies.lin2024.streams import generator
from ridgeline.studies.lin2024.students import train_students
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item
from ridgeline.theory.minima import nearest, two_piece

__all__ = ["ITEMS"]

SIZE = 4
"""M and the dimension of inputs."""
ZERO = 0.1
"""Of the mean size M / m: a neuron below it counts as zero. Of sizes uniform on their simplexes
9.5 % are."""


@versioned("students", "1")
def _students(*, neurons: int, pairs: int, **settings: Any) -> dict[str, Any]:
    found = train_students(
        teachers=SIZE,
        dimension=SIZE,
        neurons=neurons,
        count=2 * pairs,
        rng=generator("students", neurons, settings["scale"]),
        **settings,
    )
    return {"weights": found.weights, "risks": found.risks, "steps": np.array(found.steps)}


def students(bench: Bench) -> Frame:
    """Pairs of students at each width and scale of the first weights."""
    widths, scales = bench.setting("widths"), bench.setting("scales")
    asked = {name: bench.setting(name) for name in ("rate", "batch", "until", "most", "pairs")}
    rows = []
    for i, (m, scale) in enumerate([(m, s) for m in widths for s in scales]):
        bench.tell("students", i, len(widths) * len(scales))
        found = bench.kept(_students, [], neurons=int(m), scale=float(scale), **asked)
        weights, risks = found["weights"], found["risks"]
        for pair in range(int(asked["pairs"])):
            own = slice(2 * pair, 2 * pair + 2)
            row = {"m": int(m), "scale": float(scale), "pair": pair, "rate": asked["rate"] / m}
            row["start"] = f"first weights of scale {scale:g}"
            row |= {"steps": int(found["steps"]), "risk": float(risks[own].max())}
            rows.append(row | _measured(weights[own], risks[own] <= asked["until"]))
    return Frame.of(rows).noted(
        f"M = d = {SIZE}, inputs uniform on the sphere and drawn anew at each step, batches of "
        f"{asked['batch']}, until the exact risk is at most {asked['until']:g}. The learning rate "
        f"is {asked['rate']:g} / m: a fixed one diverges as m grows. First weights are normal of "
        "standard deviation scale / sqrt(m d). None of this is stated in the paper; all is ours.",
        f"A neuron counts as zero below {ZERO:g} of the mean size M / m, and then is of type 0; "
        "others have the type of their largest coordinate. Lengths are those between the nearest "
        "minima; infinite, and largest in ranks, where no minimum is on lines to both. That the "
        "length falls says that fewer pairs are without a path, and not that it comes near to 1: "
        "see the table. Students without zeros are minima of theorem 12, not of theorem 14.",
    )


def _measured(weights: np.ndarray, reached: np.ndarray) -> dict[str, Any]:
    """Numbers of a pair; nothing if one of it did not reach its risk."""
    if not reached.all():
        return {}
    found = nearest(weights, SIZE, zero=ZERO)
    straight = float(np.linalg.norm(weights[0] - weights[1]))
    moved = np.linalg.norm(found.weights() - weights, axis=(1, 2))
    return {
        "ratio": float(two_piece(found.at(slice(1)), found.at(slice(1, 2))).ratio[0]),
        "zeros": float((found.types == 0).mean()),
        "moved": float(moved.max()) / straight,
    }


def _length(rows: Frame) -> str:
    """Mean and standard deviation of those that have a path, and how many have."""
    values = np.array([x for x in rows.values("ratio") if x is not None])
    finite = values[np.isfinite(values)]
    said = f"{finite.mean():.3f} ± {finite.std(ddof=1):.3f}" if len(finite) > 1 else "-"
    return f"{said} ({len(finite)} of {len(values)})"


def _widest(frame: Frame) -> Frame:
    return frame.where(m=max(frame.values("m")))


def _with_a_path(frame: Frame) -> Frame:
    return frame.where(ratio=lambda ratio: ratio is not None and np.isfinite(ratio))


ITEMS = (
    Item(
        name="students",
        id="N6",
        title="Students trained by SGD",
        asks="Does the path between two students become straight with width, and are they sparse?",
        measure=students,
        settings=("widths", "scales", "rate", "batch", "until", "most", "pairs"),
        reported="Figure 3: the distance falls to 1 with m; solutions of SGD are neuron-sparse "
        "(m = 512, d = 4). Its settings are not stated.",
        show=(
            lambda frame: Scatter(
                "students",
                "Length of the path between two students, and their zeros",
                "Pairs without a path of two pieces are not drawn.",
                x=("m", "neurons m"),
                y={"NGD, shortest two-piece path": "ratio", "share of zero neurons": "zeros"},
                line="start",
                log_x=True,
            )(_with_a_path(frame)),
            Summary(
                "Students",
                by={"m": "m", "first weights": "scale", "rate": "rate"},
                of={
                    "pairs": len,
                    "reached": lambda rows: sum(x is not None for x in rows.values("zeros")),
                    "steps": lambda rows: rows.values("steps")[0],
                    "NGD (with a path)": _length,
                    "zero neurons": "zeros",
                    "nearest minimum": "moved",
                },
                count=False,
                note="The last column is the distance of a student to the minimum that it is taken "
                "for, over that of the two.",
            ),
        ),
        claims=(
            Claim(
                *("N6", "The path between students becomes shorter with width", "figure 3"),
                correlation("m", "ratio", "width and NGD") < 0,
            ),
            Claim(
                *("N7", "Students are neuron-sparse", "figure 3; the threshold is ours"),
                mean("zeros", "share of zero neurons at the largest width", rows=_widest) > 0.5,
            ),
        ),
    ),
)
