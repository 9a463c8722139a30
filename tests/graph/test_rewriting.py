"""Rewritten graphs give what the module gives, whatever is written through views."""

import inspect
import random
import sys

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

from ridgeline.errors import NotTraceable
from ridgeline.graph import Network, flatten

X = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Written(nn.Module):
    """A layer, something that writes to what it gives, and another layer."""

    def __init__(self, work):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.a, self.o = nn.Linear(5, 8), nn.Linear(8, 2)
        self.work = work

    def forward(self, x):
        return self.work(self, x)


def both(work, x=X):
    """What the traced graph gives, and what the module gives."""
    model = Written(work).double().eval().requires_grad_(False)
    network = Network(model)
    trace = network.trace(x, check=False)
    names = [network.tensors[n] for n in trace.tensors]
    schemas = [getattr(n.target, "_schema", None) for n in trace.graph.nodes]
    assert not any(schema.is_mutable for schema in schemas if schema is not None)
    with torch.no_grad():
        got = fx.Interpreter(fx.GraphModule(trace.owner, trace.graph)).run(*names, *flatten(x))
        return got, model(x)


def g1(s, x):
    h = s.a(x)
    v = h.view(-1, 2, 4)
    v.relu_()
    v[:, 0] += 1
    return s.o(h)


def g2(s, x):
    h = s.a(x)
    v = h.view(-1, 2, 4)
    v.relu_()
    v.add_(1)
    return s.o(h)


def g3(s, x):
    h = s.a(x)
    v = h.view(-1, 2, 4)
    v.relu_()
    v[:, 0].add_(1)
    return s.o(h)


def g4(s, x):
    h = s.a(x)
    v = h.t()
    v.relu_()
    v[0] = 0
    return s.o(h)


def g5(s, x):
    h = s.a(x)
    v = h[:, :4]
    v.relu_()
    v[:, 0] = 0
    return s.o(h)


def g6(s, x):
    h = s.a(x)
    v = h[:, :4]
    v[:, 0] = 0
    v.relu_()
    return s.o(h)


def g7(s, x):
    h = s.a(x)
    v = h[:, :4]
    w = v[:, :2]
    w.add_(1)
    v.mul_(2)
    w.sub_(3)
    return s.o(h)


def g8(s, x):
    h = s.a(x)
    v = h[:, :4]
    v.mul_(2)
    w = v[:, :2]
    w.sub_(3)
    return s.o(h)


def g9(s, x):
    h = s.a(x)
    v = h[:, :4]
    v += 1
    v *= 2
    v[:, 1:3] -= 0.5
    return s.o(h) + v.sum()


def g10(s, x):
    h = s.a(x)
    h.relu_()
    v = h.view(-1, 2, 4)
    v[:, 0] += 1
    return s.o(h)


def g11(s, x):
    h = s.a(x)
    h = h.relu_()
    v = h.view(-1, 2, 4)
    v[:, 0] += 1
    return s.o(h)


def g12(s, x):
    h = s.a(x)
    v = h.view(-1, 2, 4).relu_()
    v[:, 0] += 1
    return s.o(h)


def g13(s, x):
    h = s.a(x)
    v = F.relu(h, inplace=True)
    v[:, 0] += 1
    return s.o(h)


def g14(s, x):
    h = s.a(x)
    v = F.relu(h, inplace=True)
    v[:, :4].mul_(3)
    h.add_(v)
    return s.o(h)


def g15(s, x):
    h = s.a(x)
    k = h
    k += 1
    k[:, 0] *= 2
    return s.o(h)


def g16(s, x):
    h = s.a(x)
    v = h.squeeze()
    v.clamp_(min=0)
    v[..., 2].zero_()
    return s.o(h)


def g17(s, x):
    h = s.a(x)
    v = h.unsqueeze(1)
    v.relu_()
    v[:, :, ::2] = v[:, :, 1::2]
    return s.o(h)


