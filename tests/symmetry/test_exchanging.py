"""Experts in a list, each with tensors of its own: whole modules change places with their rows."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from ridgeline.errors import NotTraceable
from ridgeline.graph import Network
from ridgeline.io import load_symmetry, save_symmetry
from ridgeline.matching import ActivationMatching, align, align_many
from ridgeline.symmetry import discover, orders_of, symmetries
from symmetric import Run, p, seeded
from symmetry.derived import drawn, fixed, orders, turned

WIDTH, EXPERTS, INNER = 6, 4, 5
X = torch.randn(2, 3, WIDTH, generator=torch.Generator().manual_seed(1))
LONG = torch.randn(3, 5, WIDTH, generator=torch.Generator().manual_seed(2))


def shares(m, x):
    return m.gate(x).softmax(-1)


def best_of(m, x):
    best, which = shares(m, x).topk(2, -1)
    return best / best.sum(-1, keepdim=True), which


# --- dense: all experts see all tokens ------------------------------------------------------------


def stacked(m, x):
    y = torch.stack([e(x) for e in m.experts], -2)
    return (y * shares(m, x)[..., None]).sum(-2)


def stacked_first(m, x):
    y = torch.stack([e(x) for e in m.experts])
    return torch.einsum("ebtd,bte->btd", y, shares(m, x))


def side_by_side(m, x):
    y = torch.cat([e(x)[..., None] for e in m.experts], -1)
    return (y @ shares(m, x)[..., None]).squeeze(-1)


def summed(m, x):
    parts = shares(m, x).unbind(-1)
    return sum(w[..., None] * e(x) for w, e in zip(parts, m.experts, strict=True))


def in_a_loop(m, x):
    w, y = shares(m, x), torch.zeros_like(x)
    for k, e in enumerate(m.experts):
        y = y + e(x) * w[..., k : k + 1]
    return y


# --- sparse: weights are zero where an expert was not chosen --------------------------------------


def masked(m, x):
    best, which = best_of(m, x)
    y = torch.zeros_like(x)
    for k, e in enumerate(m.experts):
        y = y + (best * (which == k)).sum(-1, keepdim=True) * e(x)
    return y


def scattered(m, x):
    best, which = best_of(m, x)
    w = x.new_zeros(*x.shape[:-1], EXPERTS).scatter(-1, which, best)
    return sum(e(x) * w[..., k, None] for k, e in enumerate(m.experts))


def chosen_by_where(m, x):
    best, which = shares(m, x).max(-1)
    y = torch.zeros_like(x)
    for k, e in enumerate(m.experts):
        y = torch.where((which == k)[..., None], e(x), y)
    return y * best[..., None]


# --- gathered: each expert sees its own tokens ----------------------------------------------------


def added_by_index(m, x):
    """As Mixtral does."""
    flat = x.flatten(0, 1)
    best, which = best_of(m, flat)
    y = torch.zeros_like(flat)
    mask = F.one_hot(which, EXPERTS).permute(2, 1, 0)
    for k, e in enumerate(m.experts):
        rank, token = torch.where(mask[k])
        here = flat[None, token].reshape(-1, WIDTH)
        y.index_add_(0, token, e(here) * best[token, rank, None])
    return y.view(x.shape)


def added_in_place(m, x):
    """As the reference code of Mistral does."""
    flat = x.flatten(0, 1)
    best, which = best_of(m, flat)
    y = torch.zeros_like(flat)
    for k, e in enumerate(m.experts):
        token, rank = torch.where(which == k)
        y[token] += best[token, rank, None] * e(flat[token])
    return y.view(x.shape)


def skipping_idle_experts(m, x):
    flat = x.flatten(0, 1)
    best, which = best_of(m, flat)
    y = torch.zeros_like(flat)
    for k, e in enumerate(m.experts):
        token, rank = (which == k).nonzero(as_tuple=True)
        if token.numel() == 0:
            continue
        y = y.index_add(0, token, e(flat[token]) * best[token, rank, None])
    return y.view(x.shape)


def written_by_mask(m, x):
    best, which = shares(m, x).max(-1)
    y = torch.zeros_like(x)
    for k, e in enumerate(m.experts):
        here = which == k
        y[here] = e(x[here]) * best[here][:, None]
    return y


def each_asks_the_router(m, x):
    return sum(shares(m, x)[..., k, None] * e(x) for k, e in enumerate(m.experts))


def dropped_out(m, x):
    return sum(
        F.dropout(e(x), 0.5, m.training) * shares(m, x)[..., k, None]
        for k, e in enumerate(m.experts)
    )


def by_cosine(m, x):
    scores = F.normalize(x, dim=-1) @ F.normalize(m.gate.weight, dim=-1).T + m.gate.bias
    return sum(
        w[..., None] * e(x) for w, e in zip(scores.softmax(-1).unbind(-1), m.experts, strict=True)
    )


def by_gathered_scores(m, x):
    """As DeepSeek does: a bias counts in the choice alone."""
    flat = x.flatten(0, 1)
    scores = F.linear(flat, m.gate.weight).sigmoid()
    which = (scores + m.gate.bias).topk(2, -1).indices
    best = scores.gather(1, which)
    y = torch.zeros_like(flat)
    mask = F.one_hot(which, EXPERTS).permute(2, 0, 1)
    for k, e in enumerate(m.experts):
        token, rank = torch.where(mask[k])
        if token.numel() > 0:
            y.index_add_(0, token, e(flat[token]) * best[token, rank].unsqueeze(-1))
    return y.view(x.shape)


MORE = [each_asks_the_router, dropped_out, by_cosine, by_gathered_scores]


DENSE = [stacked, stacked_first, side_by_side, summed, in_a_loop]
SPARSE = [masked, scattered, chosen_by_where]
GATHERED = [added_by_index, added_in_place, skipping_idle_experts, written_by_mask]


def expert():
    return nn.Sequential(nn.Linear(WIDTH, INNER), nn.ReLU(), nn.Linear(INNER, WIDTH))


def network(run, experts=None, gate=None):
    return seeded(
        lambda: Run(
            lambda m, x: m.head((m.e(x) + run(m, m.e(x))).mean(1)),
            e=nn.Linear(WIDTH, WIDTH),
            head=nn.Linear(WIDTH, 3),
            gate=gate() if gate else nn.Linear(WIDTH, EXPERTS),
            experts=nn.ModuleList([(experts or expert)() for _ in range(EXPERTS)]),
        )
    )()


def by_hand(state, order=(2, 0, 3, 1)):
    """Experts put in another order, and the router's rows along."""
    moved = dict(state)
    for to, source in enumerate(order):
        for name in state:
            if name.startswith(f"experts.{to}."):
                moved[name] = state[name.replace(f".{to}.", f".{source}.", 1)]
    return moved | {n: state[n][list(order)] for n in ("gate.weight", "gate.bias") if n in state}


