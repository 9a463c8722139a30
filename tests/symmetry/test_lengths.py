"""Groups hold at every length that a network takes, however short the example."""

import pytest
import torch
from torch import nn

from ridgeline.symmetry import symmetries
from ridgeline.symmetry.lengths import longer, of_one, shorter
from symmetric import Run, p
from symmetry.turned import false_groups


def steps(m, x):
    h = torch.tanh(m.i(x[:, 0]))
    for t in range(1, x.shape[1]):
        h = torch.tanh(m.i(x[:, t]) + m.w(h))
    return m.o(h)


def rotary(m, x):
    q, k, v = m.i(x), m.w(x), m.v(x)
    half = q.shape[-1] // 2
    angle = torch.arange(x.shape[1])[:, None] * (0.5 ** torch.arange(half))

    def turned(y):
        one, two = y[..., :half], y[..., half:]
        c, s = angle.cos(), angle.sin()
        return torch.cat([one * c - two * s, one * s + two * c], -1)

    return m.o((turned(q) @ turned(k).transpose(1, 2)).softmax(-1) @ v).mean(1)


def slopes(m, x):
    q, k, v = (y.unflatten(-1, (2, 5)).transpose(1, 2) for y in (m.i(x), m.w(x), m.v(x)))
    t = torch.arange(x.shape[1])
    bias = -(t[:, None] - t).abs() * torch.tensor([0.5, 0.25])[:, None, None]
    scores = (q @ k.transpose(-1, -2) + bias).softmax(-1)
    return m.o((scores @ v).transpose(1, 2).flatten(2)).mean(1)


def windows(m, x):
    short = -x.shape[1] % 4
    h = m.i(nn.functional.pad(x, (0, 0, 0, short)))
    h = h.unflatten(1, (-1, 4))
    return m.o((h * m.place).tanh().sum((1, 2)))


def rows(m, x):
    return m.o(m.i(x).relu().mean(1) * m.table[: x.shape[1]].sigmoid().mean(0))


def mixed(m, x):
    """At one position the norm takes away what a row of the matrix is, at others it does not."""
    t = x.shape[1]
    h = nn.functional.normalize(m.mix[:t, :t].exp() @ m.i(x), dim=-1)
    return m.o(h).mean(1)


RUNS = {f.__name__: f for f in (steps, rotary, slopes, windows, rows, mixed)}


def make(run):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = {n: nn.Linear(6, 10) for n in "iv"}
        w = nn.Linear(10, 10) if run is steps else nn.Linear(6, 10)
        return Run(
            run, **parts, w=w, o=nn.Linear(10, 3), place=p(4, 10), table=p(9, 10), mix=p(9, 9)
        )


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("length", [1, 2, 5])
def test_groups_hold_at_other_lengths(name, length):
    model = make(RUNS[name])
    found = symmetries(model, torch.randn(2, length, 6))
    inputs = [torch.randn(3, n, 6, dtype=torch.float64) for n in (1, 2, 3, 5, 8)]
    assert false_groups(model, found, inputs) == {}


def test_one_step_finds_the_groups_of_a_recurrence():
    model = make(steps)
    found = symmetries(model, torch.randn(2, 1, 6))
    assert set(found.groups[0].tensors()) >= {"i.weight", "w.weight", "o.weight"}
    assert "derived at inputs of shape (2, 5, 6)" in str(found)


def test_lengths_of_several_tensors_grow_together():
    batch = {"x": torch.randn(2, 4, 6), "mask": torch.ones(2, 4), "n": 3}
    fits = lambda b: b["x"].shape[1] == b["mask"].shape[1] and b["x"].shape[2] == 6  # noqa: E731
    more = longer(batch, fits)
    assert (more["x"].shape, more["mask"].shape, more["n"]) == ((2, 11, 6), (2, 11), 3)
    assert shorter(batch, fits)["mask"].shape == (2, 2)
    assert longer(batch, lambda b: False) is None


def test_each_axis_grows_by_itself_where_both_cannot():
    square = torch.randn(2, 4, 4)
    assert longer(square, lambda x: x.shape[2] == 4).shape == (2, 11, 4)
    assert of_one(torch.randn(1, 1, 4, 1)) == {(0, 1), (0, 3)}


@pytest.mark.parametrize("there", range(3))
def test_which_unit_is_told_apart_may_depend_on_the_length(there):
    """A proof leaves no unit where it is at other lengths: one of three would not be seen else."""
    run = lambda m, x: m.o((m.i(x) + m.i(x)[..., 3 if x.shape[1] == 4 else there, None]).relu())  # noqa: E731
    model = Run(run, i=nn.Linear(6, 4), o=nn.Linear(4, 3))
    found = symmetries(model, torch.randn(2, 4, 6))
    others = [torch.randn(2, n, 6).double() for n in (1, 4, 7)]
    assert false_groups(model, found, others) == {}
    assert found.groups == () and "dropped because outputs change: 'i'" in str(found)
