"""V1 and V2: data, optimiser and architecture against path shape and test error."""

from collections.abc import Callable, Mapping

from ridgeline.errors import UnknownName
from ridgeline.frame import Frame
from ridgeline.frame.show import tidy
from ridgeline.studies.vlaar2021.shapes import claims, measured, show
from ridgeline.study.bench import Bench
from ridgeline.study.papers import Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "varied"]

Label = Callable[[Subject], str]


def setting(path: str) -> Label:
    """Return what a run's config says at a path, as a label."""

    def label(subject: Subject) -> str:
        value = subject.at(path)
        return "none" if value is None else tidy(value)

    return label


def images(subject: Subject) -> str:
    """Return how many samples a run is trained on."""
    return f"{len(subject.train.targets):,}"


def augmentation(subject: Subject) -> str:
    """True if its batches are augmented."""
    return "none" if subject.at("training.augment") is None else "augmented"


def depth(subject: Subject) -> str:
    """Return how many layers it has, or what it is called where that is its kind's."""
    try:
        return f"{len(subject.at('net.widths')) - 1} layers"
    except UnknownName:
        return str(subject.at("net.kind"))


DATA: dict[str, tuple[str, Label]] = {
    "training samples": ("amounts", images),
    "label noise": ("noises", setting("data.label_noise")),
    "augmentation": ("augmentations", augmentation),
}
DESIGN: dict[str, tuple[str, Label]] = {
    "learning rate": ("rates", setting("training.optimiser.learning_rate")),
    "weight decay": ("decays", setting("training.optimiser.weight_decay")),
    "momentum": ("momenta", setting("training.optimiser.momentum")),
    "batch size": ("batches", setting("training.batch_size")),
    "normalisation": ("norms", setting("net.norm")),
    "depth": ("depths", depth),
}


def data(bench: Bench) -> Frame:
    """V1: how much data, how many labels are wrong, whether batches are augmented."""
    noise = (
        "With label noise the path is over the training labels as they were trained on, and the "
        "test labels are clean: a network that does not fit its noise ends at a larger training "
        "error and has a larger area for that alone."
    )
    return measured(bench, varied(bench, DATA), noise)


def design(bench: Bench) -> Frame:
    """V2: one setting of optimiser or architecture at a time."""
    return measured(bench, varied(bench, DESIGN))


def varied(bench: Bench, factors: Mapping[str, tuple[str, Label]]) -> Frame:
    """The runs of every factor's population, those of one value together."""
    rows = []
    for factor, (population, label) in factors.items():
        runs = bench.frame(population, diverged=True, value=label)
        rows += [row for group in runs.by("value").values() for row in group.derive(factor=factor)]
    return Frame.of(rows, cluster="seed")


ITEMS = (
    Item(
        name="data",
        id="V1",
        title="Data: amount, random labels, augmentation",
        asks="If the data change, does path shape tell how the test error changes?",
        measure=data,
        settings=("points",),
        populations=tuple(population for population, _ in DATA.values()),
        reported="Path shape is not a reliable indicator of test accuracy. What was varied is "
        "from memory, and no number is known.",
        show=show("V1"),
        claims=claims("V1", "a", "runs on different data"),
    ),
    Item(
        name="design",
        id="V2",
        title="Optimiser and architecture",
        asks="If the optimiser or the architecture changes, does path shape tell how the test "
        "error changes?",
        measure=design,
        settings=("points",),
        populations=tuple(population for population, _ in DESIGN.values()),
        reported="Path shape is not a reliable indicator of test accuracy. What was varied is "
        "from memory, and no number is known.",
        show=show("V2"),
        claims=claims("V2", "a", "optimisers and architectures"),
    ),
)
