"""Mixtures of experts whose weights are stacked: whole experts change places with their logits."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from ridgeline.symmetry import symmetries
from symmetric import Run, p, seeded
from symmetry.derived import drawn, fixed, orders, planted, turned

WIDTH, EXPERTS, INNER = 6, 4, 5
X = torch.randn(2, 3, WIDTH, generator=torch.Generator().manual_seed(1))
LONG = torch.randn(3, 5, WIDTH, generator=torch.Generator().manual_seed(2))


def mixed(m, x, weights):
    """All experts at once, each by its share."""
    h = torch.einsum("btd,edh->bteh", x, m.up).relu()
    return x + torch.einsum("bteh,ehd,bte->btd", h, m.down, weights)


def by_softmax(m, x):
    return mixed(m, x, m.router(x).softmax(-1))


def with_biases(m, x):
    weights = m.router(x).softmax(-1)
    h = (torch.einsum("btd,edh->ebth", x, m.up) + m.b[:, None, None]).relu()
    y = torch.einsum("ebth,ehd->ebtd", h, m.down) + m.c[:, None, None]
    return x + (y * weights.permute(2, 0, 1)[..., None]).sum(0)


def by_products_of_batches(m, x):
    flat = x.flatten(0, 1)
    weights = m.router(flat).softmax(-1)
    y = torch.bmm(torch.bmm(flat.expand(EXPERTS, -1, -1), m.up).relu(), m.down)
    return x + (y * weights.T[..., None]).sum(0).view(x.shape)


def scattered_logits(m, x):
    logits = m.router(x)
    best, which = logits.topk(2, -1)
    return mixed(m, x, torch.full_like(logits, -torch.inf).scatter(-1, which, best).softmax(-1))


def scattered_shares(m, x):
    shares = m.router(x).softmax(-1)
    best, which = shares.topk(2, -1)
    best = best / best.sum(-1, keepdim=True)
    return mixed(m, x, torch.zeros_like(shares).scatter(-1, which, best))


def one_hot(m, x):
    best, which = m.router(x).softmax(-1).topk(2, -1)
    return mixed(m, x, (F.one_hot(which, EXPERTS) * best[..., None]).sum(-2))


def above_the_second(m, x):
    logits = m.router(x)
    second = logits.topk(2, -1).values[..., -1:]
    return mixed(m, x, logits.masked_fill(logits < second, -torch.inf).softmax(-1))


def switched(m, x):
    """Each token to one expert, as Switch does."""
    shares = m.router(x).softmax(-1)
    one = F.one_hot(shares.argmax(-1), EXPERTS).to(x.dtype)
    sent = torch.einsum("btd,bte->ebtd", x, one)
    y = torch.einsum("ebth,ehd->ebtd", torch.einsum("ebtd,edh->ebth", sent, m.up).relu(), m.down)
    return x + torch.einsum("ebtd,bte->btd", y, shares * one)


def taken(m, x):
    """The weights of the experts that were chosen for each token."""
    best, which = m.router(x).softmax(-1).topk(2, -1)
    h = torch.einsum("btd,btkdh->btkh", x, m.up[which]).relu()
    return x + (torch.einsum("btkh,btkhd->btkd", h, m.down[which]) * best[..., None]).sum(-2)


def network(run, width=WIDTH, inner=INNER):
    return seeded(
        lambda: Run(
            lambda m, x: m.head(run(m, m.e(x)).mean(1)),
            e=nn.Linear(width, width),
            head=nn.Linear(width, 3),
            router=nn.Linear(width, EXPERTS),
            up=p(EXPERTS, width, inner),
            down=p(EXPERTS, inner, width),
            **({"b": p(EXPERTS, INNER), "c": p(EXPERTS, WIDTH)} if run is with_biases else {}),
        )
    )()


WHOLE = [
    taken,
    *(by_softmax, with_biases, by_products_of_batches, scattered_logits, scattered_shares),
    *(one_hot, above_the_second, switched),
]


@pytest.mark.parametrize("run", WHOLE)
def test_whole_experts_and_the_hidden_units_of_each(run):
    model = network(run)
    symmetry = symmetries(model, X)
    expected = orders(WIDTH, EXPERTS, *[INNER] * EXPERTS)
    assert symmetry.elements == pytest.approx(expected, abs=1e-9), str(symmetry)
    turned(model, symmetry, X, LONG)
    planted(model, symmetry)


@pytest.mark.parametrize("run", [by_softmax, scattered_shares, switched, taken])
def test_experts_exchanged_by_hand_come_back(run):
    model = network(run)
    state = drawn(model, 50)
    order = torch.tensor([2, 0, 3, 1])
    moved = {
        n: x[order] if n in ("up", "down", "router.weight", "router.bias") else x
        for n, x in state.items()
    }
    planted(model, symmetries(model, X), moved)


def added_up(m, x):
    """Hidden units of both experts that were chosen are added: they need one order."""
    best, which = m.router(x).topk(2, -1)
    h = torch.einsum("btd,btkdh->btkh", x, m.up[which]).relu().sum(2, keepdim=True)
    y = torch.einsum("btkh,btkhd->btkd", h.expand(-1, -1, 2, -1), m.down[which])
    return x + (y * best[..., None]).sum(-2)


def test_experts_that_share_hidden_units_have_one_order_for_all():
    model = network(added_up)
    symmetry = symmetries(model, X)
    assert symmetry.elements == pytest.approx(orders(WIDTH, EXPERTS, INNER), abs=1e-9)
    turned(model, symmetry, X, LONG)
    planted(model, symmetry)


def grouped(m, x):
    """Tokens are put in the order of their experts, as `grouped_mm` wants them."""
    flat = x.flatten(0, 1)
    best, which = m.router(flat).softmax(-1).topk(2, -1)
    ids, order = which.flatten().sort()
    ends = torch.histc(ids.to(x.dtype), EXPERTS, 0, EXPERTS - 1).cumsum(0).to(torch.int32)
    h = F.grouped_mm(flat[order // 2], m.up, offs=ends).relu()
    y = F.grouped_mm(h, m.down, offs=ends) * best.flatten()[order][:, None]
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order))
    return x + y[back].view(len(flat), 2, -1).sum(1).view(x.shape)


def test_grouped_products_of_tokens_in_the_order_of_their_experts():
    wide, long = (torch.cat([x, x[..., :2].sin()], -1) for x in (X, LONG))
    model = network(grouped, 8, 4)
    symmetry = symmetries(model, wide)
    expected = orders(8, EXPERTS, *[4] * EXPERTS)
    assert symmetry.elements == pytest.approx(expected, abs=1e-9), str(symmetry)
    planted(model, symmetry)
    again, state = network(taken, 8, 4).double(), drawn(model, 3)
    few = {n: v.float() for n, v in state.items()}
    want = functional_call(again, state, long.double())
    torch.testing.assert_close(
        functional_call(model, few, long).double(), want, rtol=1e-4, atol=1e-4
    )


def test_tokens_that_stay_in_the_order_of_their_experts_keep_it():
    def run(m, x):
        flat = x.flatten(0, 1)
        ids, order = m.router(flat).argmax(-1).sort()
        here = torch.einsum("td,tdh->th", flat[order], m.up[ids]).relu()
        y = torch.einsum("th,thd->td", here, m.down[ids]).view(x.shape)
        return x + y * torch.arange(x.shape[1])[:, None]

    model = network(run)
    symmetry = symmetries(model, X)
    assert EXPERTS not in {g.size for g in symmetry.groups}
    planted(model, symmetry)


OTHER_USES = {
    "as a number": lambda m, x: x * m.router(x).topk(2, -1).indices.sum(-1, keepdim=True),
    "compared": lambda m, x: x * (m.router(x).argmax(-1, keepdim=True) == 1),
}


@pytest.mark.parametrize("name", OTHER_USES)
def test_logits_stay_where_an_index_is_used_as_a_number(name):
    model = network(OTHER_USES[name])
    symmetry = symmetries(model, X)
    assert ("router.weight", 0) in fixed(symmetry)
    turned(model, symmetry, X, LONG)
