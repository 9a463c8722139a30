"""Keys of measurements: what was measured, at which version, of which runs, and how.

A key is (name, version, runs, line, objective, options). It holds no code: functions and modules
may be moved, renamed and rewritten, and what is in a store stays found. Whoever changes the
numbers that a function gives raises its version, which stands above it:

    @versioned("distances", "2")
    def distances(run, *, points): ...

A test of the studies measures some anew and refuses other numbers at an old version.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ridgeline.errors import UsageError
from ridgeline.study.canonical import canonical, digest, text_of

__all__ = ["Key", "Version", "version_of", "versioned"]

FORMAT = 4
"""Raised if the way in which arrays are written changes."""
ATTRIBUTE = "__measurement_version__"
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Version:
    """A function's name and version in the keys of what it measures."""

    name: str
    version: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Values that the function holds: JSON."""

    def plain(self) -> dict[str, Any]:
        """As it stands in a key."""
        return {"name": self.name, "version": self.version, "options": dict(self.options)}


def versioned(name: str, version: str, **options: Any) -> Callable[[F], F]:
    """Give a measuring function, a line or a metric its name and version.

    Args:
        name: By which its results are found again. Two functions of one name and version are
            taken for the same.
        version: Raised by whoever changes the numbers.
        **options: Values that the function holds and its numbers depend on: JSON.

    Returns:
        A decorator that leaves the function as it is.
    """

    def mark(function: F) -> F:
        try:
            setattr(function, ATTRIBUTE, Version(name, version, options))
        except AttributeError as error:
            raise UsageError(
                "A version is written above a function with `def`.",
                got=repr(function),
                remedy="Call it from a function of your own.",
            ) from error
        return function

    return mark


def version_of(function: Callable[..., Any]) -> Version:
    """The name and version that `versioned` gave a function.

    Raises:
        UsageError: If it has none.
    """
    found = getattr(function, ATTRIBUTE, None)
    if not isinstance(found, Version):
        raise UsageError(
            "What is measured and kept has a name and a version, by which it is found again.",
            got=f"{getattr(function, '__qualname__', repr(function))} without one",
            remedy='Write `@versioned("its name", "1")` above it, and raise the version whenever '
            "its numbers change.",
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Key:
    """All that a measurement depends on.

    Raises:
        UsageError: If a part of it has no JSON form.
    """

    name: str
    version: str
    runs: tuple[str, ...] = ()
    """What identifies the runs that it is of, in their order."""
    line: Any = None
    """The path between them and its positions; None where there is none."""
    objective: Any = None
    """What is evaluated, and on what; None where nothing is."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else it depends on."""

    def __post_init__(self) -> None:
        for name in ("name", "version"):
            _check_text(f"A measurement's {name}", getattr(self, name))
        if isinstance(self.runs, str):
            raise UsageError("`runs` are several, in their order.", got=repr(self.runs))
        for run in self.runs:
            _check_text("What identifies a run", run)
        for name in ("line", "objective", "options"):
            object.__setattr__(self, name, canonical(getattr(self, name), Any, name))
        object.__setattr__(self, "runs", tuple(self.runs))

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "version": self.version,
            "runs": list(self.runs),
            "line": self.line,
            "objective": self.objective,
            "options": self.options,
        }

    @property
    def text(self) -> str:
        """As canonical JSON."""
        return text_of(self.plain())

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of it."""
        return digest({"measurement": FORMAT, **self.plain()})


def _check_text(what: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{what} is a text.", got=repr(value))
