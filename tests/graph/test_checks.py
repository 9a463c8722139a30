"""A graph is the network: it has lost nothing, and gives what the network gives."""

import random

import numpy as np
import pytest
import torch
from torch import fx, nn

from ridgeline.errors import NotTraceable
from ridgeline.graph import Network
from ridgeline.graph.checks import _alike, check_constants, check_same, check_sizes

X = torch.arange(4.0)


def graph(work):
    """A graph of one input, as a module."""
    return fx.symbolic_trace(work)


def test_a_graph_that_gives_the_same_passes():
    traced = graph(lambda w, x: (w * x).sin())
    check_same(traced, lambda held, data: (held[0] * data[0]).sin(), [X], [X + 1])


@pytest.mark.parametrize(
    ("other", "output"),
    [
        (lambda h, d: ((h[0] * d[0]).cos(), d[0]), 0),
        (lambda h, d: ((h[0] * d[0]).sin(), d[0] + 1), 1),
        (lambda h, d: ((h[0] * d[0]).sin(),), 2),
        (lambda h, d: ((h[0] * d[0]).sin(), d[0].double()), 1),
    ],
)
def test_a_graph_that_gives_another_result_is_refused_by_its_output(other, output):
    traced = graph(lambda w, x: ((w * x).sin(), x))
    with pytest.raises(NotTraceable, match="must give what the network gives") as caught:
        check_same(traced, other, [X], [X])
    assert caught.value.got == f"another result on the example, in output {output}"
    assert "please report the network" in caught.value.remedy


def test_random_numbers_of_torch_are_the_same_in_both():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.rand_like(x)

    Network(Noisy()).trace((X,))


def test_the_look_moves_no_generator():
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002 (the one that users draw from)
    check_same(graph(lambda x: x + 1), lambda held, data: data[0] + 1, [], [X])
    assert torch.equal(before[0], torch.get_rng_state()) and before[1] == random.getstate()
    assert (before[2] == np.random.get_state()[1]).all()  # noqa: NPY002 (the same)


def test_numbers_of_pythons_generator_are_not_the_same_in_both():
    traced = graph(lambda x: x * 1.0)
    with pytest.raises(NotTraceable, match="random numbers of Python"):
        check_same(traced, lambda held, data: data[0] * random.random(), [], [X])


def test_what_has_no_values_is_not_compared():
    check_same(graph(lambda x: x + 1), lambda held, data: data[0], [], [X.to("meta")])


@pytest.mark.parametrize(
    ("got", "want", "same"),
    [
        ([1.0, 100.0], [1.0, 100.0], True),
        ([1.01, 100.0], [1.0, 100.0], True),  # half of the digits, of the largest
        ([1.1, 100.0], [1.0, 100.0], False),
        ([1.0, torch.nan], [1.0, torch.nan], True),
        ([1.0, torch.nan], [1.0, 2.0], False),
        ([torch.inf, 1.0], [torch.inf, 1.0], True),
        ([torch.nan], [torch.nan], True),
    ],
)
def test_results_are_one_up_to_half_of_the_digits(got, want, same):
    assert _alike(torch.tensor(got), torch.tensor(want)) is same


def test_labels_types_and_shapes_are_exact():
    n = torch.tensor([1, 2])
    assert _alike(n, n.clone()) and not _alike(n, n + 1) and not _alike(n, n.double())
    assert not _alike(X, X[None]) and _alike(X * 1j, X * 1j + 1e-6)


def test_a_computed_value_that_stands_as_a_constant_is_refused_with_its_reader():
    class Lost(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return x * self.w.data.exp()

    with pytest.raises(NotTraceable, match="by operations that are seen") as caught:
        Network(Lost()).trace((X,))
    assert caught.value.got == "a value of shape (4,) from out of sight, read by exp"
    assert "`x.detach()`" in caught.value.remedy


def test_plain_constants_pass():
    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Module()
            self.inner.table = X

        def forward(self, x):
            return x + self.inner.table

    check_constants(fx.symbolic_trace(Holder()))


def test_sizes_by_value_are_refused_with_the_operation():
    class Some(nn.Module):
        def forward(self, x):
            return x[x > 1].sum()

    Network(Some()).trace((X,))
    with pytest.raises(NotTraceable, match="must not depend on the data") as caught:
        Network(Some()).trace((X,), sized=True)
    assert caught.value.got.startswith("index (") and "which selects by value" in caught.value.got
    check_sizes(graph(lambda x: x + 1).graph)
