"""Small networks, one for each rule of discovery, with the groups that a hand derives."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations


class Run(nn.Module):
    """Modules by name, and how they are run."""

    def __init__(self, run, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.run = run

    def forward(self, *inputs):
        return self.run(self, *inputs)


def seeded(make):
    def build():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return make()

    return build


def p(*shape):
    return nn.Parameter(torch.randn(*shape))


def heads(x, count):
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def joined(x):
    return x.transpose(1, 2).flatten(2)


def rotated(x):
    """Rotary positions: channel k of the first half turns with channel k of the second."""
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[-2])[:, None] * (0.5 ** torch.arange(half))[None]
    cos, sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


def attend(m, x, turn=lambda x: x, keys=None):
    q, k, v = heads(m.q(x), 3), heads(m.k(x), keys or 3), heads(m.v(x), keys or 3)
    y = F.scaled_dot_product_attention(turn(q), turn(k), v, enable_gqa=keys is not None)
    return m.o(joined(y)).mean(1)


def by_hand(m, x):
    q, k, v = (heads(part(x), 3) for part in (m.q, m.k, m.v))
    scores = (q @ k.transpose(-1, -2) / 2).softmax(-1)
    return m.o(joined(scores @ v)).mean(1)


def projections(keys=12, width=12):
    lin = nn.Linear
    return {"q": lin(6, width), "k": lin(6, keys), "v": lin(6, keys), "o": lin(width, 5)}


def squeeze(m, x):
    x = m.conv(x)
    gate = m.up(F.relu(m.down(x.mean((2, 3))))).sigmoid()
    return m.head((x * gate[:, :, None, None]).mean((2, 3)))


def dense(m, x):
    for layer in (m.one, m.two, m.three):
        x = torch.cat([x, F.relu(layer(x))], 1)
    return m.head(x.mean((2, 3)))


def shuffled(m, x):
    return m.head(F.channel_shuffle(F.relu(m.one(x)), 2).mean((2, 3)))


def experts(m, x):
    weights = m.gate(x).softmax(-1)
    return m.head(sum(weights[:, k, None] * e(x) for k, e in enumerate(m.experts)))


def stacked(m, x):
    h = torch.einsum("bi,eih->beh", x, m.inside).relu()
    y = torch.einsum("beh,eho->beo", h, m.out)
    return m.head((y * m.gate(x).softmax(-1)[..., None]).sum(1))


def multiplied(m, x):
    h = torch.bmm(x.expand(3, *x.shape), m.inside).relu()
    y = torch.bmm(h, m.out)
    return m.head((y * m.gate(x).softmax(-1).t()[..., None]).sum(0))


def mixer(m, x):
    x = m.embed(x)
    x = x + m.up(F.gelu(m.down(x.transpose(1, 2)))).transpose(1, 2)
    return m.head((x + m.back(F.gelu(m.wide(x)))).mean(1))


def tied(m, x):
    return m.head(F.relu(m.mid(m.embed(x).mean(1))))


def tied_embedding_first():
    m = Run(tied, embed=nn.Embedding(9, 7), mid=nn.Linear(7, 7), head=nn.Linear(7, 9, bias=False))
    m.head.weight = m.embed.weight
    return m


def tied_head_first():
    m = Run(tied, head=nn.Linear(7, 9, bias=False), embed=nn.Embedding(9, 7), mid=nn.Linear(7, 7))
    m.embed.weight = m.head.weight
    return m


def twice():
    one = nn.Linear(4, 4)
    return nn.Sequential(one, nn.ReLU(), one, nn.ReLU(), nn.Linear(4, 3))


def recurrent(kind, both=1, given=None, **options):
    layer = kind(3, 5, 2, batch_first=True, bidirectional=both == 2, **options)
    width = both * (options.get("proj_size") or 5)
    return Run(lambda m, x: m.head(m.r(x)[0][:, -1]), r=layer, head=nn.Linear(width, 2))


def batchnormed():
    made = nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten())
    made.append(nn.Linear(54, 3))
    made[1].running_mean.normal_()
    made[1].running_var.uniform_(0.5, 2)
    made[1].num_batches_tracked.fill_(7)
    return made


def conv(*layers, width):
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3))


VECTOR, IMAGE, STEPS = torch.randn(2, 4), torch.randn(2, 2, 5, 5), torch.randn(2, 4, 3)
TOKENS, WORDS = torch.randn(2, 4, 6), torch.tensor([[1, 2, 8], [0, 2, 5]])

C, L, R = nn.Conv2d, nn.Linear, nn.ReLU

NETWORKS = {
    # name: (make, input, {group: (fibres, size)})
    "mlp": (
        lambda: nn.Sequential(L(4, 6), R(), L(6, 5), nn.Tanh(), L(5, 3)),
        VECTOR,
        {"0": (1, 6), "2": (1, 5)},
    ),
    "residual": (
        lambda: Run(
            lambda m, x: m.c((h := m.a(x)) + m.b(h.relu())), a=L(4, 6), b=L(6, 6), c=L(6, 3)
        ),
        VECTOR,
        {"a": (1, 6)},
    ),
    "batch norm, flattened": (batchnormed, IMAGE, {"0": (1, 6)}),
    "layer norm": (
        lambda: nn.Sequential(L(4, 6), nn.LayerNorm(6), nn.GELU(), L(6, 3)),
        VECTOR,
        {"0": (1, 6)},
    ),
    "RMS norm": (
        lambda: nn.Sequential(L(4, 6), nn.RMSNorm(6), L(6, 3)),
        VECTOR,
        {"0": (1, 6)},
    ),
    "instance norm": (
        lambda: conv(C(2, 6, 3), nn.InstanceNorm2d(6, affine=True), R(), width=6),
        IMAGE,
        {"0": (1, 6)},
    ),
    # Channels within a group, and the groups themselves.
    "group norm": (
        lambda: conv(C(2, 6, 3), nn.GroupNorm(3, 6), R(), width=6),
        IMAGE,
        {"0": (3, 2), "0 blocks": (1, 3)},
    ),
    "PReLU, one": (
        lambda: nn.Sequential(L(4, 6), nn.PReLU(), L(6, 3)),
        VECTOR,
        {"0": (1, 6)},
    ),
    "PReLU, many": (
        lambda: nn.Sequential(L(4, 6), nn.PReLU(6), L(6, 3)),
        VECTOR,
        {"0": (1, 6)},
    ),
    # Two channels read two each; which of the two groups comes first is free, too.
    "grouped convolution": (
        lambda: conv(C(2, 4, 1), R(), C(4, 6, 3, groups=2), R(), width=6),
        IMAGE,
        {"0": (2, 2), "2": (2, 3), "0 blocks": (1, 2)},
    ),
    "depthwise convolution": (
        lambda: conv(C(2, 6, 1), C(6, 6, 3, groups=6), R(), C(6, 5, 1), R(), width=5),
        IMAGE,
        {"0": (1, 6), "3": (1, 5)},
    ),
    "transposed convolution": (
        lambda: conv(C(2, 6, 1), R(), nn.ConvTranspose2d(6, 5, 2), R(), width=5),
        IMAGE,
        {"0": (1, 6), "2": (1, 5)},
    ),
    "transposed, grouped": (
        lambda: conv(C(2, 4, 1), R(), nn.ConvTranspose2d(4, 6, 2, groups=2), R(), width=6),
        IMAGE,
        {"0": (2, 2), "2": (2, 3), "0 blocks": (1, 2)},
    ),
    "concatenation": (
        lambda: Run(dense, one=C(2, 3, 1), two=C(5, 4, 1), three=C(9, 5, 1), head=L(14, 3)),
        IMAGE,
        {"one": (1, 3), "two": (1, 4), "three": (1, 5)},
    ),
    "gate": (
        lambda: Run(squeeze, conv=C(2, 6, 1), down=L(6, 4), up=L(4, 6), head=L(6, 3)),
        IMAGE,
        {"conv": (1, 6), "down": (1, 4)},
    ),
    "channel shuffle": (
        lambda: Run(shuffled, one=C(2, 6, 1), head=L(6, 3)),
        IMAGE,
        {"one": (1, 6)},
    ),
    # Four channels become the four places of one picture: they move together.
    "pixel shuffle": (
        lambda: conv(C(2, 12, 1), nn.PixelShuffle(2), R(), C(3, 4, 2, stride=2), R(), width=4),
        IMAGE,
        {"0": (1, 3), "3": (1, 4)},
    ),
    "attention": (
        lambda: Run(attend, **projections()),
        TOKENS,
        {"q": (3, 4), "v": (3, 4), "q blocks": (1, 3)},
    ),
    "attention by hand": (
        lambda: Run(by_hand, **projections()),
        TOKENS,
        {"q": (3, 4), "v": (3, 4), "q blocks": (1, 3)},
    ),
    # Three queries read one key: they are free within it.
    "grouped queries": (
        lambda: Run(lambda m, x: attend(m, x, keys=1), **projections(keys=4)),
        TOKENS,
        {"k": (1, 4), "v": (1, 4), "q": (1, 3)},
    ),
    # Each pair turns at a speed of its own, so nothing moves within a head but values.
    "rotary": (
        lambda: Run(lambda m, x: attend(m, x, rotated), **projections()),
        TOKENS,
        {"v": (3, 4), "q blocks": (1, 3)},
    ),
    "nn.MultiheadAttention": (
        lambda: Run(
            lambda m, x: m.o(m.a(h := m.i(x), h, h, need_weights=False)[0].mean(1)),
            i=L(6, 8),
            a=nn.MultiheadAttention(8, 2, batch_first=True),
            o=L(8, 3),
        ),
        TOKENS,
        {"i": (1, 8), "a": (2, 4), "a 2": (2, 4), "a blocks": (1, 2), "a.out_proj": (1, 8)},
    ),
    "gated": (
        lambda: Run(lambda m, x: m.c(F.silu(m.a(x)) * m.b(x)), a=L(4, 6), b=L(4, 6), c=L(6, 3)),
        VECTOR,
        {"a": (1, 6)},
    ),
    "gated by halves": (
        lambda: Run(lambda m, x: m.c(F.glu(m.a(x))), a=L(4, 12), c=L(6, 3)),
        VECTOR,
        {"a": (1, 6)},
    ),
    "tied embedding, first": (tied_embedding_first, WORDS, {"mid": (1, 7)}),
    "tied head, first": (tied_head_first, WORDS, {"mid": (1, 7)}),
    "embedding": (
        lambda: Run(
            lambda m, x: m.head(m.embed(x).mean(1)), embed=nn.Embedding(9, 7), head=L(7, 3)
        ),
        WORDS,
        {"embed": (1, 7)},
    ),
    # What comes out of it goes into it: its units are those of the input.
    "one module twice": (twice, VECTOR, {}),
    "weight norm": (
        lambda: nn.Sequential(parametrizations.weight_norm(L(4, 6)), R(), L(6, 3)),
        VECTOR,
        {"0": (1, 6)},
    ),
    "spectral norm": (
        lambda: nn.Sequential(parametrizations.spectral_norm(L(4, 6)), R(), L(6, 3)),
        VECTOR,
        {"0": (1, 6)},
    ),
    "mixer": (
        lambda: Run(
            mixer, embed=L(6, 5), down=L(4, 7), up=L(7, 4), wide=L(5, 8), back=L(8, 5), head=L(5, 3)
        ),
        TOKENS,
        {"embed": (1, 5), "down": (1, 7), "wide": (1, 8)},
    ),
    "experts in a list": (
        lambda: Run(
            experts,
            gate=L(4, 3),
            experts=nn.ModuleList(nn.Sequential(L(4, 6), R(), L(6, 5)) for _ in range(3)),
            head=L(5, 2),
        ),
        VECTOR,
        {
            "experts.0.0": (1, 6),
            "experts.1.0": (1, 6),
            "experts.2.0": (1, 6),
            "experts.0.2": (1, 5),
        },
    ),
    "experts in a stack": (
        lambda: Run(stacked, inside=p(3, 4, 6), out=p(3, 6, 5), gate=L(4, 3), head=L(5, 2)),
        VECTOR,
        {"inside": (3, 6), "inside blocks": (1, 3), "head": (1, 5)},
    ),
    "experts by bmm": (
        lambda: Run(multiplied, inside=p(3, 4, 6), out=p(3, 6, 5), gate=L(4, 3), head=L(5, 2)),
        VECTOR,
        {"inside": (3, 6), "inside blocks": (1, 3), "head": (1, 5)},
    ),
    "LSTM": (lambda: recurrent(nn.LSTM), STEPS, {"r": (1, 5), "r 2": (1, 5)}),
    "GRU": (lambda: recurrent(nn.GRU), STEPS, {"r": (1, 5), "r 2": (1, 5)}),
    "RNN": (lambda: recurrent(nn.RNN), STEPS, {"r": (1, 5), "r 2": (1, 5)}),
    "LSTM, both ways": (
        lambda: recurrent(nn.LSTM, 2),
        STEPS,
        {"r": (1, 5), "r 2": (1, 5), "r 3": (1, 5), "r 4": (1, 5)},
    ),
    "LSTM, projected": (
        lambda: recurrent(nn.LSTM, 2, proj_size=4),
        STEPS,
        {f"r {k}" if k > 1 else "r": (1, 5 if k % 2 else 4) for k in range(1, 9)},
    ),
    "GRU, both ways": (
        lambda: recurrent(nn.GRU, 2),
        STEPS,
        {"r": (1, 5), "r 2": (1, 5), "r 3": (1, 5), "r 4": (1, 5)},
    ),
}