def g18(s, x):
    buf = torch.zeros(x.shape[0], 8, dtype=x.dtype)
    row = buf[0]
    row.copy_(s.a(x)[0])
    row[:3] += 1
    return s.o(buf)


def g19(s, x):
    buf = torch.zeros(x.shape[0], 8, dtype=x.dtype)
    for i in range(8):
        buf[:, i] = s.a(x)[:, i] * i
        buf[:, i].add_(0.1)
    return s.o(buf)


def g20(s, x):
    h = s.a(x)
    v = h.view(-1, 2, 4)
    w = v[:, 0]
    w.relu_()
    w[:, 0] = 2
    w.mul_(3)
    return s.o(h)


def g21(s, x):
    h = s.a(x)
    v = h.reshape(-1, 4)
    v.relu_()
    v[0] = 1
    return s.o(h)


def g22(s, x):
    h = s.a(x)
    v = h.detach()
    v.relu_()
    v[0] = 1
    return s.o(h)


def g23(s, x):
    y = x.clone()
    y[:, 0] = 0
    y.relu_()
    y[:, 1] += 1
    return s.o(s.a(y))


def g24(s, x):
    h = s.a(x)
    v = h.view(-1, 2, 4)
    v.relu_()
    u = v[:, 0]
    u += 1
    return s.o(h) + u.sum()


def renamed_in_place(s, x):
    h = s.a(x)
    before = h[:, :3]
    h.t_()
    h[0] = 5
    h.unsqueeze_(0).mul_(2)
    h.transpose_(1, 2)
    return s.o(h[0]) + before.sum()


def of_another_type(s, x):
    """A comparison in place gives numbers, and a sum with wider ones stays narrow."""
    h = s.a(x)
    low = h.float()
    low.add_(torch.ones(8, dtype=torch.float64) / 3)
    h.gt_(0)
    return s.o(h) + low.sum()


def in_another_order(s, x):
    """What is written to lies in memory otherwise than before: a view of it is a copy."""
    h = s.a(x).t()
    h[1:3] = 2
    h = h.relu().t()
    return s.o(h.view(-1, 8))


def parts_of_several(s, x):
    h = s.a(x)
    left, right = h.chunk(2, 1)
    left.mul_(2)
    right[:, 0] += left[:, 1]
    for row in h.unbind(0):
        row.sub_(row.mean())
    h.split([3, 5], -1)[1].relu_()
    return s.o(h) + left.sum()


def over_and_over(s, x):
    h = s.a(x)
    v = h.narrow(1, 2, 4)
    w = h.movedim(0, 1)
    v += 1
    w[0] *= 3
    v.mT[1] -= 2
    h.ravel()[3:5] = 0
    return s.o(h) + v.sum() + w[2].prod()


MORE = [renamed_in_place, of_another_type, in_another_order, parts_of_several, over_and_over]
PATTERNS = [
    f for n, f in inspect.getmembers(sys.modules[__name__]) if n[0] == "g" and n[1:].isdigit()
]


@pytest.mark.parametrize("work", [*PATTERNS, *MORE], ids=lambda f: f.__name__)
def test_a_write_through_a_view_is_seen_wherever_its_memory_is(work):
    got, want = both(work)
    assert torch.allclose(got, want, rtol=1e-12, atol=1e-12)


def test_all_patterns_are_tried():
    assert len(PATTERNS) == 24


