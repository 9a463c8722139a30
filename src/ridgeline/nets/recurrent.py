"""Long short-term memory.

Reference: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", with the forget gate of
Gers, Schmidhuber & Cummins (2000); gates in PyTorch's order: input, forget, cell, output.

Shapes: N sequences, T steps, F features, H units, V vocabulary.
"""

import torch
from torch import Tensor, nn

from ridgeline.errors import UsageError
from ridgeline.nets.initialise import blank, check_finite, check_positive, fill
from ridgeline.rng import stream

__all__ = ["language_lstm", "lstm"]


def lstm(
    inputs: int = 1,
    hidden: int = 64,
    classes: int = 10,
    *,
    layers: int = 1,
    forget_bias: float = 0.0,
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Module:
    """A classifier of sequences by the last hidden state.

    Modules are ``lstm`` (an `nn.LSTM`) and ``fc``. Weights and biases are drawn as PyTorch draws
    them: uniform within 1 / sqrt(hidden).

    Args:
        inputs: Features at each step.
        hidden: Units of each layer.
        classes: Number of outputs.
        layers: How many layers stand on each other.
        forget_bias: Added to the first bias of each forget gate. Of 1, a memory lasts longer at
            first (Jozefowicz et al. 2015).
        scale: Multiplies every first weight.
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of sequences (N, T, inputs), or (N, T) of one feature, with logits
        (N, classes).

    Raises:
        UsageError: If a size is not positive, or a number is not finite.
    """
    check_positive(inputs=inputs, hidden=hidden, classes=classes, layers=layers)
    check_finite(forget_bias=forget_bias, scale=scale)
    model = Classifier(inputs, hidden, classes, layers)
    _draw(model.lstm, forget_bias, scale, seed)
    fill(model.fc, "fc", init="torch", seed=seed, scale=scale)
    return model


def language_lstm(
    vocabulary: int,
    width: int = 64,
    hidden: int = 64,
    *,
    layers: int = 1,
    forget_bias: float = 0.0,
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Module:
    """A language model that predicts each next token.

    Modules are ``token``, ``lstm`` (an `nn.LSTM`) and ``fc``. The embedding is drawn as PyTorch
    draws it, normal with deviation 1, and the rest as in `lstm`.

    Args:
        vocabulary: Number of tokens.
        width: Width of the embedding.
        hidden: Units of each layer.
        layers: How many layers stand on each other.
        forget_bias: Added to the first bias of each forget gate.
        scale: Multiplies every first weight, the embedding too.
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of integer tokens (N, T), with logits (N, T, vocabulary).

    Raises:
        UsageError: If a size is not positive, or a number is not finite.
    """
    check_positive(vocabulary=vocabulary, width=width, hidden=hidden, layers=layers)
    check_finite(forget_bias=forget_bias, scale=scale)
    model = LanguageModel(vocabulary, width, hidden, layers)
    _draw(model.lstm, forget_bias, scale, seed)
    fill(model.fc, "fc", init="torch", seed=seed, scale=scale)
    with torch.no_grad():
        draws = stream(seed, "init", "token.weight")
        nn.init.normal_(model.token.weight, generator=draws).mul_(scale)
    return model


@torch.no_grad()
def _draw(layer: nn.LSTM, forget_bias: float, scale: float, seed: int) -> None:
    hidden = layer.hidden_size
    bound = hidden**-0.5
    for name, tensor in layer.named_parameters():
        draws = stream(seed, "init", f"lstm.{name}")
        nn.init.uniform_(tensor, -bound, bound, generator=draws)
        if name.startswith("weight"):
            tensor.mul_(scale)
        elif name.startswith("bias_ih"):  # the other of two biases that are added
            tensor[hidden : 2 * hidden] += forget_bias


class Classifier(nn.Module):
    """Layers of memory, and a linear layer on the last state."""

    def __init__(self, inputs: int, hidden: int, classes: int, layers: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.lstm = blank(nn.LSTM, inputs, hidden, layers, batch_first=True)
        self.fc = blank(nn.Linear, hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x_NTF = x[..., None] if x.ndim == 2 else x
        if x_NTF.ndim != 3 or x_NTF.shape[-1] != self.inputs:
            raise UsageError(
                f"Sequences are (N, T, {self.inputs}){', or (N, T)' * (self.inputs == 1)}.",
                got=f"a tensor of shape {tuple(x.shape)}",
                remedy="`inputs` is the number of features at each step.",
            )
        states_NTH, _ = self.lstm(x_NTF)
        return self.fc(states_NTH[:, -1])


class LanguageModel(nn.Module):
    """Embedding, layers of memory, and a linear layer on each state."""

    def __init__(self, vocabulary: int, width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.token = blank(nn.Embedding, vocabulary, width)
        self.lstm = blank(nn.LSTM, width, hidden, layers, batch_first=True)
        self.fc = blank(nn.Linear, hidden, vocabulary)

    def forward(self, tokens_NT: Tensor) -> Tensor:
        """Logits of each next token, (N, T, V)."""
        states_NTH, _ = self.lstm(self.token(tokens_NT))
        return self.fc(states_NTH)
