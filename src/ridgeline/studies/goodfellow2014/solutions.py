"""G2: the line between two solutions, and between two that were spawned from one run."""

from ridgeline.frame import Frame, difference, mean
from ridgeline.frame.show import Curves, Summary
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.lines import to
from ridgeline.study.papers import Item
from ridgeline.training import Duration

__all__ = ["ITEMS", "clustered"]


def two_solutions(bench: Bench) -> Frame:
    """Independent solutions, and pairs with the first steps of training in common."""
    runs = bench.frame("solutions").values("run")
    # Each run in one pair alone, so that pairs are independent.
    pairs = [("nothing", one, other) for one, other in zip(runs[::2], runs[1::2], strict=False)]
    for at, children in bench.frame("spawned", at="spawn.at").by("at").items():
        families = [family.values("run") for family in children.by("seed").values()]
        pairs += [(_label(at), *family[:2]) for family in families if len(family) > 1]
    rows = []
    for i, (common, one, other) in enumerate(pairs):
        bench.tell(f"in common: {common}", i, len(pairs))
        profile = bench.profile(one, to(other), others=[other], splits=("train", "test"))
        rows.append({"common": common, "a": one.seed, "b": other.seed, "profile": profile})
    together = _label(bench.setting("together"))
    return (
        clustered(Frame.of(rows))
        .derive(
            together=lambda common: common == together,
            loss=lambda profile: profile.barrier().height,
            error=lambda profile: profile.barrier(metric="error").height,
            test_loss=lambda profile: profile.barrier(split="test").height,
            test_error=lambda profile: profile.barrier(metric="error", split="test").height,
        )
        .noted(
            "Solutions that have something in common are two children of one run: the same "
            "initialisation and the same batches up to a time, then other orders of batches. "
            "Claims compare independent solutions with the children that have "
            f"{together} in common."
        )
    )


def clustered(pairs: Frame) -> Frame:
    """Pairs that are not independent share a ``cluster``: those in which one seed has a part.

    A run and a parent of one seed begin at the same weights. No seed is in two independent pairs.

    Args:
        pairs: What they have in ``common``, and their seeds ``a`` and ``b``.
    """
    first = {
        seed: row["a"] for row in pairs.where(common="nothing") for seed in (row["a"], row["b"])
    }
    return pairs.derive(cluster=lambda a: first.get(a, a)).clustered("cluster")


def _label(at: str) -> str:
    """Label of a time as specs have it: ``"4ep"``."""
    if Duration.parse(at) == Duration():
        return "initialisation"
    return f"the first {at.replace('ep', ' ep. ').replace('it', ' it.').strip()}"


HEIGHT = "barrier of the training loss (nats)"
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
        show=(
            *(
                Curves(
                    f"two-solutions-{split}",
                    f"Between two solutions, by what they have in common ({split})",
                    f"{split.capitalize()} loss and error on the line between two minima.",
                    line="common",
                    split=split,
                    ordered=True,
                )
                for split in ("train", "test")
            ),
            Summary(
                "Barriers between two solutions",
                by={"in common": "common"},
                of={
                    "training loss": "loss",
                    "training error": "error",
                    "test loss": "test_loss",
                    "test error": "test_error",
                },
                note="Barriers over the chord: mean ± standard deviation over pairs (number of "
                "pairs); losses in nats, errors as shares of samples.",
            ),
        ),
        claims=(
            Claim(
                *("G2a", "There is a barrier between independent solutions"),
                "lines between solutions, as remembered",
                mean("loss", HEIGHT, common="nothing") > 0.1,
                "memory",
            ),
            Claim(
                *("G2b", "There is none between solutions that were spawned from one run"),
                "our specification, G2",
                mean("loss", HEIGHT, together=True) < 0.1,
                "derived",
            ),
            Claim(
                *("G2c", "Being spawned from one run lowers the barrier", "our specification, G2"),
                difference(
                    *("loss", "barrier, independent less spawned"),
                    {"common": "nothing"},
                    {"together": True},
                    cluster="cluster",
                )
                > 0,
                "derived",
            ),
        ),
    ),
)
