"""Lucas et al. 2021: when the loss falls monotonically from initialisation to minimum, and why.

*Analyzing Monotonic Linear Interpolation in Neural Network Loss Landscapes* (ICML 2021, arXiv
2104.11044). A path is Delta-monotonic if no later loss is above an earlier one by more than Delta;
min Delta is the smallest such Delta.

Grids, filters and definitions are those of the released code, read in full; the cells of the
tables could not be obtained. Widths, lengths and data of `laptop` are ours and smaller.
Language models (WikiText-2 and RoBERTa) are not asked about.
"""

from ridgeline.studies.lucas2021 import (
    autoencoders,
    distance,
    forced,
    heatmaps,
    logits,
    permutations,
    residual,
    shares,
    starts,
    theory,
    turns,
    views,
)
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

_ITEMS = (
    *(*shares.ITEMS, *heatmaps.ITEMS, *autoencoders.ITEMS, *residual.ITEMS),
    *(*distance.ITEMS, *starts.ITEMS, *permutations.ITEMS, *views.ITEMS),
    *(*logits.ITEMS, *forced.ITEMS, *theory.ITEMS, *turns.ITEMS),
)

PAPER = Paper(
    name="lucas2021",
    title="Analyzing Monotonic Linear Interpolation in Neural Network Loss Landscapes",
    authors="J. Lucas, J. Bae, M. R. Zhang, S. Fort, R. Zemel, R. Grosse",
    where="ICML 2021, arXiv 2104.11044",
    about="Grids and filters are the released code's; numbers in the paper's tables could not be "
    "obtained, so directions can be checked and numbers cannot. Learning rates follow its grid; "
    "networks are narrower and trained on fewer images.",
    items=tuple(sorted(_ITEMS, key=lambda item: int(item.id[1:]))),
)
