"""E1 and E2: barriers between independent networks by width and by depth (figure 2)."""

from ridgeline.frame import Frame, correlation
from ridgeline.frame.show import Curves, Show, Summary, Trend, mean_sd
from ridgeline.studies.matched import between
from ridgeline.studies.pairs import cells, height, hidden, of_learned, points_of, rows, width
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "sides"]


def widths(bench: Bench) -> Frame:
    """Wider networks of one hidden layer."""
    threshold = float(bench.setting("threshold"))
    found = _measured(bench, rows(cells(bench.runs("widths"), width)), "width")
    return sides(found, threshold).noted(
        f"The interpolation threshold is taken to be at {threshold:g} units, where a network "
        "has about as many parameters as there are samples times classes: said before "
        "measuring, and on both sides of the comparison."
    )


def depths(bench: Bench) -> Frame:
    """More hidden layers of one width."""
    return _measured(bench, rows(cells(bench.runs("depths"), hidden)), "depth")


def sides(found: Frame, threshold: float) -> Frame:
    """Rows that are up to a threshold, and which from it on; those at it are on both sides."""
    return found.derive(narrow=lambda at: at <= threshold, wide=lambda at: at >= threshold)


def _measured(bench: Bench, pairs: Frame, what: str) -> Frame:
    for value, group in pairs.by("at").items():
        bench.tell(f"{what} {value:g}", 0, len(group))
    return pairs.derive(
        profile=lambda pair: between(bench, pair),
        train=height,
        test=lambda profile: height(profile, "test"),
        train_points=lambda profile: points_of(profile, "train"),
        test_points=points_of,
        judged=of_learned("train"),
    )


def _shown(name: str, said: str, *, log_x: bool = False) -> tuple[Show, ...]:
    splits = {"training set": "train", "test set": "test"}
    points = {label: f"{column}_points" for label, column in splits.items()}
    return (
        Trend(
            f"barriers-{name}s",
            f"Barriers between independent networks, against {said}",
            "Over the chord. Mean over pairs of seeds that are sound everywhere, band of one "
            "standard deviation.",
            x=("at", said),
            y={"loss barrier (nats)": splits, "accuracy barrier (points)": points},
            unit="group",
            log_x=log_x,
        ),
        Curves(
            f"lines-by-{name}", f"Between independent networks, by {name}", line="at", ordered=True
        ),
        Summary(
            f"Barriers by {name}",
            by={said: "at"},
            of={
                "loss barrier, train": "train",
                "loss barrier, test": "test",
                "accuracy barrier, train (points)": "train_points",
                "accuracy barrier, test (points)": "test_points",
                "training loss of the runs": lambda group: mean_sd(
                    run.loss for pair in group.values("pair") for run in (pair.a, pair.b)
                ),
            },
            note="Mean ± standard deviation over pairs, or runs (their number); losses in nats.",
        ),
    )


ITEMS = (
    Item(
        name="width",
        id="E1",
        title="Width",
        asks="How does the barrier between independent networks change with width?",
        measure=widths,
        settings=("points", "threshold"),
        populations=("widths",),
        reported="It rises and then falls; its peak is near the interpolation threshold.",
        show=_shown("width", "hidden units", log_x=True),
        claims=(
            Claim(
                *("E1a", "Up to the interpolation threshold the barrier rises with width"),
                "figure 2",
                correlation(
                    *("at", "judged", "width and train-loss barrier, up to the threshold"),
                    cluster="group",
                    narrow=True,
                )
                > 0,
            ),
            Claim(
                *("E1b", "From the interpolation threshold on the barrier falls with width"),
                "figure 2",
                correlation(
                    *("at", "judged", "width and train-loss barrier, from the threshold on"),
                    cluster="group",
                    wide=True,
                )
                < 0,
            ),
        ),
    ),
    Item(
        name="depth",
        id="E2",
        title="Depth",
        asks="How does the barrier between independent networks change with depth?",
        measure=depths,
        settings=("points",),
        populations=("depths",),
        reported="It grows fast with depth.",
        show=_shown("depth", "hidden layers"),
        claims=(
            Claim(
                *("E2a", "The deeper, the higher the barrier", "figure 2"),
                correlation(
                    *("at", "judged", "hidden layers and train-loss barrier"), cluster="group"
                )
                > 0,
            ),
        ),
    ),
)
