"""Symmetries that modules declare of themselves: a method ``symmetries`` of any module.

A module that computes what cannot be followed through a trace, such as a tree, may say what leaves
its function unchanged::

    def symmetries(self) -> Sequence[Generator]:
        return (SubtreeFlips(self.ensemble), TreePermutations(self.ensemble))

The names of tensors are its own; where it stands within a network, the network's name of it is put
before them. What is declared is proved with all else.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from ridgeline.errors import UsageError
from ridgeline.symmetry.generator import Generator
from ridgeline.symmetry.within import Within

__all__ = ["declared"]


def declared(
    module: nn.Module, shapes: Mapping[str, Any], taken: Sequence[str] = ()
) -> tuple[tuple[Generator, ...], tuple[str, ...]]:
    """Generators that a network's modules declare, by the network's names; not proved.

    Args:
        module: The network.
        shapes: Its tensors.
        taken: Names that other groups bear.

    Returns:
        The generators, and what to say of declarations that are not taken.

    Raises:
        UsageError: If a method ``symmetries`` without arguments gives no generators.
    """
    found: list[Generator] = []
    notes: list[str] = []
    names = set(taken)
    for prefix, inner, given in _declarations(module, notes):
        generator: Generator = Within(inner, prefix) if prefix else inner
        if lost := [n for n in generator.tensors() if n not in shapes]:
            notes.append(
                f"declared by {given}, but left out: {generator.name!r} is of a tensor "
                f"{lost[0]!r}, which the network has not"
            )
            continue
        name, k = generator.name, 2
        while name in names:
            name, k = f"{generator.name} {k}", k + 1
        names.add(name)
        found.append(generator if name == generator.name else Within(inner, prefix, name))
    return tuple(found), tuple(notes)


def _declarations(module: nn.Module, notes: list[str]) -> Iterator[tuple[str, Generator, str]]:
    """Each module that declares something: its name, a generator, the module in words."""
    for name, part in module.named_modules():
        method = getattr(type(part), "symmetries", None)
        if not inspect.isfunction(method):
            continue
        given = f"module {name!r}" if name else f"the network ({type(part).__name__})"
        if not _alone(method):
            notes.append(f"{given} has a method `symmetries` that takes arguments: left aside")
            continue
        made = part.symmetries()  # type: ignore[operator]  # the method that was found
        for own in made if isinstance(made, (list, tuple)) else [made]:
            if not isinstance(own, Generator):
                raise UsageError(
                    "A module's method `symmetries` gives a list or tuple of generators.",
                    got=f"{type(own).__name__} from {given}",
                    remedy="Return instances of `ridgeline.symmetry.Generator`, or give the method "
                    "another name.",
                )
            yield name, own, given


def _alone(method: Any) -> bool:
    """True if a method is called with nothing but its object."""
    given = list(inspect.signature(method).parameters.values())[1:]
    return all(
        p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in given
    )
