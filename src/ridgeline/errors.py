"""Every way Ridgeline refuses, in one place.

A message has three parts: the rule, what was received, what to do about it. Each class
builds its message from facts, so that a caller raises with facts and the wording lives here.
"""

import difflib
import errno
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "Argument",
    "CheckpointError",
    "DataError",
    "ForwardFailed",
    "GridError",
    "LowRankFactors",
    "MissingExtra",
    "NoLayerIndex",
    "NonFinite",
    "NotASymmetry",
    "NotDeterministic",
    "NotStackable",
    "NotTraceable",
    "OutputError",
    "QuantisedWeights",
    "Remedy",
    "RidgelineError",
    "RidgelineWarning",
    "SpecError",
    "StaleWeights",
    "StateMismatch",
    "StoreBusy",
    "StoreError",
    "UnknownName",
    "UsageError",
    "Verb",
    "WrongKind",
]

UNWRITTEN = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENAMETOOLONG)
)
"""Numbers of system errors that say, wherever they come from, that writing failed."""


@dataclass(frozen=True)
class Argument:
    """An argument that a remedy gives, which every surface calls its own way.

    Args:
        name: Of the argument.
        value: What to give it.
        code: How Python gives it; ``name=value`` by default.
    """

    name: str
    value: object
    code: str = ""

    def __str__(self) -> str:
        return self.code or f"{self.name}={self.value!r}"


@dataclass(frozen=True)
class Verb:
    """Something that a remedy tells to do, which every surface calls its own way.

    Args:
        name: Of the verb.
        code: How Python does it.
        arguments: What a surface that has the verb gives it besides.
    """

    name: str
    code: str
    arguments: tuple[Argument, ...] = ()

    def __str__(self) -> str:
        return self.code


class Remedy(str):
    """Advice on an error; as a string it is in Python's words."""

    text: str
    parts: tuple[Argument | Verb, ...]

    def __new__(cls, text: str, *parts: Argument | Verb) -> "Remedy":
        """Make a remedy.

        Args:
            text: Words, with ``{}`` in the place of each part.
            *parts: Arguments to give and things to do, in the order of their places.
        """
        made = super().__new__(cls, text.format(*parts))
        made.text, made.parts = text, parts
        return made

    def __reduce__(self) -> tuple[type["Remedy"], tuple[object, ...]]:
        return Remedy, (self.text, *self.parts)

    def worded(self, word: Callable[[Argument | Verb], str]) -> str:
        """Return the remedy in the words of a surface.

        Args:
            word: Says a part.
        """
        return self.text.format(*map(word, self.parts))


class RidgelineError(Exception):
    """Base of every error that Ridgeline raises on purpose."""

    def __init__(self, rule: str, *, got: str = "", remedy: str = "") -> None:
        self.rule, self.got, self.remedy = rule, got, remedy
        super().__init__(_said(rule, got, remedy))

    def worded(self, word: Callable[[Argument | Verb], str]) -> str:
        """Return the message in the words of a surface.

        Args:
            word: Says a part of a `Remedy`, in place of Python's words.
        """
        remedy = self.remedy
        said = remedy.worded(word) if isinstance(remedy, Remedy) else remedy
        return _said(self.rule, self.got, said)


def _said(rule: str, got: str, remedy: str) -> str:
    parts = [rule.rstrip()]
    if got:
        parts.append(f"Got {got.rstrip('.')}." if "\n" not in got else f"Got:\n{got.rstrip()}")
    if remedy:
        parts.append(remedy.rstrip())
    return ("\n" if "\n" in got else " ").join(parts)


class UsageError(RidgelineError, ValueError):
    """An argument is outside what the function is defined for."""


class WrongKind(UsageError):
    """An argument is of another kind than the function takes.

    Args:
        rule: What the argument is.
        value: What was given in its place.
        name: Of the argument.
        remedy: What to do; of a class it is to make an instance.
    """

    def __init__(self, rule: str, value: object, *, name: str, remedy: str = "") -> None:
        if isinstance(value, type):
            what, remedy = f"the class {value.__name__}", f"Make one: {value.__name__}(...)."
        elif isinstance(value, str):
            what = f"= {value!r}"
        else:
            what = f"of type {type(value).__name__}"
        super().__init__(rule, got=f"{name} {what}", remedy=remedy)


class GridError(UsageError):
    """Positions on a path are not increasing, or lie outside [0, 1] without leave."""


class DataError(RidgelineError, ValueError):
    """Data are missing, empty, malformed or out of range."""


class CheckpointError(RidgelineError, ValueError):
    """A checkpoint cannot be read, or reading it would execute code."""


class OutputError(RidgelineError, OSError):
    """A result cannot be written where it was asked to be."""


class NoLayerIndex(RidgelineError, ValueError):
    """The network has no single layer index, so biases have no homogeneous exponent."""


class NotTraceable(RidgelineError):
    """The network cannot be traced; callers fall back and keep the reason."""


