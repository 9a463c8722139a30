"""Small networks of every kind of layer, and pairs of their states."""

import itertools

import torch
from torch import Tensor, nn

from ridgeline.objective import Objective
from ridgeline.state import State, capture


def mlp(*sizes: int, seed: int = 0, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(seed)
    parts: list[nn.Module] = []
    for i, o in itertools.pairwise(sizes):
        parts += [nn.Linear(i, o, bias=bias), nn.ReLU()]
    return nn.Sequential(*parts[:-1]).double()


def spread(model: nn.Module, seed: int, size: float = 0.4) -> State:
    """The model's state with noise on it, variances kept positive."""
    draws = torch.Generator().manual_seed(seed)
    state = capture(model)
    for name, x in state.items():
        if x.is_floating_point():
            noise = torch.randn(x.shape, generator=draws, dtype=torch.float64).to(x.dtype)
            noise = noise.abs() if name.endswith("running_var") else noise
            state[name] = x + size * noise
    return state


def objective(model: nn.Module, inputs: Tensor, **settings) -> Objective:
    outputs = model.eval()(inputs[:2])
    targets = torch.arange(len(inputs)) % outputs.shape[-1]
    settings = {"rows": 16, "dtype": torch.float64} | settings
    return Objective(model, (inputs, targets), **settings)


class Odd(nn.Module):
    """Layers that are no modules, with names that are not weight and bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(5, 8))  # as GPT-2's Conv1D: inputs, then outputs
        self.shift = nn.Parameter(torch.randn(8))
        self.second = nn.Parameter(torch.randn(6, 8))
        self.offset = nn.Parameter(torch.randn(1, 6))
        self.third = nn.Parameter(torch.randn(6, 3))
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.addmm(self.shift, x, self.first).tanh()
        x = (x @ self.second.T + self.offset).tanh()
        return x @ self.third


class Convolutions(nn.Module):
    """Plain, grouped and transposed convolutions, and pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(2, 4, 3, padding=1)
        self.grouped = nn.Conv2d(4, 6, 3, groups=2)
        self.back = nn.ConvTranspose2d(6, 4, 2, groups=2)
        self.last = nn.ConvTranspose2d(4, 5, 2)
        self.head = nn.Linear(5, 3)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.plain, self.grouped, self.back, self.last):
            x = layer(x).relu()
        return self.head(x.mean((2, 3)))


class Normalised(nn.Module):
    """A batch normalisation between layers, and a layer that none follows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.more = nn.Conv2d(4, 4, 3)
        self.again = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x)).relu()
        x = self.again(self.more(x)).relu()
        return self.head(x.mean((2, 3)))


class Tied(nn.Module):
    """A weight that reads and writes, and a layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Embedding(7, 4)
        self.twice = nn.Linear(4, 4)
        self.once = nn.Linear(4, 4)
        self.write = nn.Linear(4, 7, bias=False)
        self.write.weight = self.read.weight
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        x = self.twice(self.read(x)).relu()
        return self.write(self.once(self.twice(x).relu())).mean(1)
