"""Sums, extremes and orders along an axis: what they keep apart, and what they forget."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from symmetric import Run, p, seeded
from symmetry.derived import derive, fixed

X = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(1))
LONG = torch.randn(3, 7, 6, generator=torch.Generator().manual_seed(2))


def between(run, width=8, read=8):
    """Something that is done between a layer and the next."""
    return seeded(
        lambda: Run(lambda m, x: m.b(run(m.a(x))), a=nn.Linear(6, width), b=nn.Linear(read, 3))
    )()


STEPS = {  # along the steps of a sequence: the channels are free
    "max": lambda h: h.max(1)[0],
    "max, kept": lambda h: h.max(1, keepdim=True).values.flatten(1),
    "min": lambda h: h.min(1).values,
    "aminmax": lambda h: h.aminmax(dim=1)[1] - h.aminmax(dim=1)[0],
    "topk": lambda h: h.topk(2, dim=1)[0].mean(1),
    "sort": lambda h: h.sort(1)[0][:, 1],
    "msort": lambda h: h.transpose(0, 1).msort()[2],
    "median": lambda h: h.median(1).values,
    "kthvalue": lambda h: h.kthvalue(2, 1)[0],
    "quantile": lambda h: h.quantile(0.3, 1),
    "nanmean": lambda h: h.nanmean(1),
    "cummax": lambda h: h.cummax(1)[0],
    "cummin, with indices": lambda h: (lambda v, i: v + i)(*h.cummin(1)),
    "cumsum": lambda h: h.cumsum(1) / 4,
    "cumprod": lambda h: h.cumprod(1),
    "logcumsumexp": lambda h: h.logcumsumexp(1),
    "diff": lambda h: h.diff(dim=1),
    "renorm": lambda h: h.renorm(2, 0, 1.0),
    "norm": lambda h: h / torch.linalg.norm(h, dim=-1, keepdim=True),
    "norm of all": lambda h: h / torch.linalg.norm(h),
    "vector norm": lambda h: h / torch.linalg.vector_norm(h, 3, dim=-1, keepdim=True),
    "frobenius": lambda h: h / torch.linalg.matrix_norm(h)[:, None, None],
    "cosine": lambda h: h * F.cosine_similarity(h, h[:, :1], -1)[..., None],
    "pairwise distance": lambda h: h * F.pairwise_distance(h, h[:, :1])[..., None],
    "distance of all": lambda h: h * torch.dist(h, h[:, :1]),
    "cdist": lambda h: torch.cdist(h, h[:, :1]) * h,
}


@pytest.mark.parametrize("name", STEPS)
def test_along_steps_channels_are_free(name):
    derive(between(STEPS[name]), X, [8], LONG)


CHANNELS = {  # over the channels themselves
    "max": lambda h: h.max(-1, keepdim=True)[0],
    "median": lambda h: h.median(-1, keepdim=True)[0],
    "kthvalue": lambda h: h.kthvalue(3, -1, keepdim=True)[0],
    "quantile": lambda h: h.quantile(0.3, -1, keepdim=True),
    "norm": lambda h: torch.linalg.norm(h, dim=-1, keepdim=True),
    "norm of another power": lambda h: torch.linalg.norm(h, 1, dim=-1, keepdim=True),
    "cosine": lambda h: F.cosine_similarity(h, h.sigmoid(), -1)[..., None],
    "maximum of all": lambda h: h.max() + h[:, :, :0].sum(-1, keepdim=True),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_what_treats_channels_alike_lets_them_change_places(name):
    derive(between(CHANNELS[name], read=1), X, [8], LONG)


INDICES = {  # where the largest stands: as unknown
    "max": lambda h: h * h.max(-1, keepdim=True)[1],
    "topk": lambda h: (lambda v, i: v + i)(*h.topk(8, -1)),
    "median": lambda h: h * h.median(-1, keepdim=True)[1],
    "sort": lambda h: h.sort(-1)[1].to(h.dtype),
    "max over steps": lambda h: h * h.max(1, keepdim=True)[1],
}


@pytest.mark.parametrize("name", INDICES)
def test_where_indices_are_used_units_stay(name):
    s = derive(between(INDICES[name]), X, [])
    assert "cannot be followed through" in fixed(s)["a.weight", 0]


@pytest.mark.parametrize("run", [lambda h: h.topk(8, -1)[0], lambda h: h.sort(-1)[0]])
def test_values_by_rank_are_the_same_whichever_units_they_are_of(run):
    s = derive(between(run), X, [8], LONG)
    assert ("b.weight", 1) in fixed(s)


TOLD = {  # positions along the channels are told apart
    "cumsum": lambda h: h.cumsum(-1),
    "cummax": lambda h: h.cummax(-1)[0],
    "diff": lambda h: F.pad(h.diff(dim=-1), (0, 1)),
    "nuclear": lambda h: h * torch.linalg.matrix_norm(h, "nuc")[:, None, None],
}


@pytest.mark.parametrize("name", TOLD)
def test_what_tells_channels_apart_leaves_them_fixed(name):
    s = derive(between(TOLD[name]), X, [])
    reason = fixed(s)["a.weight", 0]
    assert reason.startswith(("meets coordinates", "cannot be followed through linalg"))


@pytest.mark.parametrize("run", [lambda h: h.max(-1)[0], lambda h: h.median(-1).values])
def test_maxout_moves_its_pieces_within_a_unit(run):
    model = between(lambda h: run(h.unflatten(-1, (4, 3))), width=12, read=4)
    s = derive(model, X, [4, (4, 3)], LONG)
    moved = {(q.tensor, q.axis) for g in s.groups if g.fibres == 1 for q in g.places}
    assert ("b.weight", 1) in moved


def test_the_order_of_learned_vectors_counts_in_a_running_sum():
    """Vectors of a table that are added up to each step stay; in a maximum each number moves."""
    for run, expected in (
        (lambda t: t.cumsum(0).relu().mean(0), [6]),
        (lambda t: t.cummax(0)[0].relu().mean(0), [6]),
        (lambda t: t.diff(dim=0).relu().mean(0), [6]),
        (lambda t: t.max(0)[0], [(6, 5), 6]),
        (lambda t: t.median(0)[0], [(6, 5), 6]),
    ):
        model = Run(lambda m, x, run=run: m.b(run(m.t)) * x[:, 0, :2], t=p(5, 6), b=nn.Linear(6, 2))
        s = derive(model, X, expected, LONG)
        assert (("t", 0) in fixed(s)) == (len(expected) == 1)


def test_vectors_of_several_tables_move_as_a_whole():
    """A running sum over steps of three tables, of which only the last step is used."""
    model = Run(
        lambda m, x: m.b(m.t.reshape(4, 3, 6).cumsum(0)[-1]).sum(0) * x[:, 0, :2],
        t=p(12, 6),
        b=nn.Linear(6, 2),
    )
    s = derive(model, X, [3, 6], LONG)
    assert ("t", 0, 4) in {(q.tensor, q.axis, q.width) for g in s.groups for q in g.places}
