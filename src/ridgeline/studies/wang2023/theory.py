"""W6: the mechanism in trained networks: signal, biases, and what they foretell."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline.charts import Panel, Panels, Table, band
from ridgeline.measures import Array
from ridgeline.profiles import Profile
from ridgeline.studies.common import POSITION, area, mean_sd, plateau_end, sound
from ridgeline.study.bench import Bench, line
from ridgeline.study.claims import Claim, Every, Mean
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject
from ridgeline.theory import (
    decompose,
    loss_floor,
    network_interval,
    zero_start_prediction,
)

__all__ = ["ITEMS"]


def mechanism(bench: Bench) -> Finding:
    """Signal against bias, the theorem's interval, and the prediction from one forward pass."""
    runs = sound(bench.runs("biases", {"net.bias": "last"}))
    found = []
    for i, run in enumerate(runs):
        bench.tell("signal and bias", i, len(runs))
        found.append(bench.kept(_mechanism, [run], points=bench.setting("points")))
    t = found[0]["t"]
    measured = [bench.profile(run) for run in runs]
    sizes = Panel(
        x=POSITION,
        y="spread over classes (logits)",
        series=[
            band("signal", t, [f["signal"] for f in found]),
            band("last bias", t, [f["bias"] for f in found]),
        ],
        log_y=True,
    )
    labels = Panel(
        x=POSITION,
        y="share of samples",
        series=[
            band("predicted as the class of the largest bias", t, [f["dominant"] for f in found]),
            band("error, measured", t, [p.curve("error").mean for p in measured]),
            band("error, predicted from zero", t, [f["predicted"] for f in found], dash=1),
        ],
    )
    proved = [(f, p) for f, p in zip(found, measured, strict=True) if _positions(f).any()]
    level = [_level(f, p) for f, p in zip(found, measured, strict=True)]
    predicted = [float(np.trapezoid(f["predicted"], f["t"])) for f in found]
    pairs = list(zip(found, measured, strict=True))
    columns = ["quantity", "mean ± sd (runs)"]
    rows = [
        ["measured error area", mean_sd(area(p) for p in measured)],
        ["predicted error area (zero start)", mean_sd(predicted)],
        ["predicted end of the plateau", mean_sd(float(f["leaves"]) for f in found)],
        ["largest share predicted as the largest-bias class", mean_sd(_peak(f) for f in found)],
        ["the same, mean over the strict plateau", mean_sd(s for s in level if np.isfinite(s))],
        ["networks with a strict plateau", f"{sum(np.isfinite(level))} of {len(level)}"],
        ["networks with a position inside theorem 1's interval", f"{len(proved)} of {len(found)}"],
    ]
    return Finding(
        charts=[
            Panels(
                name="mechanism",
                title="Signal and bias on the line",
                caption=f"Networks with a bias on the last layer only; mean and one standard "
                f"deviation over {len(runs)} runs.",
                panels=[sizes, labels],
            )
        ],
        tables=[Table(title="The mechanism in numbers", columns=columns, rows=rows)],
        cases={
            "W6a": [share for share in level if np.isfinite(share)],
            "W6b": [p >= area(m) for p, m in zip(predicted, measured, strict=True)],
            "W6c": [_proved(f, p) for f, p in proved],
            "W6d": [bool((p.curve().mean >= f["floor"] - 1e-4).all()) for f, p in pairs],
        },
        words=[
            "W6a is asked of networks that have a strict plateau: an error within 5 % of chance "
            "from the start on. The theorem bounds the signal by spectral norms, which are far "
            "above it in trained networks: an empty interval says that the bound proves nothing, "
            "not that there is no plateau. The prediction from zero takes the signal itself.",
        ],
    )


@versioned("signal and bias", "1")
def _mechanism(run: Subject, *, points: Any) -> dict[str, Any]:
    objective = run.objective()
    data = run.train
    split = decompose(line(run), objective, points)
    zero = zero_start_prediction(run.model(), run.final, data.inputs, data.targets, split.t)
    bound = network_interval(run.model(), run.initial, run.final, data.inputs)
    floor = loss_floor(
        split.t,
        depth=bound.depth,
        start=bound.start,
        end=bound.end,
        radius=bound.radius,
        classes=zero.classes,
    )
    inside = bound.interval
    return {
        "t": split.t,
        "signal": split.signal_spread,
        "bias": split.bias_spread,
        "dominant": split.dominant,
        "predicted": zero.error,
        "leaves": np.array(zero.end),
        "interval": np.array([0.0, 0.0] if inside.empty else [inside.start, inside.end]),
        # Classes of unequal size can be guessed better: the floor is lower by as much.
        "floor": floor - (np.log(zero.classes) - _entropy(data.targets)),
        "others": (data.targets != split.largest).double().mean().numpy(),
    }


def _peak(found: dict[str, Array]) -> float:
    """The largest share of samples predicted as one class, inside the line."""
    return float(found["dominant"][1:-1].max())


def _level(found: dict[str, Array], profile: Profile) -> float:
    """The mean share predicted as the largest-bias class over the plateau; NaN without one."""
    inside = (found["t"] > 0) & (found["t"] <= plateau_end(profile))
    return float(found["dominant"][inside].mean()) if inside.any() else float("nan")


def _positions(found: dict[str, Array]) -> NDArray[np.bool_]:
    """True if each position is inside the theorem's interval."""
    low, high = found["interval"]
    return (found["t"] > low) & (found["t"] < high)


def _proved(found: dict[str, Array], profile: Profile) -> bool:
    """True if all samples are predicted as one class inside the interval."""
    inside = _positions(found)
    wrong = profile.curve("error").mean[inside]
    return bool(np.allclose(found["dominant"][inside], 1) and np.allclose(wrong, found["others"]))


def _entropy(labels: Tensor) -> float:
    """Entropy of the classes' shares, in nats: no guess without a look at the input can beat it."""
    shares = labels.bincount().double() / len(labels)
    return float(torch.special.entr(shares).sum())


ITEMS = (
    Item(
        name="mechanism",
        id="W6",
        title="Biases drown the signal",
        asks="Are the samples on the plateau predicted as the class of the largest bias, and can "
        "the curve be computed from the trained network?",
        measure=mechanism,
        settings=("points",),
        populations=("biases",),
        reported="For small t the bias, of order t, dominates the signal, of order t to the power "
        "of the number of layers; theorem 1 gives ends of the plateau up to constants.",
        claims=(
            Claim(
                id="W6a",
                text="On the plateau nearly all samples are predicted as one class",
                place="section 3",
                test=Mean(
                    "share predicted as the class of the largest bias, over the strict plateau",
                    "above",
                    0.9,
                ),
            ),
            Claim(
                id="W6b",
                text="The prediction from a zero start bounds the error area from above",
                place="our specification 3.2 (iii)",
                source="derived",
                test=Every("the predicted area is at least the measured one"),
            ),
            Claim(
                id="W6c",
                text="Inside the interval of theorem 1 the error is that of one class",
                place="theorem 1, with our constants",
                source="derived",
                test=Every("the error is 1 - 1/k inside the interval"),
            ),
            Claim(
                id="W6d",
                text="The loss is never below the theorem's floor",
                place="theorem 1, with our constants",
                source="derived",
                test=Every("the loss is at or above the floor at every position"),
            ),
        ),
    ),
)
