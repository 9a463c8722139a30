"""W6: the mechanism in trained networks: signal, biases, and what they foretell."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline.charts import Panel, Panels, Table, band
from ridgeline.frame import Frame, every, mean
from ridgeline.frame.show import POSITION, mean_sd
from ridgeline.measures import Array
from ridgeline.profiles import Profile
from ridgeline.studies.common import area, plateau_end
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.lines import line
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject
from ridgeline.theory import (
    decompose,
    loss_floor,
    network_interval,
    zero_start_prediction,
)

__all__ = ["ITEMS"]

Found = dict[str, Array]
"""What was measured of a run; arrays over the positions ``t``."""


def mechanism(bench: Bench) -> Frame:
    """Signal against bias, the theorem's interval, and the prediction from one forward pass."""
    runs = bench.frame("biases", where={"net.bias": "last"})
    points = bench.setting("points")
    return (
        bench.lines(runs)
        .derive(
            found=lambda run: bench.kept(_mechanism, [run], points=points),
            area=area,
            predicted=lambda found: float(np.trapezoid(found["predicted"], found["t"])),
            bounds=lambda predicted, area: predicted >= area,
            leaves=lambda found: float(found["leaves"]),
            peak=lambda found: float(found["dominant"][1:-1].max()),
            level=_level,
            proved=_proved,
            above=lambda found, profile: bool(
                (profile.curve().mean >= found["floor"] - 1e-4).all()
            ),
        )
        .noted(
            "W6a is asked of networks that have a strict plateau: an error within 5 % of chance "
            "from the start on. The theorem bounds the signal by spectral norms, which are far "
            "above it in trained networks: an empty interval says that the bound proves nothing, "
            "not that there is no plateau. The prediction from zero takes the signal itself.",
        )
    )


def _numbers(frame: Frame) -> Table:
    level = [share for share in frame.values("level") if share is not None]
    proved = [so for so in frame.values("proved") if so is not None]
    inside = "networks with a position inside theorem 1's interval"
    rows = [
        ["measured error area", mean_sd(frame["area"])],
        ["predicted error area (zero start)", mean_sd(frame["predicted"])],
        ["predicted end of the plateau", mean_sd(frame["leaves"])],
        ["largest share predicted as the largest-bias class", mean_sd(frame["peak"])],
        ["the same, mean over the strict plateau", mean_sd(level)],
        ["networks with a strict plateau", f"{len(level)} of {len(frame)}"],
        [inside, f"{len(proved)} of {len(frame)}"],
    ]
    return Table("The mechanism in numbers", ["quantity", "mean ± sd (runs)"], rows)


def _drawn(frame: Frame) -> Panels:
    found: tuple[Found, ...] = frame.values("found")
    measured = [profile.curve("error").mean for profile in frame.values("profile")]
    t = found[0]["t"]
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
            band("error, measured", t, measured),
            band("error, predicted from zero", t, [f["predicted"] for f in found], dash=1),
        ],
    )
    return Panels(
        name="mechanism",
        title="Signal and bias on the line",
        caption="Networks with a bias on the last layer only; mean and one standard deviation "
        f"over {len(frame)} runs.",
        panels=[sizes, labels],
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


def _level(found: Found, profile: Profile) -> float | None:
    """The mean share predicted as the largest-bias class over the plateau; None without one."""
    inside = (found["t"] > 0) & (found["t"] <= plateau_end(profile))
    return float(found["dominant"][inside].mean()) if inside.any() else None


def _positions(found: Found) -> NDArray[np.bool_]:
    """True if each position is inside the theorem's interval."""
    low, high = found["interval"]
    return (found["t"] > low) & (found["t"] < high)


def _proved(found: Found, profile: Profile) -> bool | None:
    """True if all samples are predicted as one class inside the interval; None if it is empty."""
    inside = _positions(found)
    if not inside.any():
        return None
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
        show=(_drawn, _numbers),
        claims=(
            Claim(
                *("W6a", "On the plateau nearly all samples are predicted as one class"),
                "section 3",
                mean(
                    "level",
                    "share predicted as the class of the largest bias, over the strict plateau",
                )
                > 0.9,
            ),
            Claim(
                *("W6b", "The prediction from a zero start bounds the error area from above"),
                "our specification 3.2 (iii)",
                every("bounds", "the predicted area is at least the measured one"),
                "derived",
            ),
            Claim(
                *("W6c", "Inside the interval of theorem 1 the error is that of one class"),
                "theorem 1, with our constants",
                every("proved", "the error is 1 - 1/k inside the interval"),
                "derived",
            ),
            Claim(
                *("W6d", "The loss is never below the theorem's floor"),
                "theorem 1, with our constants",
                every("above", "the loss is at or above the floor at every position"),
                "derived",
            ),
        ),
    ),
)