QUICK = (summed, in_a_loop, masked, skipping_idle_experts, by_cosine)
"""One of each kind, which are tried every time."""


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(r, marks=() if r in QUICK else pytest.mark.slow)
        for r in [*DENSE, *SPARSE, *GATHERED, *MORE]
    ],
)
def test_experts_exchanged_with_their_rows_and_their_units_come_back(run):
    model = network(run)
    symmetry = symmetries(model, X)
    assert symmetry.elements == pytest.approx(orders(WIDTH, EXPERTS, *[INNER] * EXPERTS), abs=1e-9)
    (exchange,) = symmetry.exchanges
    assert exchange.rows == (("gate.weight", 0, 1), ("gate.bias", 0, 1))
    assert ("gate.weight", 0) not in fixed(symmetry)
    turned(model, symmetry, X, LONG)

    state, double = drawn(model, 50), copy.deepcopy(model).double().eval()
    moved = by_hand(symmetry.random(4)(state))
    before, after = (functional_call(double, s, LONG.double()) for s in (state, moved))
    torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9)
    back = align(state, moved, symmetry)
    assert all(torch.equal(back.state[n], state[n]) for n in state)
    assert back.same_function
    assert back.moved["experts.*"].share > 0


def test_a_mean_of_experts_asks_for_no_rows():
    model = network(lambda m, x: sum(e(x) for e in m.experts) / EXPERTS)
    assert [e.rows for e in symmetries(model, X).exchanges] == [()]


