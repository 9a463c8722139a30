"""First weights, drawn from named streams.

A layer is built without drawing anything, so torch's global generator is untouched, and every
tensor then has a stream of its own: adding a layer never moves the draws of another.
"""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from ridgeline.errors import UnknownName, UsageError
from ridgeline.rng import stream

__all__ = ["INITS", "blank", "check_positive", "check_scale", "fill"]

INITS = ("he", "xavier", "orthogonal", "torch")
"""Ways to draw first weights that `fill` knows."""

Layer = TypeVar("Layer", bound=nn.Module)


def blank(kind: type[Layer], *args: object, **options: object) -> Layer:
    """A layer whose tensors hold whatever was in memory: every one of them must be filled."""
    layer = nn.utils.skip_init(kind, *args, **options)
    assert isinstance(layer, kind)
    return layer


@torch.no_grad()
def fill(layer: nn.Module, name: str, *, init: str, seed: int, scale: float = 1.0) -> None:
    """Draw the weight of one layer and set its bias, in place.

    Args:
        layer: A module with a `weight`, whose `bias` may be absent.
        name: The layer's name in its network, which names its streams.
        init: ``"he"``: normal with variance 2 / fan-in (He et al. 2015). ``"xavier"``: uniform
            with variance 2 / (fan-in + fan-out) (Glorot & Bengio 2010). ``"orthogonal"``:
            orthonormal rows or columns (Saxe et al. 2014). ``"torch"``: PyTorch's default,
            uniform within 1 / sqrt(fan-in), the bias too. All but the last set biases to zero.
        seed: The network's seed.
        scale: Multiplies the weight, not the bias.

    Raises:
        UnknownName: If `init` is none of these.
    """
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    draws = stream(seed, "init", f"{name}.weight")
    bound = 1 / math.sqrt(weight[0].numel())
    match init:
        case "he":
            nn.init.normal_(weight, std=math.sqrt(2) * bound, generator=draws)
        case "xavier":
            nn.init.xavier_uniform_(weight, generator=draws)
        case "orthogonal":
            nn.init.orthogonal_(weight, generator=draws)
        case "torch":
            nn.init.uniform_(weight, -bound, bound, generator=draws)
        case _:
            raise UnknownName("way to initialise", init, INITS)
    weight.mul_(scale)
    if isinstance(bias, Tensor):
        if init == "torch":
            draws = stream(seed, "init", f"{name}.bias")
            nn.init.uniform_(bias, -bound, bound, generator=draws)
        else:
            bias.zero_()


def check_positive(**sizes: int) -> None:
    """Refuse sizes that are not whole numbers of at least one.

    Args:
        sizes: What each size is called, and its value.

    Raises:
        UsageError: Naming the first that is wrong.
    """
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise UsageError(f"`{name}` must be a whole number of at least 1.", got=repr(size))


def check_scale(scale: float) -> None:
    """Refuse an initialisation scale that is not finite.

    Raises:
        UsageError: If it is infinite or NaN.
    """
    if not math.isfinite(scale):
        raise UsageError("`scale` must be finite.", got=repr(scale))
