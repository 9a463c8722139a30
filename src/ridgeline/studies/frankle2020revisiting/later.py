"""F2: lines to the solution from states on the way, and the barriers they meet."""

from collections.abc import Sequence
from typing import Literal

from ridgeline.errors import UsageError
from ridgeline.frame import Frame, difference, mean
from ridgeline.frame.show import Curves, Summary, Trend
from ridgeline.profiles import Profile
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.lines import from_step
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "barrier", "early", "lines_from"]

NETWORKS = {
    "LeNet-300-100": "later-lenet",
    "with BatchNorm, large rate": "later-batchnorm",
    "VGG": "vgg",
    "ResNet-20": "resnet",
}
"""Label to population; each keeps states on the way."""
EASY, NORM, VGG, RESNET = NETWORKS
EARLY = 0.1
"""Share of training that is its beginning. A barrier from a state kept within it came quickly."""
HIGH = 0.1
"""Nats: a rise from which on a line counts as separated, as F1's below which it is monotone."""


def family(bench: Bench) -> Frame:
    """Lines from theta_t to the solution, for several t."""
    rows = []
    for label, name in NETWORKS.items():
        points = bench.setting("points" if "later" in name else "convolutional_points")
        runs = bench.frame({label: name}).values("run")
        *steps, length = runs[0].steps
        for i, step in enumerate(steps):
            bench.tell(label, i, len(steps))
            for run in runs:
                epoch = step / -(-len(run.train) // run.config.training.batch_size)
                rows.append(
                    {"population": label, "seed": run.seed, "step": step, "length": length}
                    | {"from": f"epoch {epoch:g}"}
                    | {"profile": bench.profile(run, from_step(step), points=points)}
                )
    return lines_from(Frame.of(rows, cluster="seed"))


def lines_from(rows: Frame) -> Frame:
    """Add what is said of lines from ``step`` of ``length``, by network."""
    quick = {label: early(group) for label, group in rows.by("population").items()}
    length = {label: group.values("length")[0] for label, group in rows.by("population").items()}
    told = ", ".join(f"{step} of {length[label]} ({label})" for label, step in quick.items())
    return rows.derive(
        early=lambda population, step: step == quick[population],
        later=lambda step: step > 0,
        height=barrier,
        over_chord=lambda profile: profile.barrier().height,
        error=lambda profile: profile.barrier("max", metric="error").height,
        begins=lambda profile: float(profile.curve().mean[0]),
    ).noted(
        "A barrier is the height of the line over the worse of its ends, which is where it "
        "begins: a line that stays flat and then falls has none, unlike over the chord.",
        "Quickly is: at the last state that was kept within the first tenth of training, which "
        f"is after steps {told}.",
    )


def barrier(profile: Profile) -> float:
    """Return how far the training loss on a line rises over the worse of its ends, in nats."""
    return profile.barrier("max").height


def early(rows: Frame) -> int:
    """The last step after the start that is within the first tenth of training.

    Raises:
        UsageError: If no state was kept there.
    """
    steps: Sequence[int] = list(rows.by("step"))
    length = rows.values("length")[0]
    within = [step for step in steps if 0 < step <= EARLY * length * (1 + 1e-9)]
    if not within:
        raise UsageError(
            "Lines from later states begin at a state that was kept within the first tenth of "
            "training.",
            got=f"states after {', '.join(map(str, steps))} of {length} steps",
            remedy='Keep some in the population: training.keep = { at = ["1ep", "4ep"] }.',
        )
    return within[-1]


def peaks(rows: Frame) -> Frame:
    """The highest barrier from any state after the start, by run: too high rather than low."""
    return rows.where(later=True).by("population", "seed").reduce(peak=lambda f: f["height"].max())


BATCHNORM = "a network with BatchNorm at a large rate"
Source = Literal["paper", "derived"]


def _place(source: Source) -> str:
    return "abstract" if source == "paper" else "our specification, F2"


def _separated(id: str, name: str, network: str, source: Source = "paper") -> Claim:
    said = "barrier from the last state kept in the first tenth of training (nats)"
    asked = mean("height", said, population=network, early=True)
    text = f"Training quickly separates {name} from its solution by a barrier"
    return Claim(id, text, _place(source), asked > HIGH, source)


def _by_training(id: str, name: str, network: str, source: Source = "paper") -> Claim:
    said = "barrier from that state less barrier from the initialisation (nats)"
    sides = ({"early": True}, {"step": 0})
    asked = difference("height", said, *sides, population=network, cluster="seed")
    text = f"It is training that separates {name}: there is less from the initialisation"
    return Claim(id, text, _place(source), asked > HIGH, source)


ITEMS = (
    Item(
        name="family",
        id="F2",
        title="From later states to the solution",
        asks="When is training separated from where it will end, and by how much?",
        measure=family,
        settings=("points", "convolutional_points"),
        populations=tuple(NETWORKS.values()),
        reported="Training quickly becomes linearly separated from the optimum by loss barriers.",
        show=(
            Curves(
                "family-{}",
                "From states of training to its end, {}",
                "Training loss and error on lines to the solution, by where they begin.",
                line="from",
                each="population",
                ordered=True,
            ),
            Trend(
                "family-barriers",
                "Barriers between states of training and its end",
                "Height of the line over the worse of its ends. Mean over runs, band of one "
                "standard deviation.",
                x=("step", "step at which the line begins"),
                y={"loss (nats)": "height"},
                unit="seed",
                line="population",
                log_x=True,
                where={"later": True},
            ),
            Summary(
                "Barriers on lines to the solution",
                by={"network": "population", "line begins at step": "step"},
                of={
                    "over the worse end": "height",
                    "over the chord": "over_chord",
                    "over the worse end, error": "error",
                    "loss at the beginning": "begins",
                },
                note="Training set; mean ± standard deviation over runs (number of runs).",
            ),
        ),
        claims=(
            _separated("F2a", "VGG", VGG),
            _separated("F2b", BATCHNORM, NORM, "derived"),
            _by_training("F2c", "VGG", VGG),
            Claim(
                *("F2d", "A small network without normalisation is never separated"),
                "our specification, F2",
                mean(
                    *("peak", "highest barrier from any later state (nats)"),
                    rows=peaks,
                    population=EASY,
                )
                < HIGH,
                "derived",
            ),
            _separated("F2e", "ResNet-20", RESNET),
            _by_training("F2f", "ResNet-20", RESNET),
            _by_training("F2g", BATCHNORM, NORM, "derived"),
        ),
    ),
)
