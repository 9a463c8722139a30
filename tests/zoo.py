"""Small networks of every kind the engine meets, with data for them."""

from itertools import pairwise

import torch
from torch import nn

from ridgeline.nets import resnet20, transformer


class Mlp(nn.Sequential):
    def __init__(self, *widths):
        layers = []
        for i, (inside, out) in enumerate(pairwise(widths)):
            layers += [nn.Linear(inside, out)] + [nn.ReLU()] * (i < len(widths) - 2)
        super().__init__(*layers)


class Cnn(nn.Sequential):
    """BatchNorm, in-place activations, pooling, flatten to linear."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(2, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1, groups=2),
            nn.BatchNorm2d(8),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(8 * 9, 4),
        )


class Residual(nn.Module):
    """A linear stem and a residual sum of a moving and a skipped value."""

    def __init__(self):
        super().__init__()
        self.stem, self.one, self.two = nn.Linear(7, 9), nn.Linear(9, 9), nn.Linear(9, 9)
        self.head = nn.Linear(18, 3)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.two(torch.tanh(self.one(x)))
        return self.head(torch.cat([x, x.neg().relu_()], dim=1))


class Dictionary(nn.Module):
    """Inputs by name; an integer buffer and a mask among them."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.mix = nn.Linear(6, 5)
        self.register_buffer("scale", torch.tensor(3))
        self.register_buffer("offset", torch.zeros(6), persistent=False)

    def forward(self, tokens, mask):
        x = self.embed(tokens) + self.offset
        pooled = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return {"logits": self.mix(pooled) * self.scale, "pooled": pooled}


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 6, 2, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class Branching(nn.Module):
    """Looks at a value to decide: no tracer may follow it."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, x):
        h = self.a(x)
        if float(self.a.weight.sum()) > 0:
            h = h.relu()
        return self.b(h)


def images(n, draw):
    return torch.randn(n, 2, 6, 6, generator=draw), torch.randint(0, 4, (n,), generator=draw)


def vectors(inside, classes):
    def make(n, draw):
        return torch.randn(n, inside, generator=draw), torch.randint(
            0, classes, (n,), generator=draw
        )

    return make


def tokens(n, draw):
    ids = torch.randint(0, 13, (n, 8), generator=draw)
    return ids, torch.roll(ids, -1, 1)


def named(n, draw):
    mask = torch.rand(n, 4, generator=draw)
    inputs = {"tokens": torch.randint(0, 11, (n, 4), generator=draw), "mask": mask}
    return inputs, torch.randint(0, 5, (n,), generator=draw)


def sequences(n, draw):
    return torch.randn(n, 5, 4, generator=draw), torch.randint(0, 3, (n,), generator=draw)


def pictures(n, draw):
    return torch.randn(n, 3, 8, 8, generator=draw), torch.randint(0, 10, (n,), generator=draw)


ZOO = {
    "mlp": (lambda: Mlp(6, 10, 9, 4), vectors(6, 4)),
    "cnn-batchnorm": (Cnn, images),
    "residual": (Residual, vectors(7, 3)),
    "transformer-tied": (
        lambda: transformer(13, 8, width=8, heads=2, depth=1, tied=True),
        tokens,
    ),
    "dict-inputs": (Dictionary, named),
    "lstm": (Recurrent, sequences),
    "value-branch": (Branching, vectors(5, 3)),
    "resnet20": (lambda: resnet20(width=2), pictures),
}


def build(name, n=37, seed=0):
    """A model, its data, and two random states of it with lively statistics."""
    make, data = ZOO[name]
    draw = torch.Generator().manual_seed(seed)
    model = make().eval()

    def state():
        found = {}
        for key, x in model.state_dict().items():
            if not x.is_floating_point():
                found[key] = x.clone()
                continue
            value = torch.randn(x.shape, generator=draw) * 0.5 + (0.3 if x.ndim < 2 else 0)
            found[key] = value.abs() + 0.2 if key.endswith("running_var") else value
        for key, other in getattr(model, "tied_names", {}).items():
            found[key] = found[other]
        seen = {}
        for key, x in model.state_dict(keep_vars=True).items():
            found[key] = found[seen.setdefault(id(x), key)]
        return found

    return model, data(n, draw), state(), state()
