"""L3: fully connected autoencoders, SGD against Adam."""

from ridgeline.frame import Frame, difference
from ridgeline.frame.show import Lines, Summary, mean_sd
from ridgeline.studies.lucas2021.counting import (
    RATE,
    lines,
    lost,
    optimiser,
    over,
    runs,
    share_risen,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim
from ridgeline.study.papers import Item

__all__ = ["ITEMS", "autoencoders"]


def autoencoders(bench: Bench) -> Frame:
    """The squared error of the reconstruction on the line."""
    found = runs(
        bench,
        "autoencoders",
        optimiser=optimiser,
        rate=RATE,
        code=lambda run: run.at("net.widths")[-1],
        pixels=lambda run: run.at("net.widths")[0],
    )
    summed = lines(bench, found).derive(
        rise=lambda rise, pixels: rise * pixels, curve=lambda curve, pixels: curve * pixels
    )
    return (
        over(bench, summed)
        .derive(panel=lambda code: f"code of {code}")
        .noted(
            "Squared errors are summed over the pixels of an image, as in the released code, "
            "with its tolerance. Training minimises their mean over pixels, so a rate of SGD "
            "here is the released code's times the number of pixels; Adam's steps do not depend "
            "on the scale of a loss, but for its epsilon. Runs of one seed are one group; runs "
            f"count if their mean squared error is at most {bench.setting('threshold'):g}."
        )
    )


ITEMS = (
    Item(
        name="autoencoders",
        id="L3",
        title="Autoencoders",
        asks="Is the reconstruction error of autoencoders monotone, with SGD and with Adam?",
        measure=autoencoders,
        settings=("points", "threshold", "tolerance"),
        populations=("autoencoders",),
        reported="Monotone with SGD; not with Adam at high learning rates (recalled, not read).",
        show=(
            Lines(
                "autoencoders",
                "Autoencoders on the line from initialisation to minimum",
                "One line a run that reached the threshold; all learning rates.",
                y=("curve", "squared error (sum over pixels)"),
                line="optimiser",
                each="panel",
                log_y=True,
            ),
            Summary(
                "Autoencoders whose loss rises on the line",
                by={"optimiser": "optimiser", "code": "code", "rate": "rate"},
                of={
                    "not monotone, p (n)": share_risen,
                    "their min Δ": lambda rows: mean_sd(rows.where(rises=True)["rise"]),
                    "diverged": lost,
                },
                note="n runs reached the threshold; min Δ in squared error summed over pixels.",
            ),
        ),
        claims=(
            Claim(
                *("L3a", "More autoencoders trained with Adam are not monotone than with SGD"),
                "section 4, autoencoders",
                difference(
                    *("rises", "share that is not monotone, Adam less SGD"),
                    {"optimiser": "Adam"},
                    {"optimiser": "SGD"},
                    cluster="seed",
                )
                > 0,
                "memory",
            ),
        ),
    ),
)
