"""Which runs can be trained together."""

from collections.abc import Hashable
from dataclasses import replace

from ridgeline.training.optimisers import SGD, Library
from ridgeline.training.runs import Member

__all__ = ["likeness"]


def likeness(member: Member, samples: int) -> Hashable:
    """What members must share to be trained in one stack.

    Weights, seeds, samples, targets, and the numbers of the optimiser may differ. The
    architecture, the batches, the loss, the schedule and what is kept may not.

    Args:
        member: A run to be.
        samples: Of the data.

    Returns:
        Equal for members that can be trained together.
    """
    recipe, origin = member.recipe, member.origin
    optimiser = recipe.optimiser
    # An optimiser from a library looks after one network: no two members are alike.
    rule = id(member) if isinstance(optimiser, Library) else type(optimiser).__name__
    shapes = tuple(
        (name, tuple(x.shape), str(x.dtype), x.requires_grad)
        for name, x in [*member.model.named_parameters(), *member.model.named_buffers()]
    )
    return (
        *(str(member.model), shapes, rule, optimiser.remembered()),
        replace(recipe, optimiser=SGD(learning_rate=0.0)),
        samples if member.rows is None else len(member.rows),
        (origin.step, origin.count, tuple(origin.slots)) if origin else None,
    )