def test_experts_whose_parts_are_in_a_list_each():
    def run(m, x):
        w, y = shares(m, x), torch.zeros_like(x)
        for k in range(EXPERTS):
            y = y + w[..., k, None] * (F.linear(x, m.ups[k]).relu() @ m.downs[k])
        return y

    model = network(run)
    del model.experts
    draws = torch.Generator().manual_seed(3)
    parts = [torch.randn(EXPERTS, INNER, WIDTH, generator=draws) for _ in range(2)]
    model.ups, model.downs = (nn.ParameterList(x.unbind(0)) for x in parts)
    symmetry = symmetries(model, X)
    assert symmetry.elements == pytest.approx(orders(WIDTH, EXPERTS, *[INNER] * EXPERTS), abs=1e-9)
    state = drawn(model, 50)
    back = align(state, symmetry.random(5)(state), symmetry).state
    assert all(torch.equal(back[n], state[n]) for n in state)


def weighed(m, x):
    return sum((k + 1) * e(x) for k, e in enumerate(m.experts))


def one_after_another(m, x):
    for e in m.experts:
        x = x + e(x)
    return x


def by_place(m, x):
    """Each expert has tokens of its own, by their number."""
    place = torch.arange(x.shape[1])[:, None] % EXPERTS
    return sum((place == k) * e(x) for k, e in enumerate(m.experts))


def one_is_another(m, x):
    w = shares(m, x)
    ways = [torch.relu, torch.relu, torch.relu, F.relu6]
    return sum(w[..., k, None] * ways[k](e(x)) for k, e in enumerate(m.experts))


def the_first_twice(m, x):
    w = shares(m, x)
    return w[..., :1] * m.experts[0](x) + sum(
        w[..., k, None] * e(x) for k, e in enumerate(m.experts)
    )


def the_last_wins(m, x):
    """Of two experts that were chosen, what the later one says is kept."""
    _, which = shares(m, x).topk(2, -1)
    y = torch.zeros_like(x)
    for k, e in enumerate(m.experts):
        here = (which == k).any(-1)
        y[here] = e(x[here])
    return y


def in_a_row(m, x):
    y = torch.stack([e(x) for e in m.experts])
    return (y * shares(m, x).movedim(-1, 0)[..., None]).cumsum(0)[1]


@pytest.mark.parametrize(
    "run",
    [
        weighed,
        one_after_another,
        by_place,
        one_is_another,
        the_first_twice,
        the_last_wins,
        in_a_row,
    ],
)
def test_modules_whose_order_matters_are_not_exchanged(run):
    symmetry = symmetries(network(run), X)
    assert symmetry.exchanges == ()
    assert all("not out" not in note for note in symmetry.derived)


def test_what_is_followed_is_not_left_to_the_proof():
    """Experts that no token of the example reaches change no output, whichever stands where."""

    def run(m, x):
        place = torch.arange(x.shape[1]) // 100
        y = torch.zeros_like(x)
        for k, e in enumerate(m.experts):
            y = torch.where((place == k)[:, None], e(x), y)
        return y

    assert symmetries(network(run), X).exchanges == ()


