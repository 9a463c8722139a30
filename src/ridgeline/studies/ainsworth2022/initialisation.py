"""A8: what is left after matching where weights begin larger."""

from ridgeline.frame import Frame
from ridgeline.studies.ainsworth2022.interpolation import measured, shown
from ridgeline.studies.matched import ACTIVATIONS, NAIVE, WEIGHTS
from ridgeline.study.bench import Bench
from ridgeline.study.papers import Item

__all__ = ["ITEMS"]


def initialised(bench: Bench) -> Frame:
    """The same where weights begin larger."""
    return measured(bench, "he", (NAIVE, WEIGHTS, ACTIVATIONS)).noted(
        "Weights begin with He's variance, six times that of torch's layers and twice that of "
        "the authors' [memory]. Nothing is claimed: it was measured first, by mistake, as A1.",
        "A likely reason, not tested: what a weight began as stays in it, and two networks "
        "share nothing of that, so that matching by weights has more noise to see through.",
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
        show=shown("-he", "Barriers where weights begin larger"),
    ),
)
