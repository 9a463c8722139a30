"""A loss that has derivatives, or words that say why it has none."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ridgeline.errors import ForwardFailed, RidgelineError, UsageError
from ridgeline.objective.objective import Objective
from ridgeline.objective.plain import Plain

__all__ = ["casting", "check_twice", "derivable", "differentiating", "flat", "severed", "twice"]

SIGNS = ("does not require grad", "Inference tensors cannot be saved for backward")
"""Words of torch where a network keeps its own work from being derived."""
MISSING = (
    *("derivative for", "is not implemented", "once_differentiable", "double backward"),
    *("not implemented the", "setup_context"),
)
"""Words of torch where an operation has no derivative, or none of its derivative."""


@contextmanager
def derivable(where: str = "") -> Iterator[None]:
    """Words of ours for a derivative that is not there.

    Args:
        where: What is done meanwhile, for the words about what the user's own code raises; by
            default it is raised as it is.

    Raises:
        UsageError: In the place of torch's own words.
        ForwardFailed: If the model or its loss raises.
    """
    try:
        yield
    except RidgelineError:
        raise
    except Exception as failure:  # the user's model or loss
        reason = (str(failure).strip().splitlines() or [""])[0]
        if any(sign in reason for sign in SIGNS):
            raise severed(reason) from failure
        if reason.startswith("hooks on saved tensors"):
            raise UsageError(
                "A loss with a history needs a network that computes nothing again backwards.",
                got=reason,
                remedy="Turn checkpointing off, or take `rl.gradient`, which keeps the state in "
                "place meanwhile.",
            ) from failure
        if where and any(sign in reason for sign in MISSING):
            raise _missing(reason) from failure
        if not where:
            raise
        raise ForwardFailed("The model or its loss", where, failure) from failure


@contextmanager
def casting(objective: Objective) -> Iterator[None]:
    """The precision of an objective's matrix products."""
    kind, lower = objective.device.type, objective.autocast
    with torch.autocast(kind, dtype=lower, enabled=lower is not None):
        yield


@contextmanager
def differentiating(objective: Objective, where: str) -> Iterator[None]:
    """Gradients, whatever the caller has turned off, in the precision of an objective.

    Args:
        objective: Gives the precision.
        where: As for `derivable`.

    Raises:
        UsageError: As for `derivable`.
        ForwardFailed: The same.
    """
    with torch.inference_mode(False), torch.enable_grad(), casting(objective), derivable(where):
        yield


@contextmanager
def twice() -> Iterator[None]:
    """Operations whose derivatives have derivatives.

    The kernels of cuDNN for recurrent layers, and the fused ones of attention, have no second; that
    of weight normalisation is wrong.
    """
    unfused = sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False)
    with unfused[0], unfused[1], Plain(backward=True), warnings.catch_warnings():
        # torch's own rules for forward derivatives are scripted at their first use
        warnings.filterwarnings("ignore", "`torch.jit.script", DeprecationWarning)
        yield


def check_twice(derivatives: Iterable[Tensor]) -> None:
    """Refuse derivatives that cannot be differentiated again, and would count as constants.

    A function of the user's own whose backward pass is `once_differentiable` raises only if a
    derivative by that pass itself is asked for. Nothing is asked of what comes before it.

    Args:
        derivatives: With their graph.

    Raises:
        UsageError: Naming the mark.
    """
    todo = [x.grad_fn for x in derivatives if x.grad_fn is not None]
    seen = set(todo)
    while todo:
        node = todo.pop()
        if node.name() == "torch::autograd::Error":
            raise _missing("a function whose backward pass is marked @once_differentiable")
        before = {n for n, _ in node.next_functions if n is not None} - seen
        seen |= before
        todo.extend(before)


def severed(reason: str) -> UsageError:
    """The refusal of a network without derivatives.

    Args:
        reason: What was met.
    """
    return UsageError(
        "The loss must have derivatives by the network's weights.",
        got=reason,
        remedy="Leave `torch.no_grad()` around what depends on no weight alone, and write it for "
        "`torch.inference_mode()`, whose values no derivative can pass.",
    )


def flat(called: str) -> UsageError:
    """The refusal of a loss that is constant wherever it does not jump.

    Args:
        called: What messages call the loss.
    """
    return UsageError(
        "The loss must have derivatives by the network's outputs.",
        got=f"{called}, which no derivative passes: an error only jumps",
        remedy="Give a smooth loss of outputs that are real numbers: `rl.cross_entropy`, "
        "`rl.squared_error`, or one of torch.nn.",
    )


def _missing(reason: str) -> UsageError:
    return UsageError(
        "Every operation of network and loss must have the derivative that is asked for.",
        got=reason[:200],
        remedy="Write that operation in others of torch. `rl.gradient` needs first derivatives "
        "only.",
    )
