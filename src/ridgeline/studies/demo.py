"""The demonstration: two small networks, every kind of path between their points.

The setting is a small version of the one in which Wang et al. (2023) see a plateau: four layers,
initial weights a quarter of He's, biases everywhere, SGD with momentum. It was fixed before any
result was seen.
"""

from dataclasses import dataclass

from ridgeline import data, state
from ridgeline.nets import fcn
from ridgeline.objective import Objective
from ridgeline.paths import Line, Plane, homogeneous_biases
from ridgeline.profiles import Profile, Surface, layerwise, profile, surface
from ridgeline.progress import Progress, silent
from ridgeline.training import SGD, Keep, Member, Recipe, Run, TrainingStatus, train_together

__all__ = ["MODEL", "Demo", "demo"]

WIDTHS = (64, 128, 128, 128, 10)
SCALE = 0.25
MODEL = f"ridgeline.nets:fcn({', '.join(map(str, WIDTHS))})"
"""How the command line names the network."""
BATCH = 100
EPOCHS = 60
POINTS = 51
SIDE = 31


@dataclass(frozen=True, eq=False)
class Demo:
    """All that the demonstration measured."""

    runs: dict[str, Run]
    """Network ``a`` and ``b``, of two seeds."""
    descent: dict[str, Profile]
    """Initialisation to minimum of a: all tensors at one rate, and with homogeneous biases."""
    between: Profile
    """Minimum of a to minimum of b."""
    layers: dict[str, Profile]
    """The same, one layer at a time, the others held at a."""
    surface: Surface
    """The plane through a's initialisation and both minima."""
    trajectories: dict[str, list[tuple[float, float, float]]]
    """Each run's states on that plane: x, y, and the distance off it."""
    spent: dict[str, float]
    """Distances in weight space."""


def demo(progress: Progress | None = None) -> Demo:
    """Train two networks on scikit-learn's digits and trace the paths between their points.

    Args:
        progress: Told how far the work is.

    Returns:
        Everything measured; about half a minute on two cores.

    Raises:
        MissingExtra: If scikit-learn is not installed.
    """
    tell = progress or silent
    digits = data.load("digits")
    train_split, test_split = digits["train"], digits["test"]
    runs = dict(zip("ab", _trained(train_split, tell), strict=True))
    model = fcn(*WIDTHS)
    splits = {
        "train": Objective(model, (train_split.inputs, train_split.targets)),
        "test": Objective(model, (test_split.inputs, test_split.targets)),
    }
    start, a, b = runs["a"].initial, runs["a"].final, runs["b"].final

    def told(what: str) -> Progress:
        return lambda split, done, of: tell(f"{what} ({split})", done, of)

    def layer(what: str, done: int, of: int) -> None:
        tell(f"layer {what}", done, of)

    example = train_split.inputs[:2]
    descent = {
        "uniform rates": profile(
            Line(start, a), splits, points=POINTS, progress=told("initialisation to minimum")
        ),
        "homogeneous biases": profile(
            Line(start, a, rates=homogeneous_biases(model, example)),
            splits,
            points=POINTS,
            progress=told("the same, homogeneous biases"),
        ),
    }
    between = profile(Line(a, b), splits, points=POINTS, progress=told("minimum to minimum"))
    layers = layerwise(a, b, splits, points=POINTS, progress=layer)
    plane = Plane(start, a, b)
    trajectories = {
        name: [plane.project(run.states[step]) for step in sorted(run.states)]
        for name, run in runs.items()
    }
    x, y = plane.axes(SIDE, margin=0.15)
    found = surface(plane, {"train": splits["train"]}, points=(x, y), progress=told("the plane"))
    spent = {
        "initialisation to minimum, a": state.distance(start, a),
        "initialisation to minimum, b": state.distance(runs["b"].initial, b),
        "minimum a to minimum b": state.distance(a, b),
    }
    return Demo(runs, descent, between, layers, found, trajectories, spent)


def _trained(split: data.Split, tell: Progress) -> list[Run]:
    """Two networks in one stack, with states kept more densely where they move fast."""
    steps = -(-len(split) // BATCH) * EPOCHS
    recipe = Recipe(
        length=f"{EPOCHS}ep",
        batch_size=BATCH,
        optimiser=SGD(learning_rate=0.02, momentum=0.9),
        keep=Keep(at=tuple(f"{round(steps * (i / 24) ** 2)}it" for i in range(25))),
    )
    members = [Member(fcn(*WIDTHS, scale=SCALE, seed=seed), recipe, seed=seed) for seed in (0, 1)]

    def told(status: TrainingStatus) -> None:
        tell("training two networks", status.step, status.planned)

    return train_together(members, split, watch=told)
