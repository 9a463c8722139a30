"""Blocks of real networks, small: what is hard to permute rightly."""

import torch
import torch.nn.functional as F
from torch import nn

from ridgeline import state as states
from symmetric import p


class Transposed(nn.Module):
    """An autoencoder that decodes with the weights that it encodes with."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 7), nn.Linear(7, 5)
        self.back, self.out = p(7), p(4)

    def forward(self, x):
        code = self.two(self.one(x).relu()).tanh()
        h = F.linear(code, self.two.weight.t(), self.back).relu()
        return F.linear(h, self.one.weight.t(), self.out)


class LayerNorm2d(nn.LayerNorm):
    """A kind of one's own, after a known one."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNext(nn.Module):
    """A depthwise convolution, a normalisation of channels, and a scale of the branch."""

    def __init__(self):
        super().__init__()
        self.stem, self.first, self.norm = nn.Conv2d(2, 6, 1), LayerNorm2d(6), LayerNorm2d(6)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.up, self.down, self.head = nn.Linear(6, 9), nn.Linear(9, 6), nn.Linear(6, 3)
        self.layer_scale = p(6, 1, 1)

    def forward(self, x):
        x = self.first(self.stem(x))
        h = self.norm(self.depthwise(x)).permute(0, 2, 3, 1)
        h = self.down(F.gelu(self.up(h))).permute(0, 3, 1, 2)
        return self.head((x + self.layer_scale * h).mean((2, 3)))


class UNet(nn.Module):
    """Channels that skip ahead and stand beside others."""

    def __init__(self):
        super().__init__()
        self.one, self.norm1 = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.two, self.norm2 = nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.up = nn.ConvTranspose2d(6, 5, 2, stride=2)
        self.decode, self.out = nn.Conv2d(9, 4, 3, padding=1), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        skipped = self.norm1(self.one(x)).relu()
        deep = self.norm2(self.two(F.max_pool2d(skipped, 2))).relu()
        return self.out(self.decode(torch.cat([self.up(deep), skipped], 1)).relu())


class Bottleneck(nn.Module):
    """Normalised branches that are summed, grouped within, one with a shortcut of its own."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm0 = nn.Conv2d(2, 4, 1, bias=False), nn.BatchNorm2d(4)
        self.down, self.norm1 = nn.Conv2d(4, 6, 1, bias=False), nn.BatchNorm2d(6)
        self.mid, self.norm2 = nn.Conv2d(6, 6, 3, padding=1, groups=3), nn.BatchNorm2d(6)
        self.up, self.norm3 = nn.Conv2d(6, 5, 1, bias=False), nn.BatchNorm2d(5)
        self.short, self.norm4 = nn.Conv2d(4, 5, 1, bias=False), nn.BatchNorm2d(5)
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        x = self.norm0(self.stem(x)).relu()
        h = self.norm2(self.mid(self.norm1(self.down(x)).relu())).relu()
        return self.head((self.norm3(self.up(h)) + self.norm4(self.short(x))).relu().mean((2, 3)))


class Vision(nn.Module):
    """torch's own encoder, with a token, positions and a scale that are bare parameters."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Linear(6, 8), nn.Linear(8, 3)
        self.cls_token, self.pos_embed, self.gamma = p(1, 1, 8), p(1, 5, 8), p(8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=True)

    def forward(self, x):
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), self.embed(x)], 1) + self.pos_embed
        return self.head((self.encoder(x) * self.gamma)[:, 0])


class Twice(nn.Module):
    """One normalisation in two places."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x):
        return self.c(self.norm(self.b(self.norm(self.a(x)).relu())).relu())


BLOCKS = {
    # name: (make, shape of a sample, {group: (fibres, size)})
    "transposed": (Transposed, (4,), {"back": (1, 7), "two": (1, 5)}),
    "convnext": (ConvNext, (2, 5, 5), {"layer_scale": (1, 6), "up": (1, 9)}),
    "u-net": (UNet, (2, 4, 4), {"one": (1, 4), "two": (1, 6), "up": (1, 5), "decode": (1, 4)}),
    "bottleneck": (Bottleneck, (2, 5, 5), None),
    "vision": (Vision, (4, 6), None),
    "twice": (Twice, (4,), {"a": (1, 6)}),
}


def lively(model, seed, counts=0):
    """A state as if trained: weights and statistics that tell channels apart."""
    draw = torch.Generator().manual_seed(seed)
    made, seen = {}, {}
    for name, x in states.capture(model).items():
        if not x.is_floating_point():
            made[name] = torch.full_like(x, counts)
            continue
        noise = torch.randn(x.shape, generator=draw, dtype=torch.float64).to(x.dtype)
        made[name] = noise.exp() if name.endswith("running_var") else x + 0.3 * noise
        made[name] = made[seen.setdefault(states.place(x), name)]
    return made


def answer(model, state, x):
    """What the network says with a state, in evaluation mode."""
    with torch.no_grad():
        return torch.func.functional_call(model.eval(), state, (x,))


def sample(shape, count=2, seed=0):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed)).double()