class NotASymmetry(RidgelineError, ValueError):
    """Groups of units whose permutation, or scaling, changes the outputs of the network.

    Args:
        residuals: Name of each such group or scaling to the relative change of the outputs.
        tolerance: The largest change that rounding explains.
        where: Where the units of each are made: the module, the tensor, the operation.
        groups: Names of the groups concerned; `residuals` that name scalings name none.
    """

    def __init__(
        self,
        residuals: Mapping[str, float],
        tolerance: float,
        *,
        where: Mapping[str, str] | None = None,
        groups: Sequence[str] = (),
    ) -> None:
        self.residuals, self.groups = dict(residuals), tuple(groups)
        made = where or {}
        shown = ", ".join(
            f"{name!r} ({r:.1e}{', made in ' + made[name] if name in made else ''})"
            for name, r in list(residuals.items())[:5]
        )
        more = f" and {len(residuals) - 5} more" if len(residuals) > 5 else ""
        names = ", ".join(f'"{g}"' for g in groups)
        rest = (
            f" `rl.symmetries(model, example, without=[{names}])` gives the rest;" if names else ""
        )
        super().__init__(
            f"A symmetry leaves the outputs unchanged, up to {tolerance:g} of their size.",
            got=f"groups that change them: {shown}{more}",
            remedy=f"Forbid them with `symmetry.without(name)`;{rest} "
            "`rl.symmetries` gives out no group that was derived and fails.",
        )


class StateMismatch(RidgelineError, ValueError):
    """Two states differ in their tensors' names, shapes or kinds.

    Args:
        missing: Names only in `a`, with their shapes.
        extra: Names only in `b`, with their shapes.
        changed: Names in both, with what differs as ``(in_a, in_b)``.
        a: What to call the first state.
        b: What to call the second.
        remedy: What to do; a default covers two checkpoints of different networks.
    """

    SHOWN = 10

    def __init__(
        self,
        *,
        missing: Mapping[str, object] | None = None,
        extra: Mapping[str, object] | None = None,
        changed: Mapping[str, tuple[object, object]] | None = None,
        a: str = "a",
        b: str = "b",
        remedy: str = "",
    ) -> None:
        self.missing, self.extra, self.changed = missing or {}, extra or {}, changed or {}
        lines = [f"  - {name} {tuple_of(what)}" for name, what in self.missing.items()]
        lines += [f"  + {name} {tuple_of(what)}" for name, what in self.extra.items()]
        lines += [
            f"  ! {name} {tuple_of(old)} -> {tuple_of(new)}"
            for name, (old, new) in self.changed.items()
        ]
        if len(lines) > self.SHOWN:
            lines[self.SHOWN :] = [f"  ... and {len(lines) - self.SHOWN} more"]
        super().__init__(
            f"{a} and {b} must have the same tensors.",
            got=f"differences (- only in {a}, + only in {b}, ! different)\n" + "\n".join(lines),
            remedy=remedy
            or "Check that both come from the same architecture, and that a wrapper's prefix "
            "(module., _orig_mod., model.) was resolved by giving the model.",
        )


class NonFinite(RidgelineError, ValueError):
    """A state holds NaN or infinity."""

    def __init__(self, where: str, counts: Mapping[str, tuple[int, int]]) -> None:
        self.counts = counts
        shown = [f"{name} ({nans} NaN, {infs} infinite)" for name, (nans, infs) in counts.items()]
        more = f" and {len(shown) - 10} more" if len(shown) > 10 else ""
        super().__init__(
            f"Every value of {where} must be finite.",
            got=", ".join(shown[:10]) + more,
            remedy=Remedy(
                "The run that made it diverged or the file is damaged: use an earlier "
                "checkpoint, or look at it with `{}`.",
                Verb("inspect", "rl.inspect"),
            ),
        )


class QuantisedWeights(RidgelineError, ValueError):
    """Weights are kept as codes beside scales, so that nothing between two states is defined.

    Args:
        names: Of the codes, each with its type and shape.
    """

    def __init__(self, names: Mapping[str, tuple[object, object]]) -> None:
        self.names = dict(names)
        shown = [f"{n} ({d}, {tuple_of(shape)})" for n, (d, shape) in list(names.items())[:5]]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        super().__init__(
            "Weights between two states are numbers, and not codes that scales are applied to.",
            got=f"quantised weights that differ: {', '.join(shown)}{more}",
            remedy="Codes would jump where their scales move. Dequantise both states first (load "
            "the models in their full precision), or compare the checkpoints from before they "
            "were quantised.",
        )


class LowRankFactors(RidgelineError, ValueError):
    """Adapters were to be merged factor by factor, which does not merge what they add.

    Args:
        groups: Names of the factors that multiply each other.
    """

    def __init__(self, groups: Sequence[Sequence[str]]) -> None:
        self.groups = tuple(tuple(names) for names in groups)
        more = f", and {len(groups) - 1} groups more" if len(groups) > 1 else ""
        super().__init__(
            "Factors of a product are not merged one by one: their means multiply to something "
            "else than the mean of the products.",
            got=f"{' with '.join(groups[0])}{more}",
            remedy="Merge each adapter into its base first (peft: merge_and_unload()) and merge "
            "those states; or leave the factors out with `layers`.",
        )


