"""A8: what is left after matching where weights begin larger."""

from ridgeline.studies.ainsworth2022.interpolation import curves, lines, table
from ridgeline.studies.matched import ACTIVATIONS, NAIVE, WEIGHTS
from ridgeline.studies.pairs import apart
from ridgeline.study.bench import Bench
from ridgeline.study.papers import Finding, Item

__all__ = ["ITEMS"]

WAYS = (NAIVE, WEIGHTS, ACTIVATIONS)


def initialised(bench: Bench) -> Finding:
    """The same where weights begin larger."""
    found = lines(bench, apart(bench.runs("he")), WAYS)
    return Finding(
        charts=curves(found, "-he"),
        tables=[table(found, "Barriers where weights begin larger")],
        words=[
            "Weights begin with He's variance, six times that of torch's layers and twice that of "
            "the authors' [memory]. Nothing is claimed: it was measured first, by mistake, as A1.",
            "A likely reason, not tested: what a weight began as stays in it, and two networks "
            "share nothing of that, so that matching by weights has more noise to see through.",
        ],
    )


ITEMS = (
    Item(
        name="initialisation",
        id="A8",
        title="Where weights begin larger",
        asks="Does it matter how weights were drawn?",
        measure=initialised,
        settings=("points", "activation_samples"),
        populations=("he",),
        reported="Appendix A.1 of the paper names networks that it fails on, by optimiser and "
        "learning rate; of initialisation it says nothing that we know.",
        claims=(),
    ),
)
