"""Wang et al. 2023: the plateau in linear interpolation, and biases as its cause.

*Plateau in Monotonic Linear Interpolation: a "biased" view of loss landscape for deep networks*
(ICLR 2023, arXiv 2210.01019). The loss and the error on the line from initialisation to minimum
stay high for long, and biases are why: at t the signal of r layers has shrunk like t**r, the last
bias only like t.

Definitions and claims are the paper's; widths, rates and lengths of its section 5 could not be
obtained, and no code was released. The settings of the scales are ours, those of `laptop` from
our calibration. Thresholds were fixed before anything was measured at that scale; which tests were
changed after a first run and a review is said beside the results.
"""

from ridgeline.studies.wang2023 import biases, flow, order, sweeps, theory
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="wang2023",
    title="Plateau in Monotonic Linear Interpolation: a “biased” view of loss landscape",
    authors="X. Wang, A. N. Wang, M. Zhou, R. Ge",
    where="ICLR 2023, arXiv 2210.01019",
    about="The paper's widths, learning rates and lengths could not be obtained; directions can "
    "be checked, its numbers cannot.",
    items=tuple(
        sorted(
            (*biases.ITEMS, *sweeps.ITEMS, *theory.ITEMS, *order.ITEMS, *flow.ITEMS),
            key=lambda item: int(item.id.removeprefix("W")),
        )
    ),
)
