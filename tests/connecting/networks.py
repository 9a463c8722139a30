"""Small networks and data, and the slope of a point by plain autograd through the combination."""

from dataclasses import replace

import torch
from torch import nn
from torch.func import functional_call

import ridgeline as rl
from ridgeline.training import SGD, Constant


class Transformer(nn.Module):
    """One block of attention over tokens, with the embedding tied to the head."""

    def __init__(self, words=11, width=8):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.block = nn.TransformerEncoderLayer(width, 2, 16, dropout=0.1, batch_first=True)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.block(self.embed(tokens)))[:, -1]


def plain():
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))


def normalised():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
    )


def spectral():
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(5, 7))
    return nn.Sequential(layer, nn.Tanh(), nn.Linear(7, 3))


class Complex(nn.Module):
    """Absolute values of a complex linear map."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 5, dtype=torch.complex64))

    def forward(self, x):
        return (x.to(self.weight.dtype) @ self.weight.T).abs()


NETWORKS = {
    "plain": (plain, (5,)),
    "BatchNorm": (normalised, (1, 4, 4)),
    "transformer": (Transformer, None),
    "complex": (Complex, (5,)),
}


def data_of(shape, n=24, classes=3):
    draws = torch.Generator().manual_seed(3)
    if shape is None:
        return torch.randint(11, (n, 6), generator=draws), torch.randint(11, (n,), generator=draws)
    x = torch.randn(n, *shape, generator=draws)
    return x, torch.randint(classes, (n,), generator=draws)


def made(build, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def objective_of(name, **more):
    build, shape = NETWORKS[name]
    return rl.Objective(made(build, 9), data_of(shape), dtype=torch.float64, **more)


def states_of(name, count=2):
    build, _ = NETWORKS[name]
    return [
        rl.state.cast(rl.state.capture(made(build, seed)), torch.float64) for seed in range(count)
    ]


def one_step(problem, objective, **more):
    """The states after a step of plain descent at rate one, the batch, and the drawn rows."""
    drawn = []

    def rows(draws, count):
        drawn.append(problem.rows(draws, count))
        return drawn[-1]

    by = rl.Descent(
        length="1it",
        batch_size=10,
        looks=1,
        optimiser=SGD(learning_rate=1.0),
        schedule=Constant(),
        **more,
    )
    found = rl.connecting.descend(replace(problem, rows=rows), objective, by, seed=4)
    batch = next(rl.minibatches(objective, 10, seed=4, purpose="points of a path"))
    return found, batch, drawn[0][: by.positions]


def slopes(model, points, free, rows, batch, decay=0.0):
    """Loss and gradients by the trained states, by autograd through their combination."""
    model = model.double().train()
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.eval()
        if isinstance(part, nn.TransformerEncoderLayer | nn.MultiheadAttention):
            part.training = False
    names = [n for n, _ in model.named_parameters()]
    leaves = {j: {n: points[j][n].clone().requires_grad_() for n in names} for j in free}
    total, term = 0.0, 0.0
    for row in rows:
        at = {n: sum(c * leaves.get(j, points[j])[n] for j, c in enumerate(row)) for n in names}
        loss = nn.functional.cross_entropy(
            functional_call(model, at, (batch.inputs,)), batch.targets
        )
        term = term + loss / len(rows)
        squares = sum(x.abs().square().sum() for x in at.values())
        total = total + (loss + decay / 2 * squares) / len(rows)
    total.backward()
    return float(term.detach()), {
        j: {n: x.grad for n, x in held.items()} for j, held in leaves.items()
    }