class RidgelineWarning(UserWarning):
    """Something is done as asked, and probably not what was meant."""


class NotDeterministic(RidgelineError, ValueError):
    """The objective gives another answer when asked again; a barrier of it has no meaning."""

    def __init__(self, culprit: str, remedy: str) -> None:
        super().__init__(
            "An objective must give the same value each time.", got=culprit, remedy=remedy
        )


class StaleWeights(NotDeterministic):
    """Outputs stay those of weights that the network had before.

    Args:
        culprit: Name of the part and the part itself.
        keepers: What of it may keep something, in words.
    """

    def __init__(self, culprit: tuple[str, object], keepers: Sequence[str]) -> None:
        name, part = culprit
        at = f"{type(part).__name__}{f' at {name!r}' if name else ''}"
        held = f" (it keeps {', '.join(keepers[:5])})" if keepers else ""
        RidgelineError.__init__(
            self,
            "The outputs of a network must follow its weights: a state must give what a copy of "
            "the module gives that has loaded it.",
            got=f"{at}, which gives what it computed of other weights{held}",
            remedy="Compute it in `forward`, or keep it in an attribute that is filled where it is "
            "None, and not in a cache outside of the module.",
        )


class ForwardFailed(RidgelineError, RuntimeError):
    """The user's model, loss or metric raised; the original error is the cause."""

    def __init__(self, what: str, where: str, error: BaseException, hint: str = "") -> None:
        line = "The traceback above shows the line; the state and the batch are as named."
        super().__init__(
            f"{what} raised while {where}.",
            got=f"{type(error).__name__}: {error}",
            remedy=f"{hint} {line}".lstrip(),
        )


class NotStackable(RidgelineError, RuntimeError):
    """Networks cannot go through one stacked step; one after another they may."""

    def __init__(self, error: BaseException) -> None:
        reason = str(error).strip().splitlines() or [""]
        super().__init__(
            "These networks cannot be trained in one stack.",
            got=f"{type(error).__name__}: {reason[0][:200]}",
            remedy="Train them one after another: together=1.",
        )


class UnknownName(RidgelineError, LookupError):
    """A name is not among those known; the nearest come first."""

    def __init__(self, kind: str, name: object, known: Iterable[str], remedy: str = "") -> None:
        known = list(known)
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
        rest = [k for k in known if k not in near]
        listed = ", ".join(near + rest) or "none"
        hint = f"Did you mean {near[0]!r}? " if near else ""
        super().__init__(
            f"{'An' if kind[:1] in 'aeiou' else 'A'} {kind} must be one that is known.",
            got=repr(name),
            remedy=f"{hint}Known: {listed}.{' ' + remedy if remedy else ''}",
        )


class SpecError(UsageError):
    """Values of a spec, or of a run's config, are unknown, missing or refused.

    Args:
        problems: Each with the dotted path of where it is.
        where: The file, or what else was read.
    """

    SHOWN = 10

    def __init__(
        self, problems: Sequence[tuple[str, RidgelineError]], *, where: str = "the config"
    ) -> None:
        self.problems, self.where = list(problems), where
        if len(self.problems) == 1:
            path, error = self.problems[0]
            place = ", ".join(part for part in (where, path) if part)
            super().__init__(f"{place}: {error.rule}", got=error.got, remedy=error.remedy)
            return
        super().__init__(self._many, got=self._listed(str))

    @property
    def _many(self) -> str:
        return f"{self.where} has {len(self.problems)} values that cannot be taken."

    def _listed(self, say: Callable[[RidgelineError], str]) -> str:
        some = self.problems[: self.SHOWN]
        lines = [f"  {path or 'the whole'}: {say(error)}" for path, error in some]
        if len(self.problems) > self.SHOWN:
            lines.append(f"  ... and {len(self.problems) - self.SHOWN} more")
        return "\n".join(lines)

    def worded(self, word: Callable[[Argument | Verb], str]) -> str:
        """Return the message in the words of a surface; see `RidgelineError.worded`."""
        if len(self.problems) == 1:
            return super().worded(word)
        return _said(self._many, self._listed(lambda error: error.worded(word)), "")


class StoreError(RidgelineError, OSError):
    """A store, or a run in it, cannot be read or written as asked."""


class StoreBusy(StoreError):
    """Another process is at work on a run."""

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(
            "A run is done by one process at a time.",
            got=f"{name}, held by {holder}",
            remedy="Wait for it; if it is dead, its claim is taken over by itself.",
        )


class MissingExtra(RidgelineError, ImportError):
    """An optional dependency is not installed.

    Args:
        package: What is not installed.
        extra: The extra of Ridgeline that brings it; empty if none does.
        purpose: What needs it.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        named = f"'ridgeline[{extra}]'" if extra else package
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed.",
            remedy=f"Install it with: python -m pip install {named}",
        )


def tuple_of(what: object) -> str:
    """A shape as ``(3, 4)``, anything else as itself."""
    if isinstance(what, Sequence) and not isinstance(what, str):
        return f"({', '.join(str(n) for n in what)}{',' if len(what) == 1 else ''})"
    return str(what)
