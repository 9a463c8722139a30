"""The rows of a study: trained runs, and the profiles along paths from them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ridgeline.errors import UsageError
from ridgeline.frame import Frame
from ridgeline.frame.values import asked_for
from ridgeline.paths import Path
from ridgeline.study.lines import line
from ridgeline.study.subjects import Subject

__all__ = ["Rows"]


class Rows:
    """Frames of trained runs; `Bench` has the runs, the profiles and the progress."""

    if TYPE_CHECKING:
        profile: Any
        """See `Bench.profile`."""

    def runs(self, population: str, where: Mapping[str, Any] | None = None) -> list[Subject]:
        """See `Bench.runs`."""
        raise NotImplementedError

    def tell(self, what: str, done: int, of: int) -> None:
        """See `Bench.tell`."""
        raise NotImplementedError

    def frame(
        self,
        population: str | Mapping[str, str],
        /,
        *,
        diverged: bool = False,
        where: Mapping[str, Any] | None = None,
        **columns: "str | tuple[str, Mapping[Any, Any]] | Callable[[Subject], Any]",
    ) -> Frame:
        """The trained runs as rows: the column ``run``, its ``seed``, and what is asked of them.

        Args:
            population: Its name in the scale; or label to name, and then the label is the column
                ``population``.
            diverged: Whether runs whose loss stopped being finite are among them.
            where: As `runs` takes it.
            **columns: Name to a dotted path into a run's config, to such a path with the values
                that are needed and what each is called, or to a function of the run.

        Raises:
            UsageError: If no sound run has a value that is needed, or all runs diverged.
        """
        labels = {"": population} if isinstance(population, str) else population
        rows = []
        for label, name in labels.items():
            found = self.runs(name, where)
            if not diverged and found and all(run.diverged for run in found):
                raise UsageError(
                    "An item is measured on runs whose loss stayed finite.",
                    got=f"{len(found)} runs, all of which diverged",
                    remedy="Lower the learning rate.",
                )
            for run in found:
                row: dict[str, Any] = {"run": run, "seed": run.seed, "diverged": run.diverged}
                row |= {"population": label} if label else {}
                rows.append(row | {c: _column(run, of) for c, of in columns.items()})
        frame = Frame.of(rows, cluster="seed")
        for column, of in columns.items():
            if isinstance(of, tuple):
                _check_needed(frame, column, of)
                frame = frame.where(**{column: list(of[1].values())})
        return frame if diverged else frame.where(diverged=False)

    def lines(
        self,
        frame: Frame,
        along: "Callable[..., Path] | Mapping[str, Callable[..., Path]]" = line,
        /,
        *,
        told: str = "lines",
        into: str = "profile",
        counts: str = "",
        **options: Any,
    ) -> Frame:
        """The rows with a profile of the run's objective along a path, kept; see `profile`.

        Args:
            frame: With the column ``run``; without a profile where it diverged.
            along: From the run to a path; or several by name, and then each row is there once for
                every path, whose name is the column ``along``.
            told: What progress says is done.
            into: The column of profiles.
            counts: A column: where it is false nothing is measured, as where a run diverged.
            **options: As `profile` takes them; a function is one of a row's columns.
        """
        several = along if isinstance(along, Mapping) else {"": along}
        rows = []
        for i, row in enumerate(frame):
            for j, (name, path) in enumerate(several.items()):
                self.tell(told, i * len(several) + j, len(frame) * len(several))
                found = None
                if not row.get("diverged") and (not counts or row[counts]):
                    found = self.profile(row["run"], path, **_options(row, options))
                rows.append({**row, **({"along": name} if name else {}), into: found})
        self.tell(told, len(rows), len(rows))
        names = [*frame.columns, *(["along"] if isinstance(along, Mapping) else []), into]
        columns = {name: [row[name] for row in rows] for name in names}
        return Frame(columns, cluster=frame.cluster, notes=frame.notes)


def _column(run: Subject, of: Any) -> Any:
    if callable(of):
        return of(run)
    path, names = of if isinstance(of, tuple) else (of, None)
    value = run.at(path)
    value = tuple(value) if isinstance(value, list) else value
    return value if names is None else names.get(value)


def _check_needed(frame: Frame, column: str, of: tuple[str, Mapping[Any, Any]]) -> None:
    path, names = of
    there = set(frame.where(diverged=False).values(column))
    if lacking := [str(value) for value, name in names.items() if name not in there]:
        raise UsageError(
            f"The item compares runs by {path}: {', '.join(map(str, names))}.",
            got=f"no sound run with {', '.join(lacking)}",
            remedy="Give the population's grid these values; runs that diverged are left out.",
        )


def _options(row: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value(*(row[asked] for asked in asked_for(value, row))) if callable(value) else value
        for name, value in options.items()
    }
