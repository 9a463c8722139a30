"""Positions that data say: what is looked up there, and what is written there."""

import pytest
import torch
from torch import nn

from symmetric import Run, p, seeded
from symmetry.derived import derive, fixed

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
