"""Strategies by their names on the command line, and the options that set their fields."""

import argparse
import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ridgeline.cli.fields import REQUIRED, Field, fields_of
from ridgeline.errors import UsageError

__all__ = [
    "MANY",
    "MATCHES",
    "MATCHING",
    "MERGES",
    "MERGING",
    "Option",
    "Way",
    "add_options",
    "check_options",
    "given",
    "listed",
]


@dataclass(frozen=True)
class Way:
    """A strategy.

    Args:
        where: Module and class, without ``ridgeline.``.
        needs: Fields that no option gives: what is found or measured before.
        beyond: True if its transforms do more than permute.
        weighs: True if checkpoints may have weights.
    """

    where: str
    needs: tuple[str, ...] = ()
    beyond: bool = False
    weighs: bool = True

    @property
    def fields(self) -> Mapping[str, Field]:
        """Those of its class."""
        return fields_of(f"ridgeline.{self.where}")

    @property
    def looks(self) -> bool:
        """True if it looks at data whatever its options."""
        known = self.fields.get("objective")
        return "data" in self.needs or (known is not None and known.default is REQUIRED)

    @property
    def rotates(self) -> bool:
        """True if it rotates a residual stream."""
        return "stream" in self.needs

    def load(self) -> Any:
        """Import the class."""
        module, _, name = self.where.partition(":")
        return getattr(importlib.import_module(f"ridgeline.{module}"), name)

    def make(self, values: Mapping[str, Any], **things: Any) -> Any:
        """Make the strategy.

        Args:
            values: Options that were given, by field; those of other strategies are left out.
            **things: What it may need; the rest is left out.
        """
        own = {name: value for name, value in values.items() if name in self.fields}
        return self.load()(**own, **{name: things[name] for name in self.needs})


MATCHING = {
    "weights": Way("matching.weights:WeightMatching"),
    "frank-wolfe": Way("matching.frank_wolfe:FrankWolfe"),
    "activations": Way(
        "matching.activations:ActivationMatching", needs=("model", "data", "device")
    ),
    "sinkhorn": Way("matching.sinkhorn:Sinkhorn", needs=("objective",)),
    "straight-through": Way("matching.straight_through:StraightThrough", needs=("objective",)),
    "annealing": Way("matching.annealing:SimulatedAnnealing"),
    "transport": Way("matching.transport:OptimalTransport"),
    "rescaling": Way("matching.rescaling:Rescaling", needs=("by",), beyond=True),
    "procrustes": Way("matching.procrustes:Procrustes", needs=("stream",), beyond=True),
    "learned": Way("matching.learned:Learned", needs=("objective", "stream"), beyond=True),
}
"""How two are matched."""
MANY = {
    "merge-many": Way("matching.universe:MergeMany", needs=("by",)),
    "cycle-consistent": Way("matching.universe:CycleConsistent"),
    "reference": Way("matching.universe:ToReference", needs=("by",)),
}
"""How three checkpoints and more are brought into one frame."""
MERGING = {
    "mean": Way("merging.strategies:Mean"),
    "slerp": Way("merging.strategies:Slerp", weighs=False),
    "task-arithmetic": Way("merging.strategies:TaskArithmetic"),
    "ties": Way("merging.sparse:Ties"),
    "dare": Way("merging.sparse:Dare"),
    "model-stock": Way("merging.strategies:ModelStock", weighs=False),
    "fisher": Way("merging.weighing:Fisher", needs=("fishers",)),
    "regmean": Way("merging.weighing:RegMean", needs=("grams",)),
}
"""How checkpoints are merged."""


@dataclass(frozen=True)
class Option:
    """An option that sets a field of those strategies that have it.

    Args:
        field: The field's name.
        text: What it is.
        metavar: Of its value.
        name: Of the option; the field's by default.
        beside: Another option that it goes with.
    """

    field: str
    text: str
    metavar: str | None = None
    name: str = ""
    beside: str = ""

    @property
    def dest(self) -> str:
        """Name among parsed options."""
        return self.name or self.field

    def of(self, ways: Mapping[str, Way]) -> list[str]:
        """Names of the strategies that have the field."""
        return [name for name, way in ways.items() if self.field in way.fields]


MATCHES = (
    Option("kind", "the distance, the loss half way, or that at random positions", name="minimise"),
    Option("restarts", "starts", "N"),
    Option("steps", "steps", "N"),
    Option("initial_temperature", "first temperature, a squared distance", "T"),
    Option("final_temperature", "last temperature, a squared distance", "T"),
    Option(
        "soft",
        "mix units rather than pair them; what comes out is no transform of the checkpoint and "
        "computes another function",
    ),
    Option("regularisation", "how much is mixed", "X", beside="--soft"),
)
"""Options of matching."""
MERGES = (
    Option("t", "position between the two", "T"),
    Option("scale", "factor of what is added to the base", "X"),
    Option("keep", "share of the changes that is kept", "P"),
    Option("drop", "share of the changes that is dropped", "P"),
)
"""Options of merging."""


def add_options(
    group: "argparse._ArgumentGroup", options: Iterable[Option], ways: Mapping[str, Way]
) -> None:
    """Add options, each with the type, choices and defaults of its field.

    Args:
        group: Takes them.
        options: Those that are offered.
        ways: Strategies that may be chosen.
    """
    for option in options:
        names = option.of(ways)
        some = [ways[name].fields[option.field] for name in names]
        beside = f" with {option.beside}" if option.beside else ""
        text = f"of {listed(names)}{beside}: {option.text}"
        flag, known = f"--{option.dest.replace('_', '-')}", some[0]
        if known.kind is bool:
            group.add_argument(flag, action="store_true", default=None, help=text)
            continue
        more: dict[str, Any] = {"choices": known.choices} if known.choices else {}
        more |= {"type": known.kind} if known.kind is not str else {}
        text += f" (default: {listed(_defaults(some))})"
        group.add_argument(flag, metavar=option.metavar, help=text, **more)


def _defaults(some: Sequence[Field]) -> list[str]:
    told = [f"{x.default:g}" if isinstance(x.default, float) else str(x.default) for x in some]
    return told if len(set(told)) > 1 else told[:1]


def given(chosen: argparse.Namespace, options: Iterable[Option]) -> dict[str, Any]:
    """Values that were given, by field.

    Args:
        chosen: Parsed options.
        options: Those that are asked about.
    """
    return {o.field: v for o in options if (v := getattr(chosen, o.dest)) is not None}


def check_options(
    chosen: argparse.Namespace, takes: Mapping[str, Sequence[str]], name: str
) -> None:
    """Refuse options that belong to another strategy.

    Args:
        chosen: Parsed options.
        takes: Option to the strategies that it is of.
        name: The strategy.

    Raises:
        UsageError: If one was given.
    """
    for option, of in takes.items():
        value = getattr(chosen, option)
        if value is not None and name not in of:
            raise UsageError(
                f"--{option} is of {', '.join(of)}.",
                got=f"--{option}{'' if value is True else f' {value}'} with {name}",
                remedy="Leave it out, or choose another strategy.",
            )


def listed(names: Sequence[str]) -> str:
    """Names with commas, and ``and`` before the last."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
