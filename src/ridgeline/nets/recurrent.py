"""Recurrent networks.

Reference: Hochreiter & Schmidhuber (1997), with the forget gate of Gers et al. (2000), as
`torch.nn.LSTM` writes it.
"""

import math

import torch
from torch import Tensor, nn

from ridgeline.nets.initialise import blank, check_positive, check_scale, fill
from ridgeline.rng import stream, untouched

__all__ = ["lstm"]


def lstm(
    inputs: int = 1,
    hidden: int = 64,
    classes: int = 10,
    layers: int = 1,
    seed: int = 0,
    *,
    forget_bias: float = 0.0,
    scale: float = 1.0,
) -> nn.Module:
    """A classifier of sequences by the last hidden state of an LSTM.

    Modules are ``lstm``, with PyTorch's names, and ``fc``. Weights and biases are drawn uniformly
    within 1 / sqrt(hidden), PyTorch's rule.

    Args:
        inputs: Values at each time.
        hidden: Units of each layer.
        classes: Number of outputs.
        layers: LSTMs on top of each other.
        seed: The same seed gives the same network; torch's global generator is not used.
        forget_bias: Added to the forget gates' first biases (1 is Jozefowicz et al.'s advice).
        scale: Multiplies every first weight, not the biases.

    Returns:
        A network of sequences (N, T), if `inputs` is 1, or (N, T, inputs); logits (N, classes).

    Raises:
        UsageError: If a size is not positive.
    """
    check_positive(inputs=inputs, hidden=hidden, classes=classes, layers=layers)
    check_scale(scale)
    model = Recurrent(inputs, hidden, classes, layers)
    bound = 1 / math.sqrt(hidden)
    with torch.no_grad():
        for name, p in model.lstm.named_parameters():
            nn.init.uniform_(p, -bound, bound, generator=stream(seed, "init", f"lstm.{name}"))
            if name.startswith("weight"):
                p.mul_(scale)
            elif name.startswith("bias_ih"):  # gates lie as input, forget, cell, output
                p[hidden : 2 * hidden].add_(forget_bias)
    fill(model.fc, "fc", init="torch", seed=seed, scale=scale)
    return model


class Recurrent(nn.Module):
    """LSTM layers, then a linear one."""

    def __init__(self, inputs: int, hidden: int, classes: int, layers: int) -> None:
        super().__init__()
        with untouched():  # it cannot be made without drawing
            self.lstm = nn.LSTM(inputs, hidden, layers, batch_first=True)
        self.fc = blank(nn.Linear, hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = x.unsqueeze(-1) if x.ndim == 2 else x
        return self.fc(self.lstm(x)[0][:, -1])
