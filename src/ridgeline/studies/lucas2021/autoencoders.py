"""L3: fully connected autoencoders, SGD against Adam."""

from typing import Any

from ridgeline.charts import Chart, Panel, Panels, Series, Table
from ridgeline.profiles import Profile
from ridgeline.studies.common import POSITION, mean_sd, tidy
from ridgeline.studies.lucas2021.counting import (
    not_monotone,
    optimiser,
    rate,
    reached,
    rise,
    seeds,
)
from ridgeline.study.bench import Bench
from ridgeline.study.claims import Claim, Difference
from ridgeline.study.papers import Finding, Item
from ridgeline.study.subjects import Subject

__all__ = ["ITEMS", "autoencoders"]


def autoencoders(bench: Bench) -> Finding:
    """The squared error of the reconstruction on the line."""
    runs = bench.runs("autoencoders")
    good = reached(bench, runs)
    profiles = dict(zip((s.hash for s in good), bench.profiles(good, told="lines"), strict=True))
    sides = {"more": "Adam", "less": "SGD"}
    of = {side: [s for s in good if optimiser(s) == name] for side, name in sides.items()}
    cases: dict[str, list[Any]] = {f"{side}_group": seeds(found) for side, found in of.items()}
    for side, found in of.items():
        rises = [_summed_rise(s, profiles[s.hash]) for s in found]
        cases[side] = [not x <= bench.setting("tolerance") for x in rises]
    return Finding(
        charts=_chart(good, profiles),
        tables=[_table(bench, runs, profiles)],
        cases={"L3a": cases},
        words=[
            "Squared errors are summed over the pixels of an image, as in the released code, "
            "with its tolerance. Training minimises their mean over pixels, so a rate of SGD "
            "here is the released code's times the number of pixels; Adam's steps do not depend "
            "on the scale of a loss, but for its epsilon. Runs of one seed are one group; runs "
            f"count if their mean squared error is at most {bench.setting('threshold'):g}."
        ],
    )


def _pixels(subject: Subject) -> int:
    return subject.at("net.widths")[0]


def _summed_rise(subject: Subject, profile: Profile) -> float:
    return rise(profile) * _pixels(subject)


def _chart(good: list[Subject], profiles: dict[str, Profile]) -> list[Chart]:
    panels = []
    for code in dict.fromkeys(s.at("net.widths")[-1] for s in good):
        seen: set[str] = set()
        series = []
        for run in good:
            if run.at("net.widths")[-1] != code:
                continue
            curve = profiles[run.hash].curve()
            label = optimiser(run)
            y = curve.mean * _pixels(run)
            series.append(Series(label=label, x=curve.t, y=y, faint=label in seen))
            seen.add(label)
        panels.append(
            Panel(
                x=POSITION,
                y="squared error (sum over pixels)",
                series=series,
                title=f"code of {code}",
                log_y=True,
            )
        )
    if not panels:
        return []
    return [
        Panels(
            name="autoencoders",
            title="Autoencoders on the line from initialisation to minimum",
            caption="One line a run that reached the threshold; all learning rates.",
            panels=panels,
        )
    ]


def _table(bench: Bench, runs: list[Subject], profiles: dict[str, Profile]) -> Table:
    cells: dict[tuple[str, int, float], list[Subject]] = {}
    for run in runs:
        key = (optimiser(run), run.at("net.widths")[-1], rate(run))
        cells.setdefault(key, []).append(run)
    rows = []
    for (name, code, at), of in cells.items():
        rises = [_summed_rise(s, profiles[s.hash]) for s in of if s.hash in profiles]
        over = [x for x in rises if not x <= bench.setting("tolerance")]
        share = not_monotone(rises, bench.setting("tolerance"))
        diverged = sum(s.diverged for s in of)
        rows.append([name, code, tidy(at), share, mean_sd(over), f"{diverged} of {len(of)}"])
    return Table(
        title="Autoencoders whose loss rises on the line",
        columns=["optimiser", "code", "rate", "not monotone, p (n)", "their min Δ", "diverged"],
        rows=rows,
        note="n runs reached the threshold; min Δ in squared error summed over pixels.",
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
        claims=(
            Claim(
                id="L3a",
                text="More autoencoders trained with Adam are not monotone than with SGD",
                place="section 4, autoencoders",
                source="memory",
                test=Difference("share that is not monotone, Adam less SGD"),
            ),
        ),
    ),
)
