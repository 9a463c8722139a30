"""Kanoh & Sugiyama 2025: ensembles of soft trees are linearly connected, modulo trees' symmetries.

*Linear Mode Connectivity in Differentiable Tree Ensembles* (ICLR 2025, arXiv 2405.14596). Trees of
an ensemble can be exchanged, as units of a layer can; but a split can also change sides with its
subtrees, and splits of oblivious trees can be reordered. Only when these are matched, too, is the
barrier between independently trained ensembles nearly gone. Decision lists without a last leaf have
nothing but the order of trees.

Settings, algorithms and numbers are the paper's (the NeurIPS 2024 submission, which is public). It
trains on sixteen tables of OpenML; `laptop` trains on tables that come with R and on a generated
one. Thresholds were fixed before anything was measured at that scale, in our specification. That
the patterns of its table 1 leave the function as it is, and that no others do, is no claim here
but a test of the code.
"""

from ridgeline.studies.kanoh2024 import architectures, planted, skewed, sweeps
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="kanoh2024",
    title="Linear Mode Connectivity in Differentiable Tree Ensembles",
    authors="R. Kanoh, M. Sugiyama",
    where="ICLR 2025, arXiv 2405.14596",
    about="Barriers are of the accuracy, over the chord, at 25 positions (its equation 1). The "
    "paper draws 10,000 rows to train and 10,000 to test, makes each feature normal by its "
    "quantiles, and trains by Adam in batches of 512 for 50 epochs. How leaves begin is not said: "
    "here uniformly, as a linear layer over all leaves of all trees.",
    items=(*architectures.ITEMS, *sweeps.ITEMS, *skewed.ITEMS, *planted.ITEMS),
)
