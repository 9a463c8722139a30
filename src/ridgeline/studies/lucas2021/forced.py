"""L12: training is made to go far, in four ways."""

from collections.abc import Callable

from ridgeline.frame import Frame, correlation, difference
from ridgeline.frame.demands import NEEDED
from ridgeline.frame.show import Scatter, Summary
from ridgeline.studies.lucas2021.counting import gone, lines, runs, share_risen
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["FAR", "ITEMS", "forced", "gone_far"]

USUAL = "as usual"
WAYS = {
    "chosen": USUAL,
    "radius": "drawn to a radius",
    "fast": "large learning rate",
    "relabelled": "random labels first",
    "grafted": "grafted steps",
}
"""Population to what is done in it."""
FAR = 1.5
"""How many times as far as the usual run of its seed a run must have gone to have been forced."""


def forced(bench: Bench) -> Frame:
    """Min Delta against weight distance, usual runs and runs that are made to go far."""
    every = runs(bench, {way: population for population, way in WAYS.items()})
    seeds = set(every.where(lambda population: population != USUAL).values("seed"))
    # Of the usual runs those of seeds that were forced as well.
    found = every.where(lambda population, seed: population != USUAL or seed in seeds)
    floor = bench.setting("tolerance")
    return gone_far(gone(bench, lines(bench, found))).noted(
        "Four ways to make training go far: a penalty that draws the norm of every tensor to "
        "a radius; a large learning rate; random labels for the first part of training and "
        "clean ones afterwards; and grafting, the length of Adam's steps on the direction "
        "of SGD's and the reverse. Runs are compared with the usual run of their seed, and "
        f"only if they went {FAR:g} times as far from the same first weights. "
        f"Rises below {floor:g} are drawn at {floor:g}.",
    )


def gone_far(frame: Frame) -> Frame:
    """Say of forced runs if they went `FAR` times as far as the usual run of their seed.

    Args:
        frame: With ``population``, ``seed``, ``distance``, which is missing where a run does not
            count.

    Returns:
        The rows with ``far``; false too where no usual run of the seed counts.
    """
    usual = frame.where(population=USUAL, distance=lambda _: True)
    went = dict(zip(usual.values("seed"), usual.values("distance"), strict=True))
    return frame.derive(
        far=lambda population, seed, distance: (
            population != USUAL and seed in went and distance >= FAR * went[seed]
        )
    )


def _too_few(way: str) -> Callable[[Frame], str]:
    def why(rows: Frame) -> str:
        every = rows.where(population=way)
        far = every.where(far=True)
        pairs = len(set(far.values("seed")))
        return (
            ""
            if pairs >= NEEDED
            else (
                f"{len(far)} of {len(every)} runs, of {pairs} seeds, went {FAR:g} times as "
                f"far as the usual run of their seed; at least {NEEDED} seeds wanted"
            )
        )

    return why


def _breaks(letter: str, what: str, way: str) -> Claim:
    asked = difference(
        "rises",
        "share that is not monotone, forced less usual, of forced runs that went "
        f"{FAR:g} times as far or farther",
        {"population": way, "far": True},
        {"population": USUAL},
        cluster="seed",
        paired=True,
        why=_too_few(way),
    )
    return Claim(
        id=f"L12{letter}",
        text=f"Forced to go far by {what}, training breaks monotonicity",
        place="abstract; options of the released code, whose outcomes are not known",
        source="memory",
        test=asked > 0,
    )


ITEMS = (
    Item(
        name="forced",
        id="L12",
        title="Making training go far",
        asks="Is monotonicity lost if training is forced to go far?",
        measure=forced,
        settings=("points", "threshold", "tolerance"),
        populations=tuple(WAYS),
        reported="Violations can be produced systematically by encouraging the weights to move "
        "far from the initialisation.",
        show=(
            Scatter(
                "forced",
                "Rises of runs that are made to go far",
                "Runs that reached the threshold.",
                x=("distance", "|θ(T) - θ(0)|"),
                y={"min Δ (nats)": "seen"},
                line="population",
                log_x=True,
                log_y=True,
                where={"counts": True},
            ),
            Summary(
                "Runs that are made to go far",
                by={"training": "population"},
                of={
                    "trained": lambda rows: (
                        f"{len(rows)} ({len(rows.where(diverged=True))} diverged)"
                    ),
                    "reached the threshold": lambda rows: len(rows.where(counts=True)),
                    "distance": "distance",
                    "not monotone": share_risen,
                    "min Δ": "rise",
                },
                note="Mean ± standard deviation (runs).",
            ),
        ),
        claims=(
            Claim(
                *("L12a", "The farther runs are made to go, the larger the rise", "abstract"),
                correlation("distance", "rise", "weight distance and min Δ", cluster="seed") > 0,
            ),
            *(
                _breaks(letter, what, way)
                for letter, what, way in zip(
                    "bcde",
                    (
                        "a radius penalty",
                        "a large learning rate",
                        "random labels first",
                        "grafted steps",
                    ),
                    tuple(WAYS.values())[1:],
                    strict=True,
                )
            ),
        ),
    ),
)
