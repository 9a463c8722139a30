"""What a user is told when a network cannot be traced."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from torch.nn.utils.rnn import PackedSequence

from ridgeline.errors import NotTraceable

__all__ = ["quiet", "refusing"]

LOGGERS = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes")
"""Of torch, which write down at length what is also raised."""


@contextmanager
def quiet() -> Iterator[None]:
    """Without torch's own log of what fails."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn whatever a user's forward or the tracer may raise into one refusal.

    Raises:
        NotTraceable: With the first line of the reason, and what to do.
    """
    try:
        yield
    except NotTraceable:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [""]
        raise NotTraceable(
            "The network could not be traced.",
            got=f"{type(error).__name__}: {reason[0][:200]}",
            remedy=_remedy(error),
        ) from error


def _remedy(error: Exception) -> str:
    """What to do about a network that could not be traced."""
    text = f"{type(error).__name__} {error}"
    if _is_packed(error):
        return (
            "Packed sequences have sizes that depend on the lengths. Give `forward=`, a function "
            "(model, inputs) -> outputs that runs the recurrent layer on the padded batch, of "
            "sequences of one length."
        )
    if "dynamo" in text:
        return "Give the module with its functions as they were before `torch.compile`."
    if any(sign in text for sign in ("DataDependent", "numpy", "data-dependent", ".item()")):
        return (
            "Something depends on the values of the data or of the weights: a branch, a loop, a "
            "number taken out of a tensor. Give `forward=`, a function (model, inputs) -> outputs "
            "that goes one way whatever the values, or change it to `torch.where` or a mask."
        )
    return (
        "Check that the model takes the example as it is given; if it must be called in another "
        "way, give `forward=`, a function (model, inputs) -> outputs."
    )


def _is_packed(error: Exception) -> bool:
    """Whether the error came up while a packed sequence was at hand."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return any(isinstance(x, PackedSequence) for f in frames for x in f.f_locals.values())
