"""W4 and W5: plateaus against the scale of the initialisation and against depth."""

from ridgeline.frame import Frame, correlation
from ridgeline.frame.show import Curves, Scatter, Show
from ridgeline.studies.common import area, plateau_end, shapes
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]


def init_scale(bench: Bench) -> Frame:
    """Smaller first weights."""
    return _measured(bench, bench.frame("scales", at="net.scale"))


def depth(bench: Bench) -> Frame:
    """More layers."""
    return _measured(bench, bench.frame("depths", at=lambda run: len(run.at("net.widths")) - 1))


def _measured(bench: Bench, runs: Frame) -> Frame:
    return bench.lines(runs.sorted("at", "seed")).derive(
        area=area,
        loss_end=lambda profile: plateau_end(profile, "loss"),
        loss_area=lambda profile: profile.plateau().relative_area,
        what="runs",
    )


def _shown(name: str, said: str) -> tuple[Show, ...]:
    return (
        Curves(name, f"By {said}", line="at", ordered=True),
        Scatter(
            *(f"{name}-against", f"Plateaus against {said}"),
            x=("at", said),
            y={
                "error area": "area",
                "loss plateau end": "loss_end",
                "loss area / L(0)": "loss_area",
            },
            line="what",
        ),
        shapes(f"Plateaus by {said}", {said: "at"}),
    )


def _trend(id: str, what: str, path: str, column: str, text: str) -> Claim:
    asked = correlation("at", column, f"{path} and {what}", cluster="seed")
    return Claim(id, text, "section 5", asked < 0 if path == "scale" else asked > 0)


ITEMS = (
    Item(
        name="init-scale",
        id="W4",
        title="The scale of the initialisation",
        asks="Are plateaus longer from smaller first weights?",
        measure=init_scale,
        settings=("points",),
        populations=("scales",),
        reported="A smaller initialisation gives longer plateaus of both error and loss.",
        show=_shown("scales", "initialisation scale"),
        claims=(
            _trend("W4a", "error area", "scale", "area", "Smaller init, longer error plateau"),
            _trend(
                *("W4b", "loss plateau end", "scale", "loss_end"),
                "Smaller init, later end of the loss plateau",
            ),
            _trend("W4c", "loss area", "scale", "loss_area", "Smaller init, larger loss area"),
        ),
    ),
    Item(
        name="depth",
        id="W5",
        title="Depth",
        asks="Are plateaus longer in deeper networks?",
        measure=depth,
        settings=("points",),
        populations=("depths",),
        reported="Deeper networks have longer plateaus of both error and loss.",
        show=_shown("depths", "layers"),
        claims=(
            _trend("W5a", "error area", "depth", "area", "Deeper, longer error plateau"),
            _trend(
                *("W5b", "loss plateau end", "depth", "loss_end"),
                "Deeper, later end of the loss plateau",
            ),
            _trend("W5c", "loss area", "depth", "loss_area", "Deeper, larger loss area"),
        ),
    ),
)
