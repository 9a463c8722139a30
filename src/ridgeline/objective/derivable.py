"""A loss that has derivatives, or words that say why it has none."""

from collections.abc import Iterator
from contextlib import contextmanager

from ridgeline.errors import UsageError

__all__ = ["derivable", "severed"]

SIGNS = ("does not require grad", "Inference tensors cannot be saved for backward")
"""Words of torch where a network keeps its own work from being derived."""


@contextmanager
def derivable() -> Iterator[None]:
    """Refuse a network that turns derivatives off for what depends on its weights.

    Raises:
        UsageError: In the place of torch's own words.
    """
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        if not any(sign in reason for sign in SIGNS):
            raise
        raise severed(reason) from error


def severed(reason: str) -> UsageError:
    """The refusal of a loss without derivatives.

    Args:
        reason: What was met.
    """
    return UsageError(
        "The loss must have derivatives by the network's weights.",
        got=reason,
        remedy="Leave `torch.no_grad()` around what depends on no weight alone, and write it for "
        "`torch.inference_mode()`, whose values no derivative can pass.",
    )