VIEWS = [
    lambda t, r: t.transpose(-1, r.randrange(-t.ndim, t.ndim)),
    lambda t, r: t[..., ::2],
    lambda t, r: t[0] if t.ndim > 1 else t[None],
    lambda t, r: t.unsqueeze(r.randrange(t.ndim)),
    lambda t, r: t.reshape(-1),
    lambda t, r: t.squeeze(),
    lambda t, r: t.detach(),
    lambda t, r: t.narrow(-1, 0, max(1, t.shape[-1] - 1)),
    lambda t, r: t.permute(*r.sample(range(t.ndim), t.ndim)),
    lambda t, r: t.diagonal() if t.ndim > 1 else t,
    lambda t, r: t.movedim(0, -1),
    lambda t, r: t.contiguous(),
    lambda t, r: t.expand(1, *t.shape),
    lambda t, r: t.view_as(t),
    lambda t, r: t.chunk(2, -1)[r.randrange(-1, 1)],
    lambda t, r: t.unbind(0)[r.randrange(-1, 1)] if t.ndim > 1 else t,
    lambda t, r: t * 2,
    lambda t, r: t.clone(),
    lambda t, r: t.view(-1) if t.is_contiguous() else t,
    lambda t, r: t.unflatten(-1, (-1, 2)) if t.shape[-1] % 2 == 0 else t,
]
WRITES = [
    lambda t, o, r: t.add_(1),
    lambda t, o, r: t.mul_(2),
    lambda t, o, r: t.relu_(),
    lambda t, o, r: t.add_(o.sum()),
    lambda t, o, r: t.copy_(o.mean()),
    lambda t, o, r: t.gt_(0),
    lambda t, o, r: t.sub_(t * 0.3),
    lambda t, o, r: t.masked_fill_(t > 0, 0.5),
    lambda t, o, r: t.zero_(),
    lambda t, o, r: t.__setitem__((..., 0), 7.0),
    lambda t, o, r: t.__setitem__(t > 1, -0.25),
    lambda t, o, r: t.add_(t),
    lambda t, o, r: t.t_() if t.ndim == 2 else t.unsqueeze_(0),
    lambda t, o, r: t.squeeze_(0),
    lambda t, o, r: t.transpose_(0, -1) if t.ndim else t.swapaxes_(0, 0),
    lambda t, o, r: t.swapdims_(-1, 0) if t.ndim > 1 else t.squeeze_(),
    lambda t, o, r: t.div_(3).sub_(0.1),
]


def drawn(seed):
    """Views of views of two tensors, and writes to any of them, in any order."""

    def work(s, x):
        r = random.Random(seed)
        values = [s.a(x), torch.zeros(3, 4, dtype=torch.float64)]
        for _ in range(r.randrange(3, 12)):
            t = r.choice(values)
            if r.random() < 0.5:
                values.append(r.choice(VIEWS)(t, r))
                continue
            result = r.choice(WRITES)(t, r.choice(values), r)
            if isinstance(result, torch.Tensor) and r.random() < 0.4:
                values.append(result)
        return torch.cat([value.reshape(-1) for value in values])

    return work


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30))
def test_any_sequence_of_views_and_writes_gives_what_the_module_gives(seed):
    got, want = both(drawn(seed))
    assert torch.allclose(got, want, rtol=1e-12, atol=1e-12)


def reads_memory(s, x):
    h = s.a(x)
    v = h[:, :4]
    v.relu_()
    return v.as_strided((2, 2), (8, 1)).sum() + s.o(h)


def writes_bits(s, x):
    h = s.a(x)
    h.view(torch.int64)[0] = 0
    return s.o(h)


def shares_unseen(s, x):
    h = s.a(x)
    turned = torch.einsum("ij->ji", h)
    h.relu_()
    return s.o(h) + turned.sum()


@pytest.mark.parametrize("work", [reads_memory, writes_bits, shares_unseen])
def test_what_cannot_be_followed_is_refused(work):
    with pytest.raises(NotTraceable, match=r"writes to a tensor that other values share\. Got \w"):
        both(work)


@pytest.mark.parametrize("way", [torch.func.vmap, torch.vmap])
def test_a_transform_of_functions_is_traced_as_what_it_makes(way):
    def work(s, x):
        return way(lambda z: s.o(s.a(z)))(x)

    got, want = both(work)
    assert torch.allclose(got, want, rtol=1e-12, atol=1e-12)
