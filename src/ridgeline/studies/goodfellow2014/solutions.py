"""G2: the line between two solutions, and between two that began together."""

from collections.abc import Sequence

from ridgeline.charts import Table
from ridgeline.profiles import Profile
from ridgeline.studies.common import curves_chart, groups, mean_sd, sound
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference, Mean
from ridgeline.study.lines import to
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject
from ridgeline.training import Duration

__all__ = ["ITEMS", "families"]

Pair = tuple[Subject, Subject]


def two_solutions(bench: Bench) -> Finding:
    """Independent solutions, and pairs with the first steps of training in common."""
    runs = sound(bench.runs("solutions"))
    # Each run in one pair alone, so that pairs are independent.
    pairs = {"nothing": list(zip(runs[::2], runs[1::2], strict=False))}
    for at, children in groups(sound(bench.runs("spawned")), "spawn.at").items():
        pairs[_label(at)] = _siblings(children)
    found = {
        label: [_between(bench, pair, label, i, len(some)) for i, pair in enumerate(some)]
        for label, some in pairs.items()
    }
    together_until = _label(bench.setting("together"))
    apart, together = found["nothing"], found.get(together_until, [])
    group = families(
        [(one.seed, other.seed) for one, other in pairs["nothing"]],
        [one.seed for one, _ in pairs.get(together_until, [])],
    )
    return Finding(
        charts=[
            curves_chart(
                f"two-solutions-{split}",
                f"Between two solutions, by what they have in common ({split})",
                f"{split.capitalize()} loss and error on the line between two minima.",
                found,
                split=split,
                ordered=True,
            )
            for split in ("train", "test")
        ],
        tables=[_table(found)],
        cases={
            "G2a": [_height(p) for p in apart],
            "G2b": [_height(p) for p in together],
            "G2c": {
                "more": [_height(p) for p in apart],
                "less": [_height(p) for p in together],
                **group,
            },
        },
        words=[
            "Solutions that have something in common are two children of one run: the same "
            "initialisation and the same batches up to a time, then other orders of batches. "
            "Claims compare independent solutions with the children that have "
            f"{together_until} in common."
        ],
    )


def _label(at: str) -> str:
    """Label of a time as specs have it: ``"4ep"``."""
    if Duration.parse(at) == Duration():
        return "initialisation"
    return f"the first {at.replace('ep', ' ep. ').replace('it', ' it.').strip()}"


def families(apart: Sequence[tuple[int, int]], parents: Sequence[int]) -> dict[str, list[int]]:
    """Groups of pairs that are not independent: those in which one seed has a part.

    A run and a parent of one seed begin at the same weights.

    Args:
        apart: Seeds of the two runs of each pair; no seed is in two of them.
        parents: The seed of each pair of siblings.

    Returns:
        For each pair of runs its first seed, and for each pair of siblings that of the pair of
        runs in which its parent's seed is, or else the parent's own.
    """
    first = {seed: pair[0] for pair in apart for seed in pair}
    return {
        "more_group": [one for one, _ in apart],
        "less_group": [first.get(seed, seed) for seed in parents],
    }


def _siblings(children: Sequence[Subject]) -> list[Pair]:
    """The first two children of each parent."""
    families = groups(children, "seed").values()
    return [(family[0], family[1]) for family in families if len(family) > 1]


def _between(bench: Bench, pair: Pair, label: str, i: int, n: int) -> Profile:
    bench.tell(f"in common: {label}", i, n)
    one, other = pair
    return bench.profile(one, to(other), others=[other], splits=("train", "test"))


def _height(profile: Profile) -> float:
    """Height of the barrier of the training loss over the chord, in nats."""
    return profile.barrier().height


def _table(found: dict[str, list[Profile]]) -> Table:
    rows = [
        [
            label,
            mean_sd(_height(p) for p in profiles),
            mean_sd(p.barrier(metric="error").height for p in profiles),
            mean_sd(p.barrier(split="test").height for p in profiles),
            mean_sd(p.barrier(metric="error", split="test").height for p in profiles),
        ]
        for label, profiles in found.items()
    ]
    columns = ["in common", "training loss", "training error", "test loss", "test error"]
    note = "Barriers over the chord: mean ± standard deviation over pairs (number of pairs)"
    return Table(
        title="Barriers between two solutions",
        columns=columns,
        rows=rows,
        note=f"{note}; losses in nats, errors as shares of samples.",
    )


ITEMS = (
    Item(
        name="two-solutions",
        id="G2",
        title="Between two solutions",
        asks="Is there a barrier between two solutions, and does it need two beginnings?",
        measure=two_solutions,
        settings=("points", "together"),
        populations=("solutions", "spawned"),
        reported="A barrier appears between independent solutions (as remembered).",
        claims=(
            Claim(
                id="G2a",
                text="There is a barrier between independent solutions",
                place="lines between solutions, as remembered",
                source="memory",
                test=Mean("barrier of the training loss (nats)", "above", 0.1),
            ),
            Claim(
                id="G2b",
                text="There is none between solutions that began together",
                place="our specification, G2",
                source="derived",
                test=Mean("barrier of the training loss (nats)", "below", 0.1),
            ),
            Claim(
                id="G2c",
                text="Beginning together lowers the barrier",
                place="our specification, G2",
                source="derived",
                test=Difference("barrier, independent less begun together"),
            ),
        ),
    ),
)
