"""Random programs: networks of one to five operations that no test was written for.

Each operation is a small module that says what it makes of a value: a vector (batch, channels), a
sequence (batch, steps, channels) or a picture (batch, channels, height, width).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from symmetric import Run, p

POINTWISE = [torch.relu, torch.tanh, torch.sin, F.gelu, F.silu, torch.sigmoid, torch.square]
OPERATIONS = {}


@dataclass(frozen=True)
class Shape:
    """What a value is: its kind, channels, steps or sides, and whether these may be others."""

    kind: str
    c: int
    t: int = 1
    free: bool = True


def operation(*kinds):
    def enter(make):
        for kind in kinds:
            OPERATIONS.setdefault(kind, []).append(make)
        return make

    return enter


def pick(r, *given):
    return given[int(r.integers(len(given)))]


def divisor(r, c):
    return pick(r, *[k for k in range(1, c + 1) if c % k == 0 and k < 7])


# --- of channels, whatever stands beside them -----------------------------------------------------


@operation("vector", "sequence")
def linear(r, s):
    c = pick(r, 4, 6, 8, s.c)
    return nn.Linear(s.c, c, bias=bool(r.integers(2))), replace(s, c=c)


@operation("vector", "sequence", "picture")
def pointwise(r, s):
    f = pick(r, *POINTWISE)
    return Run(lambda m, x: f(x)), s


@operation("vector", "sequence")
def norm(r, s):
    return pick(r, nn.LayerNorm(s.c), nn.RMSNorm(s.c), Run(lambda m, x: F.normalize(x, dim=-1))), s


@operation("vector", "sequence")
def gains(r, s):
    g = p(pick(r, 1, s.c))
    add = bool(r.integers(2))
    return Run(lambda m, x: x + m.g if add else x * m.g, g=g), s


@operation("vector", "sequence")
def gains_of_heads(r, s):
    h = divisor(r, s.c)
    g = pick(r, p(h, s.c // h), p(h, 1), p(s.c // h))
    return Run(lambda m, x: (x.unflatten(-1, (h, -1)) * m.g).flatten(-2), g=g), s


@operation("vector", "sequence")
def softmax(r, s):
    h, dim = divisor(r, s.c), pick(r, -1, -2)
    return Run(lambda m, x: x.unflatten(-1, (h, -1)).softmax(dim).flatten(-2)), s


@operation("vector", "sequence")
def gated(r, s):
    if s.c % 2:
        return linear(r, s)
    f = pick(r, torch.sigmoid, torch.relu, torch.tanh)
    way = pick(r, "gate", "sum", "beside", "first", "outer")
    if way == "outer" and s.c > 8:
        way = "gate"

    def run(m, x):
        a, b = x.chunk(2, -1)
        if way == "outer":
            return (a[..., :, None] * f(b)[..., None, :]).flatten(-2)
        made = {"gate": lambda: a * f(b), "sum": lambda: a + f(b), "first": lambda: a}
        return torch.cat([a.sin(), f(b)], -1) if way == "beside" else made[way]()

    c = s.c if way == "beside" else s.c * s.c // 4 if way == "outer" else s.c // 2
    return Run(run), replace(s, c=c)


@operation("vector", "sequence")
def moved(r, s):
    h, k = divisor(r, s.c), int(r.integers(1, s.c + 1))
    way = pick(r, "roll", "flip", "shuffle", "step", "chosen", "twice", "padded")
    index = torch.from_numpy(r.permutation(s.c))
    ways = {
        "roll": lambda x: x + x.roll(k, -1),
        "flip": lambda x: x * x.flip(-1),
        "shuffle": lambda x: x.unflatten(-1, (h, -1)).transpose(-1, -2).flatten(-2),
        "step": lambda x: x[..., ::2],
        "chosen": lambda x: x[..., index[:k]],
        "twice": lambda x: torch.cat([x, x.tanh(), x[..., :0]], -1),
        "padded": lambda x: F.pad(x, (1, 0)),
    }
    c = {"step": (s.c + 1) // 2, "chosen": k, "twice": 2 * s.c, "padded": s.c + 1}.get(way, s.c)
    return Run(lambda m, x: ways[way](x)), replace(s, c=c)


@operation("vector", "sequence")
def ranked(r, s):
    k, f = max(1, s.c // 2), pick(r, "sort", "topk", "cumsum", "cummax", "fft", "amax", "scatter")
    index = torch.from_numpy(r.integers(0, k, s.c))
    ways = {
        "sort": lambda x: x.sort(-1)[0],
        "topk": lambda x: x.topk(k, -1)[0],
        "cumsum": lambda x: x.cumsum(-1),
        "cummax": lambda x: x.cummax(-1)[0],
        "fft": lambda x: torch.fft.rfft(x, dim=-1).abs(),
        "amax": lambda x: x - x.amax(-1, keepdim=True),
        "scatter": lambda x: torch.zeros(*x.shape[:-1], k, dtype=x.dtype).index_add(-1, index, x),
    }
    c = {"topk": k, "scatter": k, "fft": s.c // 2 + 1}.get(f, s.c)
    return Run(lambda m, x: ways[f](x)), replace(s, c=c)


@operation("vector", "sequence")
def tied(r, s):
    c, f = pick(r, 4, 6), pick(r, *POINTWISE)
    return Run(lambda m, x: F.linear(f(F.linear(x, m.w)), m.w.t()), w=p(c, s.c)), s


@operation("vector", "sequence")
def shared(r, s):
    f, part = pick(r, *POINTWISE), nn.Linear(s.c, s.c)
    return Run(lambda m, x: m.a(f(m.a(x))), a=part), s


@operation("vector", "sequence")
def experts(r, s):
    e, c = pick(r, 2, 3), pick(r, 4, 6)
    way = pick(r, "mixed", "concatenated", "by head")
    h = divisor(r, s.c)
    if way == "by head":
        w = p(h, s.c // h, c)
        run = lambda m, x: torch.einsum("...hi,hio->...ho", x.unflatten(-1, (h, -1)), m.w)  # noqa: E731
        return Run(lambda m, x: run(m, x).flatten(-2), w=w), replace(s, c=h * c)

    def several(m, x):
        y = torch.einsum("...i,eio->...eo", x, m.w).relu()
        if way == "concatenated":
            return y.flatten(-2)
        return (m.g(x).softmax(-1)[..., None] * y).sum(-2)

    made = Run(several, w=p(e, s.c, c), g=nn.Linear(s.c, e))
    return made, replace(s, c=c * e if way == "concatenated" else c)


@operation("vector", "sequence")
def listed(r, s):
    """Modules in a list, used in the same way or not."""
    e, c = pick(r, 2, 3), pick(r, 4, s.c)
    f = pick(r, *POINTWISE)
    way = pick(r, "sum", "weighed", "stack", "masked", "rows", "beside", "in turn", "last")
    one = lambda: nn.Sequential(nn.Linear(s.c, 5), Run(lambda m, x: f(x)), nn.Linear(5, c))  # noqa: E731

    def run(m, x):
        w = m.g(x).softmax(-1)
        if way == "sum":
            return sum(a(x) for a in m.a)
        if way == "weighed":
            return sum(w[..., k, None] * a(x) for k, a in enumerate(m.a))
        if way == "in turn":  # their order counts
            return sum((k + 1) * a(x) for k, a in enumerate(m.a))
        if way == "stack":
            return (torch.stack([a(x) for a in m.a], -2) * w[..., None]).sum(-2)
        if way == "beside":
            return torch.cat([a(x) for a in m.a], -1)
        which = m.g(x).argmax(-1)
        y = x.new_zeros(*x.shape[:-1], c)
        for k, a in enumerate(m.a):
            here = which == k if way != "last" else which >= k  # the last that fits is kept
            if way == "masked":
                y = y + here[..., None] * a(x)
            else:
                y[here] = a(x[here])
        return y

    made = Run(run, a=nn.ModuleList([one() for _ in range(e)]), g=nn.Linear(s.c, e))
    return made, replace(s, c=c * e if way == "beside" else c)


@operation("vector", "sequence")
def several_experts(r, s):
    """As a vector: matrices in a stack, by batched products."""
    if s.kind != "vector":
        return experts(r, s)
    e, c = pick(r, 2, 3), 4
    return Run(
        lambda m, x: torch.bmm(x.expand(e, *x.shape), m.w).relu().transpose(0, 1).flatten(1),
        w=p(e, s.c, c),
    ), replace(s, c=e * c)


@operation("vector", "sequence", "picture")
def residual(r, s):
    inner, after = chain(r, s, 2)
    if after != s:
        return inner, after
    return Run(lambda m, x: x + m.a(x), a=inner), s


@operation("vector", "sequence")
def beside(r, s):
    (one, a), (other, b) = chain(r, s, 2), chain(r, s, 2)
    if replace(a, c=b.c) != b:
        return one, a
    free = replace(a, c=a.c + b.c)
    if a.c == b.c and r.integers(2):
        way = pick(r, torch.add, torch.mul, torch.maximum)
        return Run(lambda m, x: way(m.a(x), m.b(x)), a=one, b=other), a
    return Run(lambda m, x: torch.cat([m.a(x), m.b(x)], -1), a=one, b=other), free


@operation("vector")
def stacked(r, s):
    (one, a), (other, b) = chain(r, s, 2), chain(r, s, 2)
    if a != b or a.kind != "vector":
        return one, a
    place = p(2, a.c) if r.integers(2) else p(1, a.c)
    layer = nn.LayerNorm(a.c) if r.integers(2) else nn.Identity()
    run = lambda m, x: m.n(torch.stack([m.a(x), m.b(x)], 1) + m.p)  # noqa: E731
    made = Run(run, a=one, b=other, p=place, n=layer)
    return made, Shape("sequence", a.c, 2, free=False)


@operation("vector")
def recalled(r, s):
    h = divisor(r, s.c)
    return Run(lambda m, x: x.unflatten(-1, (h, -1))), Shape("sequence", s.c // h, h, free=False)


@operation("vector")
def mapped(r, s):
    f = pick(r, *POINTWISE)
    return Run(lambda m, x: torch.vmap(lambda row: f(row @ m.w))(x), w=p(s.c, s.c)), s


@operation("vector")
def normalised(r, s):
    k = divisor(r, s.c)
    return pick(r, nn.BatchNorm1d(s.c), nn.GroupNorm(k, s.c)), s


# --- of steps ------------------------------------------------------------------------------------


@operation("sequence")
def recurrent(r, s):
    c = pick(r, 4, 5)
    kind, two = pick(r, nn.RNN, nn.GRU, nn.LSTM), bool(r.integers(2))
    rnn = kind(s.c, c, batch_first=True, bidirectional=two)
    return Run(lambda m, x: m.a(x)[0], a=rnn), replace(s, c=c * (1 + two))


@operation("sequence")
def cell(r, s):
    c = pick(r, 4, 5)

    def run(m, x):
        h = torch.tanh(m.i(x[:, 0]))
        made = [h]
        for t in range(1, x.shape[1]):
            h = torch.tanh(m.i(x[:, t]) + m.w(h))
            made.append(h)
        return torch.stack(made, 1)

    return Run(run, i=nn.Linear(s.c, c), w=nn.Linear(c, c)), replace(s, c=c)


@operation("sequence")
def attention(r, s):
    h, d = pick(r, 1, 2, 3), pick(r, 2, 4)
    way = pick(r, "whole", "causal", "sloped", "rotated", "by hand")

    def turned(x):
        angle = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * (0.5 ** torch.arange(d // 2))
        a, b = x.chunk(2, -1)
        c, s = angle.cos(), angle.sin()
        return torch.cat([a * c - b * s, a * s + b * c], -1)

    def run(m, x):
        q, k, v = (f(x).unflatten(-1, (h, d)).transpose(1, 2) for f in (m.q, m.k, m.v))
        if way == "rotated":
            q, k = turned(q), turned(k)
        if way in ("sloped", "by hand"):
            scores = q @ k.transpose(-1, -2)
            if way == "sloped":
                t = torch.arange(x.shape[1], dtype=x.dtype)
                scores = scores - (t[:, None] - t).abs() * (0.5 ** torch.arange(1, h + 1))[
                    :, None, None
                ].to(x.dtype)
            y = scores.softmax(-1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=way == "causal")
        y = y.transpose(1, 2).flatten(2)
        return m.o(y) if m.last else y

    last = bool(r.integers(2))
    parts = {n: nn.Linear(s.c, h * d) for n in "qkv"}
    made = Run(run, **parts, o=nn.Linear(h * d, s.c) if last else nn.Identity())
    made.last = last
    return made, s if last else replace(s, c=h * d)


@operation("sequence")
def torchs_attention(r, s):
    h = pick(r, *[k for k in (1, 2, 3) if s.c % k == 0])
    attend = nn.MultiheadAttention(s.c, h, batch_first=True)
    return Run(lambda m, x: m.a(x, x, x, need_weights=False)[0], a=attend), s


@operation("sequence")
def convolved(r, s):
    c = pick(r, 4, 6, s.c)
    g = pick(r, *[k for k in range(1, 7) if s.c % k == 0 and c % k == 0])
    pad = pick(r, "zeros", "circular") if s.t > 1 else "zeros"
    conv = nn.Conv1d(s.c, c, 3, padding=1, groups=g, padding_mode=pad)
    return Run(lambda m, x: m.a(x.transpose(1, 2)).transpose(1, 2), a=conv), replace(s, c=c)


@operation("sequence")
def placed(r, s):
    way = pick(r, "add", "times", "matrix")
    table = p(12, 12) if way == "matrix" else p(12, s.c)
    ways = {
        "add": lambda m, x: x + m.p[: x.shape[1]],
        "times": lambda m, x: x * m.p[: x.shape[1]],
        "matrix": lambda m, x: m.p[: x.shape[1], : x.shape[1]] @ x,
    }
    return Run(ways[way], p=table), s


@operation("sequence")
def mixed(r, s):
    w = nn.Linear(s.t, s.t)
    run = lambda m, x: m.a(x.transpose(1, 2)).transpose(1, 2)  # noqa: E731
    return Run(run, a=w), replace(s, free=False)


@operation("sequence", "sequence")
def taken(r, s):
    way = pick(r, "mean", "amax", "first", "last", "flat", "steps", "gathered")
    if way == "flat":
        return nn.Flatten(), Shape("vector", s.c * s.t) if not s.free else Shape("none", 0)
    ways = {
        "mean": lambda x: x.mean(1),
        "amax": lambda x: x.amax(1),
        "first": lambda x: x[:, 0],
        "last": lambda x: x[:, -1],
        "steps": lambda x: x.cumsum(1)[:, -1],
        "gathered": lambda x: x.gather(1, x.argmax(1, keepdim=True))[:, 0],
    }
    return Run(lambda m, x: ways[way](x)), Shape("vector", s.c)


@operation("sequence")
def changed_steps(r, s):
    way = pick(r, "flip", "shift", "fft", "products")
    ways = {
        "flip": lambda x: x * x.flip(1),
        "shift": lambda x: x + F.pad(x, (0, 0, 1, 0))[:, :-1],
        "fft": lambda x: torch.fft.fft(x, dim=1).real,
        "products": lambda x: (x @ x.transpose(1, 2)).tanh() @ x,
    }
    return Run(lambda m, x: ways[way](x)), s


# --- of pictures ---------------------------------------------------------------------------------


@operation("picture", "picture")
def convolution(r, s):
    c = pick(r, 4, 6, s.c)
    g = pick(r, *[k for k in range(1, 7) if s.c % k == 0 and c % k == 0])
    kind = pick(r, nn.Conv2d, nn.Conv2d, nn.ConvTranspose2d)
    return kind(s.c, c, 3, padding=1, groups=g), replace(s, c=c)


@operation("picture")
def picture_norm(r, s):
    ways = [nn.BatchNorm2d(s.c), nn.GroupNorm(divisor(r, s.c), s.c), nn.InstanceNorm2d(s.c)]
    return pick(r, *ways, Run(lambda m, x: x * m.g, g=p(s.c, 1, 1))), s


@operation("picture")
def pooled(r, s):
    way = pick(r, "mean", "adaptive", "max", "tokens")
    if way == "max":
        return Run(lambda m, x: F.max_pool2d(x, 3, 1, 1)), s
    if way == "tokens":
        run = lambda m, x: x.flatten(2).transpose(1, 2)  # noqa: E731
        return Run(run), Shape("sequence", s.c, s.t * s.t, free=False) if not s.free else Shape(
            "none", 0
        )
    if way == "adaptive":
        run = lambda m, x: F.adaptive_avg_pool2d(x, 2).flatten(1)  # noqa: E731
        return Run(run), Shape("vector", 4 * s.c)
    return Run(lambda m, x: x.mean((2, 3))), Shape("vector", s.c)


# --- whole programs ------------------------------------------------------------------------------


def chain(r, s, most):
    """Operations one after another."""
    parts = []
    for _ in range(int(r.integers(1, most + 1))):
        for _ in range(20):
            part, after = pick(r, *OPERATIONS[s.kind])(r, s)
            if after.kind != "none" and 0 < after.c <= 40:
                parts.append(part)
                s = after
                break
    return nn.Sequential(*parts), s


def head(r, s):
    """From the last value to an output, or as it is."""
    way = pick(r, "linear", "linear", "pooled", "raw")
    if way == "raw":
        return nn.Identity()
    if s.kind == "picture":
        run = lambda m, x: m.o(x.mean((2, 3)) if way == "pooled" else x.amax((2, 3)))  # noqa: E731
        return Run(run, o=nn.Linear(s.c, 3))
    if s.kind == "sequence" and way == "pooled":
        return Run(lambda m, x: m.o(x.mean(1)), o=nn.Linear(s.c, 3))
    return nn.Linear(s.c, 3)


def program(seed):
    """A random network, an example of it, and inputs of other sizes in double precision."""
    r = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        kind = pick(r, "vector", "sequence", "sequence", "picture")
        t = {"vector": 1, "sequence": pick(r, 1, 2, 3, 5), "picture": pick(r, 3, 4, 5)}[kind]
        start = Shape(kind, pick(r, 3, 4, 6), t)
        if kind == "picture":
            stem, s = nn.Conv2d(start.c, pick(r, 4, 6), 1), None
            s = replace(start, c=stem.out_channels)
        else:
            stem = nn.Linear(start.c, pick(r, 4, 6, 8))
            s = replace(start, c=stem.out_features)
        body, s = chain(r, s, 5)
        heads = [head(r, s) for _ in range(pick(r, 1, 1, 1, 2))]
        several = pick(r, "tuple", "dict") if len(heads) > 1 else ""

        def run(m, x):
            h = m.body(m.stem(x))
            made = [part(h) for part in m.heads]
            if several == "dict":
                return {"logits": made[0], "more": made[1]}
            return tuple(made) if several else made[0]

        model = Run(run, stem=stem, body=body, heads=nn.ModuleList(heads))
        sizes = lambda n, t: {  # noqa: E731
            "vector": (n, start.c),
            "sequence": (n, t, start.c),
            "picture": (n, start.c, t, t),
        }[kind]
        example = torch.randn(sizes(2, t))
        others = [
            torch.randn(sizes(n, k)).double() for n, k in ((3, t), (1, t + 2), (2, 2 * t), (2, 1))
        ]
    return model, example, others


def taken_by(model, inputs):
    """Those of inputs that a network takes, in double precision."""
    from symmetry.turned import outputs, refreshed

    found, double = [], refreshed(model, 0)
    for x in inputs:
        try:
            made = outputs(double, x)
        except Exception:
            continue
        if all(bool(y.isfinite().all()) for y in made):
            found.append(x)
    return found