def test_branches_beside_each_other_are_exchanged_with_what_reads_them():
    """Nothing reads them by module but a stack."""
    model = seeded(
        lambda: Run(
            lambda m, x: m.head(torch.stack([b(x) for b in m.branches]).amax(0)),
            branches=nn.ModuleList([nn.Linear(WIDTH, 5) for _ in range(3)]),
            head=nn.Linear(5, 2),
        )
    )()
    symmetry = symmetries(model, X[:, 0])
    assert symmetry.elements == pytest.approx(math.log(6) + orders(5), abs=1e-9)


def test_an_element_is_said_by_orders_of_groups_and_exchanges():
    model = network(in_a_loop)
    symmetry = symmetries(model, X)
    element = symmetry.random(1) @ symmetry.random(2)
    state = drawn(model, 3)
    found = orders_of(element, symmetry)
    again = symmetry.transform(found)(state)
    assert set(found) == {g.name for g in symmetry.groups} | {"experts.*"}
    assert all(torch.equal(x, again[n]) for n, x in element(state).items())
    back = element.inverse()(element(state))
    assert all(torch.equal(x, back[n]) for n, x in state.items())


def test_exchanges_are_written_and_read(tmp_path):
    symmetry = symmetries(network(in_a_loop), X)
    read = load_symmetry(save_symmetry(symmetry, tmp_path / "s.json"))
    assert read.exchanges == symmetry.exchanges
    assert read.elements == symmetry.elements


def test_a_strategy_that_knows_groups_alone_says_that_modules_stay():
    model = network(in_a_loop)
    symmetry = symmetries(model, X)
    by = ActivationMatching(model=model, data=LONG)
    state = {n: x.float() for n, x in drawn(model, 50).items()}
    aligned = align(state, symmetry.random(7)(state), symmetry, by=by)
    assert any("whole modules stay in their order, experts.*" in n for n in aligned.matched.notes)
    assert aligned.same_function


def test_gains_beside_the_router_are_exchanged_along():
    def run(m, x):
        w = shares(m, x) * m.gains
        return sum(w[..., k, None] * e(x) for k, e in enumerate(m.experts))

    model = network(run)
    model.gains = p(EXPERTS)
    (exchange,) = symmetries(model, X).exchanges
    assert set(exchange.rows) == {("gate.weight", 0, 1), ("gate.bias", 0, 1), ("gains", 0, 1)}


