"""The bench: all that an item of a paper is measured with.

A study asks it for trained runs and for profiles. What is trained and measured is kept in the
store, so that items share runs and a killed reproduction goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ridgeline.errors import StoreError, UnknownName
from ridgeline.measures import Array
from ridgeline.objective import Metric
from ridgeline.paths import Path
from ridgeline.paths import grid as positions
from ridgeline.profiles import Profile, profile
from ridgeline.progress import Progress, silent
from ridgeline.study.keys import Key, version_of
from ridgeline.study.lines import line
from ridgeline.study.measured import Measurements, arrays_of, profile_of
from ridgeline.study.members import Sources
from ridgeline.study.plan import closure
from ridgeline.study.rows import Rows
from ridgeline.study.scales import Scale
from ridgeline.study.store import Store
from ridgeline.study.subjects import Subject

__all__ = ["Bench", "line"]

PROFILE = "1"
"""Version of `Bench.profile`: raised if the engine or the objective gives other numbers."""


class Bench(Rows):
    """Runs, settings and measurements for one item at one scale.

    Args:
        scale: Settings and populations.
        store: Where runs and measurements are.
        item: Whose settings come first.
        sources: Of data.
        device: Where objectives are measured.
        progress: Told how far the work is.
    """

    def __init__(
        self,
        scale: Scale,
        store: Store,
        *,
        item: str = "",
        sources: Sources | None = None,
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> None:
        self.scale, self.store, self.item, self.device = scale, store, item, device
        self._sources = sources or Sources()
        self._tell = progress or silent
        self._measurements = Measurements(store)
        self._subjects: dict[str, list[Subject]] = {}

    def at(self, item: str) -> "Bench":
        """The same bench for another item."""
        made = Bench(
            self.scale,
            self.store,
            item=item,
            sources=self._sources,
            device=self.device,
            progress=self._tell,
        )
        made._subjects = self._subjects
        return made

    def setting(self, name: str) -> Any:
        """A value of the scale, the item's own first."""
        return self.scale.setting(name, self.item)

    def tell(self, what: str, done: int, of: int) -> None:
        """Say how far the item is."""
        self._tell(f"{self.item}: {what}" if self.item else what, done, of)

    # --- runs ----------------------------------------------------------------------------

    def runs(
        self, population: str, where: Mapping[str, Any] | None = None, *, parents: bool = False
    ) -> list[Subject]:
        """The trained runs of a population, in the order of its spec.

        Args:
            population: Its name in the scale.
            where: Dotted path to the value that a run must have: ``{"net.bias": "last"}``.
            parents: Whether runs that others were spawned from are among them.

        Raises:
            UnknownName: If the scale has no such population.
            StoreError: If a run is not in the store.
            DataError: If its data are no more those that it was trained on.
        """
        if population not in self._subjects:
            self._subjects[population] = self._found(population)
        found = self._subjects[population]
        spawning = {s.config.parent.hash for s in found if s.config.parent is not None}
        return [
            subject
            for subject in found
            if (parents or subject.hash not in spawning)
            and all(subject.at(path) == value for path, value in (where or {}).items())
        ]

    def _found(self, population: str) -> list[Subject]:
        specs = self.scale.populations
        if population not in specs:
            raise UnknownName(f"population of scale {self.scale.name}", population, specs)
        found = []
        configs = closure(specs[population].runs)
        there = self.store.find_all(config.hash for config in configs)
        for config in configs:
            stored = there.get(config.hash)
            if stored is None:
                raise StoreError(
                    "An item is measured on runs that are in the store.",
                    got=f"{config.name} ({config.hash}) is missing",
                    remedy="Train the scale's populations first: `ridgeline reproduce` does.",
                )
            found.append(Subject(config, stored, self._sources, self.device))
            found[-1].check_data()
        return found

    # --- measurements --------------------------------------------------------------------

    def kept(
        self,
        measure: Callable[..., Mapping[str, Any]],
        subjects: Sequence[Subject],
        /,
        **options: Any,
    ) -> dict[str, Array]:
        """Arrays that were measured before, or are measured now and kept.

        Args:
            measure: Called with the runs and the options, gives named arrays; `versioned`.
            subjects: The runs it is of.
            **options: JSON values; with the runs they say all that the result depends on.
        """
        made = version_of(measure)
        key = Key(
            name=made.name,
            version=made.version,
            runs=tuple(s.identity for s in subjects),
            objective={"device": self.device},
            options={**made.options, **options},
        )
        return self._measurements.kept(key, lambda: measure(*subjects, **options))

    def profile(
        self,
        subject: Subject,
        along: Callable[[Subject], Path] = line,
        *,
        others: Sequence[Subject] = (),
        points: Any = None,
        splits: Sequence[str] = ("train",),
        metrics: Mapping[str, Callable[[Subject], Metric]] | None = None,
        metrics_of: Subject | None = None,
        extrapolate: bool = False,
    ) -> Profile:
        """The profile of a run's objective along a path, kept.

        Args:
            subject: Whose objective.
            along: From the run to a path; `versioned`, with all that tells this path from others
                made alike.
            others: Further runs that the path depends on.
            points: As in `ridgeline.profile`; the scale's setting ``points`` by default.
            splits: Of the run's data.
            metrics: Further metrics by name, each made from the run; `versioned`.
            metrics_of: The run from which they are made; `subject` by default.
            extrapolate: Allow positions outside [0, 1].
        """
        at = positions(
            self.setting("points") if points is None else points, extrapolate=extrapolate
        )
        makers = dict(metrics or {})

        def measure() -> dict[str, Any]:
            made = {name: maker(metrics_of or subject) for name, maker in makers.items()}
            objectives = {s: subject.objective(s, metrics=made) for s in splits}  # type: ignore[arg-type]  # names of splits
            path = along(subject)
            return arrays_of(profile(path, objectives, points=at, extrapolate=extrapolate))

        key = Key(
            name="profile",
            version=PROFILE,
            runs=tuple(s.identity for s in (subject, *others, metrics_of or subject)),
            line={**version_of(along).plain(), "t": at.tolist()},
            objective={
                "splits": list(splits),
                "metrics": {name: version_of(maker).plain() for name, maker in makers.items()},
                "device": self.device,
            },
        )
        arrays = self._measurements.kept(key, measure)
        return replace(profile_of(arrays), provenance={"run": subject.hash})

    def profiles(
        self,
        subjects: Sequence[Subject],
        along: Callable[[Subject], Path] = line,
        *,
        told: str = "profiles",
        **options: Any,
    ) -> list[Profile]:
        """A profile for each run; see `profile`."""
        found = []
        for i, subject in enumerate(subjects):
            self.tell(told, i, len(subjects))
            found.append(self.profile(subject, along, **options))
        self.tell(told, len(subjects), len(subjects))
        return found
