"""The star-domain test: is a centre connected to minima that it was not trained on?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from ridgeline.connecting.stars import Star, carried
from ridgeline.matching.contract import Strategy as Matching
from ridgeline.paths import Grid, Line
from ridgeline.profiles import Profile, profile
from ridgeline.profiles.profile import Objectives
from ridgeline.progress import Progress, under
from ridgeline.state import State
from ridgeline.symmetry import Symmetry

__all__ = ["StarDomain", "star_domain"]


@dataclass(frozen=True, eq=False, kw_only=True)
class StarDomain:
    """Profiles from the feet of a star, and from states that are none, to its centre."""

    feet: tuple[Profile, ...]
    """Of the arms that the centre was trained on."""
    held_out: tuple[Profile, ...]
    """Of states that it was not trained on."""
    aligned: bool
    """True if these were carried to the centre by a symmetry before."""

    def barriers(self, *, metric: str = "loss", split: str | None = None) -> dict[str, list[float]]:
        """Chord barriers of ``feet`` and of ``held_out``."""
        groups = {"feet": self.feet, "held_out": self.held_out}
        return {
            name: [p.barrier(metric=metric, split=split).height for p in found]
            for name, found in groups.items()
        }

    def difference(self, *, metric: str = "loss", split: str | None = None) -> tuple[float, float]:
        """Mean barrier of held-out states less that of feet, and its standard error over states.

        The error is NaN where one of the two groups is a single state.
        """
        known = self.barriers(metric=metric, split=split)
        groups = [np.asarray(known[name]) for name in ("held_out", "feet")]
        if min(map(len, groups)) < 2:
            error = float("nan")
        else:
            error = sqrt(sum(x.var(ddof=1) / len(x) for x in groups))
        return float(groups[0].mean() - groups[1].mean()), error

    def __str__(self) -> str:
        known = self.barriers()
        how = "carried to the centre" if self.aligned else "as given"
        return (
            f"Barriers to the centre: feet {np.mean(known['feet']):.4g} (n = {len(self.feet)}), "
            f"held out, {how}, {np.mean(known['held_out']):.4g} (n = {len(self.held_out)})"
        )


def star_domain(
    found: Star,
    held_out: Sequence[State],
    objective: Objectives,
    *,
    points: Grid = 25,
    symmetry: Symmetry | None = None,
    match: Matching | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> StarDomain:
    """Measure the lines to a star's centre, from its feet and from states that are none.

    Args:
        found: What `star` gives.
        held_out: Other minima of the same network.
        objective: What is measured; several by split name.
        points: Of each profile.
        symmetry: Carries each held-out state to where it is nearest to the centre, before.
        match: The strategy for that; weight matching by default.
        seed: Names draws.
        progress: Told of each line.

    Raises:
        StateMismatch: If a state is not one of the model.
        NonFinite: If one holds NaN or infinity.
    """
    others = list(held_out)
    if symmetry is not None:
        others = [carried(found.centre, x, symmetry, match, seed) for x in others]
    lines = [found.arm(i) for i in range(len(found.feet))]
    lines += [Line(x, found.centre) for x in others]
    profiles = [
        profile(line, objective, points=points, seed=seed, progress=under(progress, f"arm {i}"))
        for i, line in enumerate(lines)
    ]
    count = len(found.feet)
    return StarDomain(
        feet=tuple(profiles[:count]),
        held_out=tuple(profiles[count:]),
        aligned=symmetry is not None,
    )
