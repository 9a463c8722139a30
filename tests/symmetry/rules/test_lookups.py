"""Positions that data say: what is looked up there, and what is written there."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ridgeline.symmetry import symmetries
from symmetric import Run, p, seeded
from symmetry.derived import derive, fixed, turned

NODES = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
EDGES = torch.tensor([[0, 1, 2, 3, 1], [1, 2, 3, 0, 3]])
OTHERS = (
    torch.randn(7, 6, generator=torch.Generator().manual_seed(2)),
    torch.tensor([[6, 0, 1], [5, 5, 2]]),
)
STEPS = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(3))
ENDS = torch.tensor([2, 4, 1])


def message(write):
    """A layer of messages between nodes of a graph."""

    def run(m, x, edges):
        source, target = edges
        h = m.a(x)
        sent = m.e(torch.cat([h[source], h[target]], -1)).relu()
        return m.o(torch.cat([h, write(h, sent, target)], -1)).sum(0)

    return seeded(lambda: Run(run, a=nn.Linear(6, 8), e=nn.Linear(16, 7), o=nn.Linear(15, 3)))()


def blank(h, sent):
    return torch.zeros(h.shape[0], sent.shape[1], dtype=h.dtype)


WRITES = {
    "index_add": lambda h, s, to: blank(h, s).index_add(0, to, s),
    "scatter_add": lambda h, s, to: blank(h, s).scatter_add(0, to[:, None].expand_as(s), s),
    "scatter_add_": lambda h, s, to: blank(h, s).scatter_add_(0, to[:, None].expand_as(s), s),
    "scatter_reduce": lambda h, s, to: blank(h, s).scatter_reduce(
        0, to[:, None].expand_as(s), s, "amax"
    ),
    "index_put": lambda h, s, to: blank(h, s).index_put((to,), s, accumulate=True),
}


@pytest.mark.parametrize("name", WRITES)
def test_channels_of_messages_are_free(name):
    derive(message(WRITES[name]), (NODES, EDGES), [7, 8], OTHERS)


READS = {
    "gather": lambda h, n: h.gather(1, (n - 1)[:, None, None].expand(-1, 1, 8)).squeeze(1),
    "take_along_dim": lambda h, n: h.take_along_dim((n - 1)[:, None, None], 1).squeeze(1),
    "two indices": lambda h, n: h[torch.arange(len(n)), n - 1],
    "two indices apart": lambda h, n: h[:, None][torch.arange(len(n)), :, n - 1].sum(1),
}


@pytest.mark.parametrize("name", READS)
def test_channels_at_the_last_step_of_each_sequence_are_free(name):
    model = seeded(
        lambda: Run(
            lambda m, x, n: m.o(READS[name](m.a(x).relu(), n)),
            a=nn.Linear(6, 8),
            o=nn.Linear(8, 3),
        )
    )()
    longer = torch.randn(2, 7, 6, generator=torch.Generator().manual_seed(4))
    derive(model, (STEPS, ENDS), [8], (longer, torch.tensor([7, 3])))


@pytest.mark.parametrize(
    "read",
    [
        lambda t, n: t[n],
        lambda t, n: t.gather(0, n[:, None].expand(-1, 6)),
        lambda t, n: t.take_along_dim(n[:, None], 0),
    ],
)
def test_rows_of_a_table_stay_and_its_columns_move(read):
    model = seeded(
        lambda: Run(lambda m, n: m.o(read(m.t, n).relu()), t=p(9, 6), o=nn.Linear(6, 3))
    )()
    s = derive(model, ENDS, [6], torch.tensor([8, 0, 8, 5]))
    assert ("t", 0) in fixed(s)


def test_channels_that_data_choose_stay():
    for pick in (
        lambda h, n: h.gather(1, (n[:, None] + torch.arange(8)) % 8),
        lambda h, n: h[:, n].sum(1, keepdim=True) + h,
        lambda h, n: torch.zeros_like(h).scatter_add(1, n[:, None].expand(-1, 8) % 8, h),
        lambda h, n: h.index_add(1, n, h[:, :3]),
    ):
        model = seeded(
            lambda pick=pick: Run(
                lambda m, x, n: m.o(pick(m.a(x), n)), a=nn.Linear(6, 8), o=nn.Linear(8, 3)
            )
        )()
        s = derive(model, (STEPS[:, 0], ENDS), [])
        assert ("a.weight", 0) in fixed(s)


def test_vectors_written_where_data_say_stay_in_order():
    model = seeded(
        lambda: Run(
            lambda m, x, n: m.o(x.index_add(1, n, m.t.expand(3, -1, -1)).relu()),
            t=p(3, 6),
            o=nn.Linear(6, 3),
        )
    )()
    s = derive(model, (STEPS, ENDS - 1), [])
    assert ("t", 0) in fixed(s)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_words(mode):
    model = seeded(
        lambda: Run(
            lambda m, i: m.o(m.e(i).relu()), e=nn.EmbeddingBag(9, 6, mode=mode), o=nn.Linear(6, 3)
        )
    )()
    s = derive(model, torch.tensor([[1, 2, 3], [3, 4, 0]]), [6], torch.tensor([[8, 8]]))
    assert fixed(s)["e.weight", 0] == "rows chosen by data"


def test_experts_that_a_router_chooses():
    """Weights of one's own for each sample, looked up by a router's largest score."""

    def run(m, x):
        scores, best = m.g(x).topk(2, -1)
        gates = torch.zeros_like(m.g(x)).scatter(-1, best, scores.softmax(-1))
        return sum(w[:, None] * e(x) for w, e in zip(gates.unbind(-1), m.e, strict=True))

    def expert():
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))

    model = seeded(
        lambda: Run(run, g=nn.Linear(6, 3), e=nn.ModuleList(expert() for _ in range(3)))
    )()
    derive(model, NODES, [8, 8, 8], OTHERS[0])


@pytest.mark.parametrize("axis", [0, 1])
def test_rows_that_are_selected_by_data(axis):
    model = seeded(
        lambda: Run(
            lambda m, x, n: m.o(m.a(x).relu().index_select(axis, n)).sum(axis),
            a=nn.Linear(6, 8),
            o=nn.Linear(8, 3),
        )
    )()
    derive(model, (STEPS, ENDS % 3), [8])


WAYS = {
    "embedding": lambda m, x: F.embedding(m.router(x).argmax(-1), m.table),
    "index": lambda m, x: m.table[m.router(x).argmax(-1)],
    "index_select": lambda m, x: m.table.index_select(0, m.router(x).argmax(-1).flatten()).view(
        *x.shape[:-1], -1
    ),
    "several": lambda m, x: F.embedding(m.router(x).topk(2, -1).indices, m.table).sum(-2),
}


@pytest.mark.parametrize("way", WAYS)
def test_rows_that_a_router_looks_up_are_exchanged_with_its_own(way):
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.e(x) + WAYS[way](m, x)).mean(1),
            e=nn.Linear(6, 7),
            router=nn.Linear(6, 5),
            table=p(5, 7),
            o=nn.Linear(7, 3),
        )
    )()
    derive(model, STEPS, [5, 7], STEPS[:, :2])


def test_codes_that_are_the_nearest_of_a_book_are_exchanged():
    def run(m, x):
        z = m.e(x).flatten(0, 1)
        return m.o(F.embedding(torch.cdist(z, m.book).argmin(-1), m.book) + z)

    model = seeded(lambda: Run(run, e=nn.Linear(6, 4), book=p(5, 4), o=nn.Linear(4, 3)))()
    derive(model, STEPS, [4, 5], STEPS[:, :2])


def test_scores_that_are_gathered_where_they_are_largest():
    def run(m, x):
        scores = m.router(x).sigmoid()
        best = scores.gather(-1, (scores + m.shift).topk(2, -1).indices)
        return m.o(m.e(x) * best.sum(-1, keepdim=True))

    model = seeded(
        lambda: Run(run, e=nn.Linear(6, 7), router=nn.Linear(6, 5), shift=p(5), o=nn.Linear(7, 3))
    )()
    derive(model, STEPS, [5, 7], STEPS[:, :2])


def gram(m, x):
    y = m.c(x).relu()
    return y.mT @ y


GRAMS = {
    "a mean of all": (lambda m, x: (gram(m, x) ** 2).mean((1, 2)), [6]),
    "far from a target": (lambda m, x: ((gram(m, x) - m.target) ** 2).sum((1, 2)), [6]),
    "its diagonal": (lambda m, x: m.o(gram(m, x).diagonal(dim1=1, dim2=2)), [6]),
    "as attention": (lambda m, x: m.o((m.c(x) @ gram(m, x).softmax(-1)).mean(1)), [6]),
}


@pytest.mark.parametrize("way", GRAMS)
def test_channels_of_products_with_themselves(way):
    run, expected = GRAMS[way]
    model = seeded(lambda: Run(run, c=nn.Linear(6, 6), target=p(6, 6), o=nn.Linear(6, 3)))()
    derive(model, STEPS, expected, STEPS[:, :2])


def test_a_flattened_product_with_itself_keeps_its_channels_and_says_so():
    """Missed: each column of what reads it stands inside of two channels."""
    model = seeded(
        lambda: Run(lambda m, x: m.o(gram(m, x).flatten(1)), c=nn.Linear(6, 4), o=nn.Linear(16, 3))
    )()
    symmetry = symmetries(model, STEPS)
    assert fixed(symmetry)["c.weight", 0] == "stands inside of two things that do not fit"
    turned(model, symmetry, STEPS, STEPS[:, :2])
