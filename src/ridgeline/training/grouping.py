"""Which runs can be trained together."""

from collections.abc import Hashable
from dataclasses import replace

from torch import nn

from ridgeline.training.optimisers import SGD, Library
from ridgeline.training.runs import Member

__all__ = ["likeness"]

INTERNAL = frozenset(vars(nn.Module())) | {"training"}


def likeness(member: Member, samples: int) -> Hashable:
    """Return what members must share to be trained in one stack.

    Weights, seeds, samples, targets, and the numbers of the optimiser, of a penalty and of a
    relabelling (but for its times) may differ. The architecture, the batches, the loss, the
    schedule and what is kept may not.

    Args:
        member: A run to be.
        samples: Of the data.

    Returns:
        Equal for members that can be trained together.
    """
    recipe, origin = member.recipe, member.origin
    optimiser, relabel = recipe.optimiser, recipe.relabel
    # An optimiser from a library looks after one network: no two members are alike.
    rule = id(member) if isinstance(optimiser, Library) else _kind(optimiser)
    shapes = tuple(
        (name, tuple(x.shape), str(x.dtype), x.requires_grad)
        for name, x in [*member.model.named_parameters(), *member.model.named_buffers()]
    )
    return (
        *(_code(member.model), shapes, rule, optimiser.remembered()),
        (_kind(recipe.penalty), relabel and (relabel.since, relabel.until)),
        replace(recipe, optimiser=SGD(learning_rate=0.0), penalty=None, relabel=None),
        samples if member.rows is None else len(member.rows),
        (origin.step, origin.count, tuple(origin.slots)) if origin else None,
    )


def _kind(part: object) -> str:
    return type(part).__name__


def _code(model: nn.Module) -> Hashable:
    """Return what a module does apart from its tensors: its classes, and all that they hold.

    One member's code runs for all. An attribute whose text tells its place in memory makes
    two models differ that do not, and then they are not stacked, which is only slower.
    """
    return tuple(
        (
            name,
            type(module),
            tuple(sorted((k, repr(v)) for k, v in vars(module).items() if not _hidden(module, k))),
        )
        for name, module in model.named_modules()
    )


def _hidden(module: nn.Module, name: str) -> bool:
    """Return what every module holds, and what torch's own hold besides for their own use."""
    torchs = type(module).__module__.startswith("torch.nn.")
    return name in INTERNAL or (torchs and name.startswith("_"))
