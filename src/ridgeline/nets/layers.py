"""Layers and choices that several networks share."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets.initialise import blank

__all__ = [
    "ACTIVATIONS",
    "IMAGE_NORMS",
    "NORMS",
    "Activation",
    "Biases",
    "Init",
    "LayerNorm2d",
    "Norm",
    "biased",
    "check_known",
    "convolution",
    "stages",
]

Activation = Literal["relu", "tanh", "sigmoid", "gelu", "linear"]
Norm = Literal["batch", "layer"]
Init = Literal["he", "xavier", "orthogonal", "torch"]
Biases = bool | Literal["last"] | Sequence[int]
"""Which layers have biases: all, none, the last one, or those with these numbers, from 1."""


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation of images (N, C, H, W): over the channels, at each position.

    As flax's `nn.LayerNorm` does, and so the networks of Git Re-Basin (Ainsworth et al. 2023).
    Differs in: what is added to the variance is PyTorch's 1e-5, not flax's 1e-6.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Images of the same shape."""
        x_NHWC = input.movedim(1, -1)
        y_NHWC = functional.layer_norm(
            x_NHWC, self.normalized_shape, self.weight, self.bias, self.eps
        )
        return y_NHWC.movedim(-1, 1)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "linear": nn.Identity,
}
NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
IMAGE_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "layer": LayerNorm2d,
}


def check_known(kind: str, name: object, known: Sequence[str], *, optional: bool = False) -> None:
    """Refuse a name that is not known.

    Args:
        kind: What it is the name of, for the message.
        name: What was received.
        known: The names that are known.
        optional: Whether None will do, too.

    Raises:
        UnknownName: Listing the known, the nearest first.
    """
    if not (optional and name is None) and not (isinstance(name, str) and name in known):
        raise UnknownName(kind, str(name), known, "Or None." if optional else "")


def biased(bias: Biases, layers: int) -> list[bool]:
    """Whether each of so many layers has biases.

    Args:
        bias: True, False, ``"last"`` (the output layer only, as in Wang et al. 2023), or the
            numbers of the layers that have them, from 1.
        layers: How many layers with weights there are.

    Raises:
        UsageError: If it is none of these, or there is no layer of such a number.
    """
    if isinstance(bias, bool):
        return [bias] * layers
    if bias == "last":
        return [False] * (layers - 1) + [True]
    if (
        isinstance(bias, Sequence)
        and not isinstance(bias, str)
        and all(type(number) is int and 1 <= number <= layers for number in bias)
    ):
        return [number in bias for number in range(1, layers + 1)]
    raise UsageError(
        "`bias` is True, False, 'last', or numbers of layers that have biases.",
        got=repr(bias),
        remedy=f"The layers are numbered from 1 to {layers}.",
    )


def convolution(inputs: int, outputs: int, size: int, stride: int, bias: bool) -> nn.Conv2d:
    """A convolution that keeps an image's size, or divides it by the stride. Its tensors are blank.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        size: Of its window, an odd number.
        stride: By which the image shrinks.
        bias: Whether it has biases.
    """
    padding = size // 2
    return blank(nn.Conv2d, inputs, outputs, size, stride=stride, padding=padding, bias=bias)


def stages(
    block: Callable[[int, int, int], nn.Module], blocks: Sequence[int], width: int
) -> Iterator[tuple[str, nn.Sequential]]:
    """The stages of a residual network; each but the first halves the image and has twice the width.

    Args:
        block: Makes a block of so many inputs and outputs and of this stride.
        blocks: How many blocks each stage has.
        width: Channels of the first stage, and of what comes into it.

    Yields:
        ``layer1`` and the first stage, and so on.
    """
    inputs = width
    for number, count in enumerate(blocks):
        outputs, stride = width * 2**number, 2 if number else 1
        rest = (block(outputs, outputs, 1) for _ in range(count - 1))
        yield f"layer{number + 1}", nn.Sequential(block(inputs, outputs, stride), *rest)
        inputs = outputs
