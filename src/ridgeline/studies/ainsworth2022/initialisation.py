"""A8: what is left after matching where weights begin larger."""

from ridgeline.profiles import Profile
from ridgeline.studies.ainsworth2022.interpolation import curves, table
from ridgeline.studies.matched import ACTIVATIONS, NAIVE, WEIGHTS, between
from ridgeline.studies.pairs import apart
from ridgeline.study.bench import Bench
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS"]

WAYS = (NAIVE, WEIGHTS, ACTIVATIONS)


def initialised(bench: Bench) -> Finding:
    """The same where weights begin larger."""
    pairs = apart(bench.runs("he"))
    found: dict[str, list[Profile]] = {}
    for i, way in enumerate(WAYS):
        bench.tell(way.name, i, len(WAYS))
        found[way.name] = [between(bench, pair, way) for pair in pairs]
    return Finding(
        charts=curves(found, "-he"),
        tables=[table(found, "Barriers where weights begin larger")],
        words=[
            "Weights begin with He's variance, six times that of torch's layers and twice that of "
            "the authors'. Nothing is claimed: this was measured first, by mistake, as A1.",
            "What a weight began as stays in it, and nothing of that is shared by two networks: "
            "the more there is of it, the less can matching by weights tell the units apart.",
        ],
    )


ITEMS = (
    Item(
        name="initialisation",
        id="A8",
        title="Where weights begin larger",
        asks="Does it matter how weights were drawn?",
        measure=initialised,
        populations=("he",),
        reported="Appendix A.1 of the paper names networks that it fails on, by optimiser and "
        "learning rate; of initialisation it says nothing that we know.",
        claims=(),
    ),
)
