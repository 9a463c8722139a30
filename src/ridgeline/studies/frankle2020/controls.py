"""S2 and S3: children that train for the whole length, and how far apart stable ones are."""

from typing import Any

from ridgeline.frame import Frame, difference, mean
from ridgeline.frame.show import Summary, mean_sd
from ridgeline.studies.frankle2020.siblings import NETWORKS, STABLE, siblings
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "settled"]

LENGTHS = {"what is left": "lenet", "whole length": "lenet-full"}
LEFT, WHOLE = ({"network": name} for name in LENGTHS)


def control(bench: Bench) -> Frame:
    """Children that train for the whole length, however late they parted, in pairs by seed."""
    found = siblings(bench, LENGTHS).derive(pair=lambda step, seed: (step, seed))
    pairs = found.balanced("pair", "network")
    left = pairs.where(**LEFT)
    if any(group["test"].mean() >= STABLE for group in left.by("step").values()):
        return pairs.derive(compared=lambda test: test)
    said = "No step that is compared was unstable, so that nothing can be decided."
    return pairs.derive(compared=None).noted(said)


def distances(bench: Bench) -> Frame:
    """Return how far apart children are that are linearly connected."""
    found = siblings(bench, NETWORKS)
    first = {network: settled(group) for network, group in found.by("network").items()}
    return found.derive(
        settled=lambda network, step: step == first[network],
        points=lambda test: 100 * test,
    ).noted(
        "Claims are of the first step from which the instability of every pair is below 2 %. "
        "A network without such a step decides nothing."
    )


def settled(found: Frame) -> int | None:
    """The first step from which on every pair is below the threshold; None if none."""
    last = None
    for step, pairs in reversed(list(found.sorted("step").by("step").items())):
        if pairs["test"].max() >= STABLE:
            break
        last = step
    return last


def _points(of: dict[str, str]) -> Any:
    return lambda rows: mean_sd(100 * rows.where(**of)["test"])


def _control(id: str, text: str, *, below: bool) -> Claim:
    said = "instability, whole length less what is left (share)"
    asked = difference("compared", said, WHOLE, LEFT, cluster="seed")
    test = asked < STABLE if below else asked > -STABLE
    return Claim(id, text, "section 3, control; the margin is ours", test)


def _far(id: str, network: str, source: Any) -> Claim:
    asked = mean(
        *("share", "distance over distance travelled, first stable step"),
        network=network,
        settled=True,
    )
    text = f"Stable children of {network} are far apart"
    return Claim(id, text, "section 3; the threshold is ours", asked > 0.1, source)


ITEMS = (
    Item(
        name="whole-length",
        id="S2",
        title="Children that train for the whole length",
        asks="Is it because late children have less left to train?",
        measure=control,
        settings=("points",),
        populations=tuple(LENGTHS.values()),
        reported="Children for the whole length, with the schedule from its beginning: "
        "indistinguishable instability.",
        show=(
            Summary(
                "Children that train for what is left, and for the whole length",
                by={"parted at step": "step"},
                of={"what is left": _points(LEFT), "whole length": _points(WHOLE)},
                note="LeNet-300-100; instability in percentage points of test error, mean ± "
                "standard deviation (number of pairs).",
            ),
        ),
        claims=(
            _control("S2a", "Children for the whole length are not less stable", below=True),
            _control("S2b", "Nor are they more stable", below=False),
        ),
    ),
    Item(
        name="distance",
        id="S3",
        title="Distance between stable children",
        asks="Are connected children near each other?",
        measure=distances,
        settings=("points",),
        populations=tuple(NETWORKS.values()),
        reported="Stable children are still 25 % (ResNet-20) and 45 % (VGG-16) of the distance "
        "travelled apart, at the first stable step.",
        show=(
            Summary(
                "Distance between children",
                by={"network": "network", "parted at step": "step"},
                of={
                    "distance": "apart",
                    "of the distance travelled": "share",
                    "instability (points)": "points",
                    "pairs": len,
                },
                note="Over trained numbers; distance travelled is the children's mean distance "
                "from the initialisation. Mean ± standard deviation over pairs.",
                count=False,
            ),
        ),
        # The paper's are of ResNet and VGG.
        claims=(_far("S3a", "LeNet-300-100", "derived"), _far("S3b", "ResNet-20", "paper")),
    ),
)
