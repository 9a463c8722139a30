"""Attention in which several query heads share a key-value head, as it is spelt today."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ridgeline.symmetry import symmetries
from symmetric import Run, heads, joined, rotated, seeded
from symmetry.derived import drawn, orders, planted, turned

WIDTH, HEAD = 8, 4
X = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(1))
LONG = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(2))


def repeated(q, k, v, mask):
    times = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(times, 1) for x in (k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def expanded(q, k, v, mask):
    (b, count, n, d), few = q.shape, k.shape[1]
    k, v = (
        x[:, :, None].expand(b, few, count // few, n, d).reshape(b, count, n, d) for x in (k, v)
    )
    scores = q @ k.transpose(2, 3) / math.sqrt(d) + mask
    return scores.softmax(-1) @ v


def enabled(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)


def named(q, k, v, mask):
    grouped = q.unflatten(1, (k.shape[1], -1))
    scores = torch.einsum("bgrnd,bgmd->bgrnm", grouped, k) / math.sqrt(q.shape[-1]) + mask
    return torch.einsum("bgrnm,bgmd->bgrnd", scores.softmax(-1), v).flatten(1, 2)


def broadcast(q, k, v, mask):
    grouped = q.unflatten(1, (k.shape[1], -1))
    scores = grouped @ k[:, :, None].transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask
    return (scores.softmax(-1) @ v[:, :, None]).flatten(1, 2)


SPELLINGS = [repeated, expanded, enabled, named, broadcast]


def grouped(spelling, count, few, rotary):
    """One layer of attention with a residual stream, each token by itself before and after."""

    def run(m, x):
        x = m.e(x)
        n = x.shape[1]
        q, k, v = heads(m.q(x), count), heads(m.k(x), few), heads(m.v(x), few)
        if rotary:
            q, k = rotated(q), rotated(k)
        mask = torch.full((n, n), -torch.inf, dtype=x.dtype).triu(1)
        z = spelling(q, k, v, mask)
        return m.h((x + m.o(joined(z))).mean(1))

    return seeded(
        lambda: Run(
            run,
            e=nn.Linear(5, WIDTH),
            q=nn.Linear(WIDTH, count * HEAD),
            k=nn.Linear(WIDTH, few * HEAD),
            v=nn.Linear(WIDTH, few * HEAD),
            o=nn.Linear(count * HEAD, WIDTH),
            h=nn.Linear(WIDTH, 3),
        )
    )()


@pytest.mark.parametrize("rotary", [False, True], ids=["plain", "rotary"])
@pytest.mark.parametrize(("count", "few"), [(6, 3), (3, 1)])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_all_that_may_change_places_where_heads_share_keys_and_values(spelling, count, few, rotary):
    """Key-value heads, query heads inside each, channels of values, and of keys unless rotary."""
    model = grouped(spelling, count, few, rotary)
    symmetry = symmetries(model, X)
    inside = [HEAD] * few * (1 if rotary else 2)
    expected = orders(WIDTH, few, *[count // few] * few, *inside)
    assert symmetry.elements == pytest.approx(expected, abs=1e-9), str(symmetry)
    turned(model, symmetry, X, LONG)
    planted(model, symmetry)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_key_value_heads_exchanged_by_hand_come_back(spelling):
    """Each key-value head goes with its two query heads and their columns of the output."""
    model = grouped(spelling, 4, 2, True)
    state = drawn(model, 50)
    moved = dict(state)
    for name in ("q.weight", "q.bias", "k.weight", "k.bias", "v.weight", "v.bias"):
        moved[name] = state[name].unflatten(0, (2, -1)).flip(0).flatten(0, 1)
    moved["o.weight"] = state["o.weight"].unflatten(1, (2, -1)).flip(1).flatten(1, 2)
    planted(model, symmetries(model, X), moved)
