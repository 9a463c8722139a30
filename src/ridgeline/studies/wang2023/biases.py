"""W1 to W3: when there is a plateau, and what biases have to do with it."""

from ridgeline.measures import convexity
from ridgeline.studies.common import (
    BIASES,
    area,
    curves_chart,
    groups,
    plateau_end,
    shapes_table,
    sound,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference, Mean
from ridgeline.study.lines import homogeneous
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS"]


# --- W1: convex curves and plateaus ----------------------------------------------------------


def convex_or_plateau(bench: Bench) -> Finding:
    """A shallow network at an ordinary initialisation against a deep one at a small one."""
    runs = {
        label: sound(bench.runs(population))
        for label, population in (("shallow", "shallow"), ("deep, small init", "deep"))
    }
    found = {label: bench.profiles(of, told=label) for label, of in runs.items()}
    shallow, deep = found.values()
    seeds = [[("seed", run.seed) for run in of] for of in runs.values()]
    group = {"more_group": seeds[1], "less_group": seeds[0]}
    return Finding(
        charts=[
            curves_chart(
                "convex-or-plateau",
                "Shallow and deep networks on the line from initialisation to minimum",
                "Training loss and error.",
                found,
            )
        ],
        cases={
            "W1a": [plateau_end(p) for p in shallow],
            "W1d": [convexity(p.curve()).overall for p in shallow],
            "W1b": {"more": [area(p) for p in deep], "less": [area(p) for p in shallow], **group},
            "W1c": {
                "more": [p.plateau().relative_area for p in deep],
                "less": [p.plateau().relative_area for p in shallow],
                **group,
            },
        },
    )


# --- W2 and W3: which biases, at which rates -------------------------------------------------


def bias_ablation(bench: Bench) -> Finding:
    """Networks trained with all biases, the last alone, or none."""
    kinds = groups(sound(bench.runs("biases")), "net.bias", needed=BIASES)
    found = {BIASES[kind]: bench.profiles(runs, told=BIASES[kind]) for kind, runs in kinds.items()}
    by_seed = {kind: {s.seed: area(bench.profile(s)) for s in runs} for kind, runs in kinds.items()}
    return Finding(
        charts=[
            curves_chart(
                "bias-ablation",
                "Networks trained with and without biases",
                "Uniform rates; training loss and error.",
                found,
            )
        ],
        tables=[
            shapes_table("Plateaus of networks with and without biases", "trained with", found)
        ],
        cases={
            "W2a": [plateau_end(p) for p in found["no bias"]],
            "W2b": _ratios(by_seed[True], by_seed[False]),
            "W2c": _ratios(by_seed["last"], by_seed[False]),
        },
    )


def homogeneous_rates(bench: Bench) -> Finding:
    """The same networks: all tensors at one rate, or each bias like t to the power of its layer."""
    uniform, even, cases = {}, {}, {}
    for kind, runs in groups(sound(bench.runs("biases")), "net.bias", needed=BIASES).items():
        if kind is False:
            continue
        label = BIASES[kind]
        uniform[f"{label}, uniform rates"] = bench.profiles(runs, told=label)
        even[f"{label}, homogeneous"] = bench.profiles(runs, homogeneous, told=f"{label}, again")
        pairs = list(zip(*(list(d.values())[-1] for d in (uniform, even)), strict=True))
        letter = {True: "a", "last": "c"}[kind]
        cases[f"W3{letter}"] = [area(a) / area(b) for a, b in pairs]
        other = {True: "b", "last": "d"}[kind]
        cases[f"W3{other}"] = [abs(area(b, "loss") / area(a, "loss") - 1) for a, b in pairs]
    found = {**uniform, **even}
    return Finding(
        charts=[
            curves_chart(
                "homogeneous-rates",
                "Biases at uniform and at homogeneous rates",
                "One set of trained networks, two paths; training loss and error.",
                found,
            )
        ],
        tables=[shapes_table("Plateaus at uniform and homogeneous rates", "path", found)],
        cases=cases,
    )


# --- W11: what the pixels' scale does --------------------------------------------------------


def standardised(bench: Bench) -> Finding:
    """The same networks on pixels of mean 0 and deviation 1, which are three times as large."""
    found = {}
    for population, pixels in (("biases", "[0, 1]"), ("standardised", "standardised")):
        for kind, runs in groups(sound(bench.runs(population)), "net.bias", needed=BIASES).items():
            label = f"{pixels}, {BIASES[kind]}"
            found[label] = bench.profiles(runs, told=label)
            if kind is not False:
                again = bench.profiles(runs, homogeneous, told=f"{label}, homogeneous")
                found[f"{label}, homogeneous"] = again
    return Finding(
        tables=[shapes_table("Plateaus by the scale of pixels", "pixels and path", found)],
        words=[
            "Standardised pixels are larger, so that the signal needs less of the weights and less "
            "of the biases: plateaus are shorter, and there is less for homogeneous rates to take "
            "away. No claim is tested here.",
        ],
    )


def _ratios(over: dict[int, float], under: dict[int, float]) -> list[float]:
    """Ratios of two numbers of networks of the same seed."""
    return [over[seed] / under[seed] for seed in over if seed in under]


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
        claims=(
            Claim(
                id="W1a",
                text="A shallow network at an ordinary initialisation has no error plateau",
                place="figure 1",
                test=Mean("end of the error plateau", "below", 0.1, resolution=0.02),
            ),
            Claim(
                id="W1d",
                text="A shallow network's loss is below the chord, as a convex curve's is",
                place="figure 1",
                test=Mean("share of positions on or below the chord", "above", 0.9),
            ),
            Claim(
                id="W1b",
                text="A deep network's error stays high for longer",
                place="figure 1",
                test=Difference("error area, deep less shallow"),
            ),
            Claim(
                id="W1c",
                text="A deep network's loss stays high for longer",
                place="figure 1",
                test=Difference("loss area / L(0), deep less shallow"),
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
        claims=(
            Claim(
                id="W2a",
                text="Networks without biases show no error plateau",
                place="section 5",
                test=Mean("end of the error plateau", "below", 0.1, resolution=0.02),
            ),
            Claim(
                id="W2b",
                text="Biases lengthen the error plateau",
                place="section 5",
                test=Mean("error area with all biases over without, by seed", "above", 1.5),
            ),
            Claim(
                id="W2c",
                text="The last layer's bias alone lengthens it",
                place="section 5",
                test=Mean("error area with the last bias over without, by seed", "above", 1.5),
            ),
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
        claims=(
            Claim(
                id="W3a",
                text="Homogeneous rates at least halve the error area (all biases)",
                place="section 5",
                test=Mean("error area, uniform over homogeneous", "above", 2.0),
            ),
            Claim(
                id="W3b",
                text="They leave the loss area as it is, within a tenth (all biases)",
                place="our calibration",
                source="derived",
                test=Mean("change of the loss area, relative", "below", 0.1),
            ),
            Claim(
                id="W3c",
                text="Homogeneous rates at least halve the error area (last bias only)",
                place="section 5",
                test=Mean("error area, uniform over homogeneous", "above", 2.0),
            ),
            Claim(
                id="W3d",
                text="They leave the loss area as it is, within a tenth (last bias only)",
                place="our calibration",
                source="derived",
                test=Mean("change of the loss area, relative", "below", 0.1),
            ),
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
    ),
)