class Head(nn.Module):
    """One head of attention, with weights of its own."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(WIDTH, 3, bias=False) for _ in range(3))

    def forward(self, x):
        return (self.q(x) @ self.k(x).mT).softmax(-1) @ self.v(x)


def test_heads_that_are_modules_are_exchanged_with_the_columns_that_read_them():
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(torch.cat([h(x) for h in m.heads], -1)).mean(1),
            heads=nn.ModuleList([Head() for _ in range(4)]),
            o=nn.Linear(12, 2),
        )
    )()
    symmetry = symmetries(model, X)
    (exchange,) = symmetry.exchanges
    assert exchange.rows == (("o.weight", 1, 3),)
    assert symmetry.elements == pytest.approx(orders(4, *[3] * 8), abs=1e-9)
    turned(model, symmetry, X, LONG)
    state = drawn(model, 50)
    moved = symmetry.transform({"heads.*": [[2, 0, 3, 1]]})(symmetry.random(5)(state))
    back = align(state, moved, symmetry)
    assert all(torch.equal(back.state[n], state[n]) for n in state)
    assert back.same_function


def test_branches_of_convolutions_laid_side_by_side():
    def branch():
        return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))

    model = seeded(
        lambda: Run(
            lambda m, x: m.o(
                m.c(m.n(torch.cat([b(x) for b in m.branches], 1)).relu()).mean((2, 3))
            ),
            branches=nn.ModuleList([branch() for _ in range(3)]),
            n=nn.BatchNorm2d(6),
            c=nn.Conv2d(6, 5, 3),
            o=nn.Linear(5, 2),
        )
    )()
    images = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(4))
    symmetry = symmetries(model, images)
    assert symmetry.elements == pytest.approx(orders(3, 5, *[4] * 3, *[2] * 3), abs=1e-9)
    state = model.state_dict()
    moved = symmetry.transform({"branches.*": [[1, 2, 0]]})(symmetry.random(5)(state))
    back = align(state, moved, symmetry)
    assert all(torch.equal(back.state[n], state[n]) for n in state)


def test_many_networks_with_experts_in_lists_come_together():
    model = network(in_a_loop)
    symmetry = symmetries(model, X)
    a = drawn(model, 50)
    found = align_many([a, symmetry.random(5)(a), symmetry.random(8)(a)], symmetry)
    for state in found.states[1:]:
        assert all(torch.equal(state[n], found.states[0][n]) for n in a)


def test_modules_alone_are_matched_where_no_unit_moves():
    model = seeded(
        lambda: Run(
            lambda m, x: torch.logsumexp(
                m.gate(x).log_softmax(-1) - torch.cat([e(x) for e in m.experts], -1) ** 2, -1
            ),
            gate=nn.Linear(WIDTH, 3),
            experts=nn.ModuleList([nn.Linear(WIDTH, 1) for _ in range(3)]),
        )
    )()
    symmetry = symmetries(model, X)
    assert symmetry.groups == ()
    state = drawn(model, 50)
    back = align(state, symmetry.transform({"experts.*": [[2, 0, 1]]})(state), symmetry)
    assert all(torch.equal(back.state[n], state[n]) for n in state)


@pytest.mark.parametrize("kind", ["lstm", "attention"])
def test_members_of_torchs_own_layers(kind):
    def run(m, x):
        made = [p(x) if kind == "lstm" else p(x, x, x, need_weights=False) for p in m.members]
        return m.o(sum(y for y, _ in made))

    make = {
        "lstm": lambda: nn.LSTM(WIDTH, WIDTH, batch_first=True),
        "attention": lambda: nn.MultiheadAttention(WIDTH, 2, batch_first=True),
    }[kind]
    members = seeded(lambda: nn.ModuleList([make() for _ in range(2)]))()
    model = Run(run, members=members, o=nn.Linear(WIDTH, 2))
    symmetry = symmetries(model, X)
    assert [e.name for e in symmetry.exchanges] == ["members.*"]
    turned(model, symmetry, X, LONG)


def by_sizes(m, x):
    """Tokens in the order of their experts are split by how many each has."""
    flat = x.flatten(0, 1)
    ids, order = m.gate(flat).argmax(-1).sort()
    parts = flat[order].split(F.one_hot(ids, EXPERTS).sum(0).tolist())
    y = torch.cat([e(part) for e, part in zip(m.experts, parts, strict=True)])
    return torch.zeros_like(flat).index_add(0, order, y).view(x.shape)


def by_those_that_are_hit(m, x):
    best, which = shares(m, x).max(-1)
    y = torch.zeros_like(x)
    for k in which.unique().tolist():
        y = torch.where((which == k)[..., None], m.experts[k](x), y)
    return y * best[..., None]


@pytest.mark.parametrize("run", [by_sizes, by_those_that_are_hit])
def test_numbers_that_are_taken_out_of_tensors_are_refused_in_words(run):
    with pytest.raises(NotTraceable, match=r"Got .*`forward=`, a function"):
        symmetries(network(run), X)


def test_what_comes_before_the_modules_may_be_as_deep_as_it_likes():
    def run(m, x):
        for _ in range(1200):  # more than Python's recursion may be deep
            x = x + 0.001
        return m.o(sum(e(x) for e in m.experts))

    make = lambda: nn.Linear(WIDTH, 4)  # noqa: E731
    model = Run(run, experts=nn.ModuleList([make() for _ in range(3)]), o=nn.Linear(4, 2))
    assert [e.name for e in discover(Network(model), X).exchanges] == ["experts.*"]
