"""Messages to a user when a network cannot be traced."""

import linecache
import logging
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from typing import Any

import torch
from torch.nn.utils.rnn import PackedSequence

from ridgeline.errors import NotTraceable, RidgelineError
from ridgeline.graph.calls import unpacked

__all__ = ["forget_compiled", "quiet", "refusing"]

LOGGERS = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes")
"""Loggers of torch, which write down at length what is also raised."""
BY_VALUE = (
    "The network could not be traced: its forward pass branches on values, or takes one out of a "
    "tensor."
)
MACHINERY = (Path(torch.__file__).parent, Path(__file__).parents[1])
"""Folders whose lines say nothing about the user's network."""
STDLIB = Path(sysconfig.get_paths()["stdlib"])
"""Nor its; it may hold the packages, in which the network may be."""


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
def refusing(inputs: Any = None) -> Iterator[None]:
    """Turn whatever a user's forward or the tracer may raise into one refusal.

    Args:
        inputs: What the network is called with.

    Raises:
        NotTraceable: With the first line of the reason, the user's own line, and what to do.
    """
    try:
        yield
    except RidgelineError:  # said in words already
        raise
    except Exception as error:
        forget_compiled(error)
        reason = str(error).strip().splitlines() or [""]
        at = _line(error)
        raise NotTraceable(
            BY_VALUE if _by_value(error) else "The network could not be traced.",
            got=f"{at and f'{at}: '}{type(error).__name__}: {reason[0][:200]}",
            remedy=unpacked(error, inputs) or _remedy(error),
        ) from error


def forget_compiled(error: Exception) -> None:
    """Let torch forget what it failed to compile while a network was looked into.

    FlexAttention is compiled at each call; if that fails once, as it does where a network is
    traced, all later calls would fail as well, the user's own among them.

    Args:
        error: That came up.
    """
    files = [frame.f_code.co_filename for frame, _ in walk_tb(error.__traceback__)]
    if any("_dynamo" in file or "flex_attention" in file for file in files):
        torch._dynamo.reset()  # type: ignore[attr-defined]  # imported by who compiles


def _line(error: Exception) -> str:
    """The innermost line of the user's code that the error came through; empty if there is none."""
    for frame, number in reversed(list(walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        line = linecache.getline(file, number, frame.f_globals).strip()
        library = Path(file).is_relative_to(STDLIB) and "-packages" not in file
        if line and not library and not any(Path(file).is_relative_to(x) for x in MACHINERY):
            return f"{Path(file).name}, line {number}, `{line}`"
    return ""


def _by_value(error: Exception) -> bool:
    """True if it was asked for a value, which no tensor of a trace has."""
    text = f"{type(error).__name__} {error}"
    return any(sign in text for sign in ("DataDependent", "numpy()", "data-dependent", ".item()"))


def _remedy(error: Exception) -> str:
    """Return what to do about a network that could not be traced."""
    if _is_packed(error):
        return (
            "Packed sequences have sizes that depend on the lengths. Give `forward=`, a function "
            "(model, inputs) -> outputs that runs the recurrent layer on the padded batch, of "
            "sequences of one length."
        )
    if any("flex_attention" in f.f_code.co_filename for f, _ in walk_tb(error.__traceback__)):
        return (
            "FlexAttention is compiled when it is called, and cannot be traced. Give `forward=`, a "
            "function (model, inputs) -> outputs, or a module that calls "
            "`F.scaled_dot_product_attention` with its mask instead."
        )
    if "dynamo" in f"{type(error).__name__} {error}":
        return "Give the module with its functions as they were before `torch.compile`."
    if _by_value(error):
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
    """True if the error came up while a packed sequence was at hand."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return any(isinstance(x, PackedSequence) for f in frames for x in f.f_locals.values())
