"""L4: residual networks with and without batch normalisation, four kinds of first weights."""

from ridgeline.frame import Frame, difference
from ridgeline.frame.show import Summary
from ridgeline.studies.lucas2021.counting import (
    RATE,
    lines,
    lost,
    mean_risen,
    optimiser,
    runs,
    share_risen,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "residual"]


def residual(bench: Bench) -> Frame:
    """Table B: the share of residual networks whose line rises."""
    found = runs(bench, "residual", optimiser=optimiser, first="net.first", rate=RATE)
    return lines(bench, found).noted(
        "Counted are runs whose final training loss is at most "
        f"{bench.setting('threshold'):g}; here every rise above "
        f"{bench.setting('tolerance'):g} counts, as in the released code. Runs of one seed "
        "are one group."
    )


FIRST = {"optimiser": "optimiser", "first weights": "first"}
SAID = {"mean min Δ": mean_risen, "diverged": lost}
ITEMS = (
    Item(
        name="residual",
        id="L4",
        title="Residual networks",
        asks="Do batch normalisation and the kind of first weights matter in residual networks?",
        measure=residual,
        settings=("points", "threshold", "tolerance"),
        populations=("residual",),
        reported="Batch normalisation raises the share of runs that are not monotone; the "
        "table's cells could not be obtained.",
        show=(
            Summary(
                "Residual networks whose line rises",
                by=FIRST,
                of={"not monotone, p (n)": share_risen, **SAID},
                note="BN: ordinary; BN-I and NBN-I: branches start at zero; NBN-F: Fixup. The mean "
                "is over the runs that are not monotone.",
            ),
            Summary(
                "Residual networks whose line rises, by learning rate",
                by={**FIRST, "rate": "rate"},
                of={"p (n)": share_risen, **SAID},
            ),
        ),
        claims=(
            Claim(
                *("L4a", "Residual networks with batch normalisation are less often monotone"),
                "section 4, table of residual networks",
                difference(
                    *("rises", "share that is not monotone, with less without"),
                    {"first": ["BN", "BN-I"]},
                    {"first": ["NBN-I", "NBN-F"]},
                    cluster="seed",
                )
                > 0,
            ),
        ),
    ),
)
