"""Small transformers whose residual stream may be rotated, with what is known of each."""

from functools import cache

import torch
from torch import nn
from torch.nn import functional

from ridgeline import nets
from ridgeline import state as states
from ridgeline.nets.attention import Attention, draw
from ridgeline.symmetry import Transform, symmetries
from ridgeline.symmetry.mixing import Mixing
from ridgeline.symmetry.scales import rescalable
from ridgeline.symmetry.streams import streams


class RmsBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.attention = nn.RMSNorm(width), Attention(width, 2, True)
        self.norm2, self.up = nn.RMSNorm(width), nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class RmsNet(nn.Module):
    def __init__(self, width=12, depth=1):
        super().__init__()
        self.token, self.position = nn.Embedding(11, width), nn.Embedding(6, width)
        self.blocks = nn.Sequential(*(RmsBlock(width) for _ in range(depth)))
        self.norm, self.head = nn.RMSNorm(width), nn.Linear(width, 11, bias=False)
        draw(self, depth, 0, 1.0)

    def forward(self, tokens):
        return self.head(self.norm(self.blocks(self.token(tokens) + self.position.weight)))


TOKENS = torch.randint(0, 11, (3, 6), generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
NAMES = ("rms", "vit", "transformer")


@cache
def network(name):
    """A model, an example, its symmetry and its stream."""
    model, example = {
        "rms": lambda: (RmsNet(), TOKENS),
        "vit": lambda: (nets.vit(5, 1, 8, 4, 12, 2, 1, "mean"), IMAGES),
        "transformer": lambda: (
            nets.transformer(11, 6, width=12, heads=2, depth=1, tied=False), TOKENS
        ),
    }[name]()  # fmt: skip
    model.eval().double()
    example = example.double() if example.is_floating_point() else example
    symmetry = rescalable(symmetries(model, example), model, example)
    return model, example, symmetry, streams(symmetry, model, example)


def drawn(name, seed=0):
    """A state as if trained: noise on every tensor."""
    draws = torch.Generator().manual_seed(seed)
    state = states.capture(network(name)[0])
    return {n: x + 0.1 * torch.randn(x.shape, generator=draws).double() for n, x in state.items()}


def outputs(name, state):
    model, example, *_ = network(name)
    with torch.no_grad():
        return torch.func.functional_call(model, dict(state), example)


def element(name, state, seed, *, permuted=True, mixed=False):
    """A random rotation of a state's stream, with permutations and mixed circuits if asked."""
    _, _, symmetry, stream = network(name)
    found = stream.rotation(stream.random(seed))
    if permuted:
        found = found @ symmetry.random(seed)
    if mixed:
        found = mixing(stream, seed) @ found
    return stream.absorb(state).inverse() @ found @ stream.absorb(state)


def mixing(stream, seed):
    draws = torch.Generator().manual_seed(seed)
    actions = []
    for c in stream.circuits:
        shape = (c.group.fibres, c.group.size, c.group.size)
        noise = torch.randn(shape, generator=draws, dtype=torch.float64) / c.group.size**0.5
        actions.append(Mixing(c.group, c.powers, torch.eye(c.group.size).double() + 0.3 * noise))
    return Transform(tuple(actions), stream.ties)
