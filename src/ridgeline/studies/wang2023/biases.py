"""W1 to W3: when there is a plateau, and what biases have to do with it."""

from typing import Any

from ridgeline.frame import Frame, difference, mean
from ridgeline.frame.show import Curves
from ridgeline.measures import convexity
from ridgeline.studies.common import BIASES, area, plateau_end, shapes
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.lines import homogeneous, line
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]

Where = dict[str, Any]

# --- W1: convex curves and plateaus ----------------------------------------------------------

NETWORKS = {"shallow": "shallow", "deep, small init": "deep"}
SHALLOW, DEEP = (Where(population=name) for name in NETWORKS)


def convex_or_plateau(bench: Bench) -> Frame:
    """A shallow network at an ordinary initialisation against a deep one at a small one."""
    return bench.lines(bench.frame(NETWORKS)).derive(
        end=plateau_end,
        below=lambda profile: convexity(profile.curve()).overall,
        area=area,
        loss_area=lambda profile: profile.plateau().relative_area,
    )


# --- W2 and W3: which biases, at which rates -------------------------------------------------


def bias_ablation(bench: Bench) -> Frame:
    """Networks trained with all biases, the last alone, or none."""
    lines = bench.lines(bench.frame("biases", biases=("net.bias", BIASES)))
    return lines.derive(end=plateau_end, area=area)


def over_none(rows: Frame) -> Frame:
    """Error areas over that of the network of the same seed without biases."""
    none = dict(zip(rows.where(**NONE).values("seed"), rows.where(**NONE)["area"], strict=True))
    seeds = list(none)
    return rows.where(seed=seeds).derive(ratio=lambda seed, area: area / none[seed])


def homogeneous_rates(bench: Bench) -> Frame:
    """The same networks: all tensors at one rate, or each bias like t to the power of its layer."""
    runs = bench.frame("biases", biases=("net.bias", BIASES)).where(
        biases=[BIASES[True], BIASES["last"]]
    )
    rates = {"uniform rates": line, "homogeneous": homogeneous}
    lines = bench.lines(runs, rates).derive(
        area=area, loss_area=lambda profile: area(profile, "loss")
    )
    return lines.derive(path=lambda biases, along: f"{biases}, {along}")


def changed(rows: Frame) -> Frame:
    """What homogeneous rates change, a row a run."""
    unit = ("biases", "seed")
    error = rows.paired("area", "along", unit)
    loss = rows.paired("loss_area", "along", unit)
    ratios = [row["uniform rates"] / row["homogeneous"] for row in error]
    change = [abs(row["homogeneous"] / row["uniform rates"] - 1) for row in loss]
    told = {name: error.values(name) for name in unit}
    return Frame({**told, "ratio": ratios, "change": change})


# --- W11: what the pixels' scale does --------------------------------------------------------


def standardised(bench: Bench) -> Frame:
    """The same networks on pixels of mean 0 and deviation 1, which are three times as large."""
    pixels = {"[0, 1]": "biases", "standardised": "standardised"}
    runs = bench.frame(pixels, biases=("net.bias", BIASES))
    lines = bench.lines(runs, {"uniform": line, "homogeneous": homogeneous})
    none = BIASES[False]
    return (
        lines.where(lambda biases, along: biases != none or along == "uniform")
        .derive(
            path=lambda population, biases, along: ", ".join(
                (population, biases, *([along] if along != "uniform" else []))
            )
        )
        .noted(
            "Standardised pixels are larger, so that the signal needs less of the weights and less "
            "of the biases: plateaus are shorter, and there is less for homogeneous rates to take "
            "away. No claim is tested here."
        )
    )


ALL, LAST, NONE = (Where(biases=name) for name in BIASES.values())
OVER = "error area with {} over without, by seed"


def _ratio(id: str, text: str, said: str, kind: Where) -> Claim:
    asked = mean("ratio", OVER.format(said), rows=over_none, **kind)
    return Claim(id, text, "section 5", asked > 1.5)


def _halved(id: str, said: str, kind: Where) -> Claim:
    asked = mean("ratio", "error area, uniform over homogeneous", rows=changed, **kind)
    text = f"Homogeneous rates at least halve the error area ({said})"
    return Claim(id, text, "section 5", asked > 2.0)


def _unchanged(id: str, said: str, kind: Where) -> Claim:
    asked = mean("change", "change of the loss area, relative", rows=changed, **kind)
    text = f"They leave the loss area as it is, within a tenth ({said})"
    return Claim(id, text, "our calibration", asked < 0.1, "derived")


ITEMS = (
    Item(
        name="convex-or-plateau",
        id="W1",
        title="Convex curves and plateaus",
        asks="When are the curves convex, and when do they stay high for long?",
        measure=convex_or_plateau,
        settings=("points",),
        populations=("shallow", "deep"),
        reported="Figure 1: convex for a four-layer network on MNIST, long plateaus in both "
        "loss and error for VGG-16 on CIFAR-10.",
        show=(
            Curves(
                "convex-or-plateau",
                "Shallow and deep networks on the line from initialisation to minimum",
                line="population",
            ),
        ),
        claims=(
            Claim(
                *("W1a", "A shallow network at an ordinary initialisation has no error plateau"),
                "figure 1",
                mean("end", "end of the error plateau", resolution=0.02, **SHALLOW) < 0.1,
            ),
            Claim(
                *("W1d", "A shallow network's loss is below the chord, as a convex curve's is"),
                "figure 1",
                mean("below", "share of positions on or below the chord", **SHALLOW) > 0.9,
            ),
            Claim(
                *("W1b", "A deep network's error stays high for longer", "figure 1"),
                difference("area", "error area, deep less shallow", DEEP, SHALLOW, cluster="seed")
                > 0,
            ),
            Claim(
                *("W1c", "A deep network's loss stays high for longer", "figure 1"),
                difference(
                    *("loss_area", "loss area / L(0), deep less shallow", DEEP, SHALLOW),
                    cluster="seed",
                )
                > 0,
            ),
        ),
    ),
    Item(
        name="bias-ablation",
        id="W2",
        title="Training without biases",
        asks="How much of the error plateau is left if a network has no biases?",
        measure=bias_ablation,
        settings=("points",),
        populations=("biases",),
        reported="Without biases the error plateau is much shorter or gone (MNIST, "
        "Fashion-MNIST, CIFAR-10, CIFAR-100; curves).",
        show=(
            Curves(
                "bias-ablation",
                "Networks trained with and without biases",
                "Uniform rates; training loss and error.",
                line="biases",
            ),
            shapes("Plateaus of networks with and without biases", {"trained with": "biases"}),
        ),
        claims=(
            Claim(
                *("W2a", "Networks without biases show no error plateau", "section 5"),
                mean("end", "end of the error plateau", resolution=0.02, **NONE) < 0.1,
            ),
            _ratio("W2b", "Biases lengthen the error plateau", "all biases", ALL),
            _ratio("W2c", "The last layer's bias alone lengthens it", "the last bias", LAST),
        ),
    ),
    Item(
        name="homogeneous-rates",
        id="W3",
        title="Homogeneous interpolation of biases",
        asks="Does the plateau go if biases move at the rate of the signal?",
        measure=homogeneous_rates,
        settings=("points",),
        populations=("biases",),
        reported="The error plateau is significantly shortened (curves). Its effect on the "
        "loss is not stated in what we could read.",
        show=(
            Curves(
                "homogeneous-rates",
                "Biases at uniform and at homogeneous rates",
                "One set of trained networks, two paths; training loss and error.",
                line="path",
            ),
            shapes("Plateaus at uniform and homogeneous rates", {"path": "path"}),
        ),
        claims=(
            _halved("W3a", "all biases", ALL),
            _unchanged("W3b", "all biases", ALL),
            _halved("W3c", "last bias only", LAST),
            _unchanged("W3d", "last bias only", LAST),
        ),
    ),
    Item(
        name="standardised",
        id="W11",
        title="Pixels standardised",
        asks="How much do the plateaus owe to the scale of the inputs?",
        measure=standardised,
        settings=("points",),
        populations=("biases", "standardised"),
        reported="Nothing; this comparison is ours.",
        show=(shapes("Plateaus by the scale of pixels", {"pixels and path": "path"}),),
    ),
)
