"""Recurrent layers and cells: what they hand on has the units of what they give."""

import pytest
import torch
from torch import nn

from symmetric import Run, p, seeded
from symmetry.derived import derive, fixed

X = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(1))
LONG = torch.randn(3, 7, 6, generator=torch.Generator().manual_seed(2))
KINDS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def hidden(given):
    return given[0] if isinstance(given, tuple) else given


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_the_final_state_is_the_output_of_each_layer(kind, layers, bidirectional, batch_first):
    rows = layers * (2 if bidirectional else 1)
    make = seeded(
        lambda: Run(
            lambda m, x: m.o(hidden(m.r(x)[1]).transpose(0, 1).flatten(1)),
            r=KINDS[kind](6, 5, layers, batch_first=batch_first, bidirectional=bidirectional),
            o=nn.Linear(5 * rows, 3),
        )
    )
    s = derive(make(), X, [5] * rows, LONG)
    made = {n for g in s.groups for n in g.tensors()}
    assert {"r.weight_hh_l0", "o.weight"} <= made
    assert ("r.weight_hh_l0", 1) not in fixed(s)


@pytest.mark.parametrize("part", [0, 1])
def test_a_projected_state_has_the_units_of_the_projection(part):
    """The cell's state has those of the cell, the hidden state those of the projection."""
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.r(x)[1][part][-1]),
            r=nn.LSTM(6, 5, 2, batch_first=True, proj_size=3),
            o=nn.Linear((3, 5)[part], 2),
        )
    )()
    # What the last layer projects to is read by itself, whether it is an output or not.
    s = derive(model, X, [3, 3, 5, 5], LONG)
    assert any(
        {"o.weight", "r.weight_hr_l1" if part == 0 else "r.weight_hh_l1"} <= set(g.tensors())
        for g in s.groups
    )


def test_the_cell_state_is_linked():
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.r(x)[1][1].squeeze(0)),
            r=nn.LSTM(6, 5, batch_first=True),
            o=nn.Linear(5, 2),
        )
    )()
    derive(model, X, [5], LONG)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_hands_its_state_to_a_decoder(kind):
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.d(x[:, :1], m.e(x)[1])[0]),
            e=KINDS[kind](6, 5, 2, batch_first=True),
            d=KINDS[kind](6, 5, 2, batch_first=True),
            o=nn.Linear(5, 2),
        )
    )()
    s = derive(model, X, [5, 5], LONG)
    tensors = [set(g.tensors()) for g in s.groups]
    assert all(
        any({f"e.{n}", f"d.{n}"} <= t for t in tensors) for n in ("weight_hh_l0", "weight_hh_l1")
    )


def test_a_state_that_is_learned_starts_the_layer():
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.r(x, m.h.expand(-1, x.shape[0], -1).contiguous())[1][-1]),
            h=p(1, 1, 5),
            r=nn.GRU(6, 5, batch_first=True),
            o=nn.Linear(5, 2),
        )
    )()
    s = derive(model, X, [5], LONG)
    assert "h" in set(s.groups[0].tensors())


def test_steps_are_in_an_order():
    """Learned vectors that a layer reads one after the other do not change places."""
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.r(m.t.expand(x.shape[0], -1, -1))[0].mean(1)) * x[:, 0, :2],
            t=p(4, 6),
            r=nn.LSTM(6, 5, batch_first=True),
            o=nn.Linear(5, 2),
        )
    )()
    s = derive(model, X, [5, 6], LONG)
    assert ("t", 0) in fixed(s)


def test_sequences_of_a_batch_change_places_as_a_whole():
    """Vectors of one sequence go with it, also where only the last step is used."""
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.r(m.t)[1][-1]).sum(0) * x[:, 0, :2],
            t=p(4, 3, 6),
            r=nn.GRU(6, 5),
            o=nn.Linear(5, 2),
        )
    )()
    s = derive(model, X, [3, 5, 6], LONG)
    assert ("t", 0) in fixed(s)


def test_an_order_of_sequences_that_is_used_stays():
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.r(m.t.reshape(4, 3, 6))[1][-1]).flatten() * x[:, 0, :1],
            t=p(12, 6),
            r=nn.GRU(6, 5),
            o=nn.Linear(5, 2),
        )
    )()
    s = derive(model, X, [5, 6], LONG)
    assert ("t", 0) in fixed(s)


def unrolled(m, x):
    state = None
    for t in range(x.shape[1]):
        state = m.r(x[:, t], state)
    return m.o(hidden(state))


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
@pytest.mark.parametrize("bias", [False, True])
def test_cells_by_steps(cell, bias):
    model = seeded(lambda: Run(unrolled, r=cell(6, 5, bias=bias), o=nn.Linear(5, 2)))()
    s = derive(model, X, [5], LONG)
    gates = {nn.LSTMCell: 4, nn.GRUCell: 3, nn.RNNCell: 1}[cell]
    assert ("r.weight_ih", 0, gates) in {(q.tensor, q.axis, q.width) for q in s.groups[0].places}


def test_the_state_of_a_cell_alone():
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.r(x[:, 0], (m.i(x[:, 1]), m.j(x[:, 2])))[1]),
            r=nn.LSTMCell(6, 5),
            i=nn.Linear(6, 5),
            j=nn.Linear(6, 5),
            o=nn.Linear(5, 2),
        )
    )()
    s = derive(model, X, [5, 5], LONG)  # what is fed in, and what is kept of the cell's state
    assert {"i.weight", "r.weight_hh"} in [set(g.tensors()) - {"i.bias"} for g in s.groups]


def test_a_cell_that_starts_from_the_inputs_is_fixed():
    model = seeded(
        lambda: Run(
            lambda m, x: m.o(m.r(x[:, 0], x[:, 1, :5])), r=nn.GRUCell(6, 5), o=nn.Linear(5, 2)
        )
    )()
    s = derive(model, X, [], LONG)
    assert fixed(s)["r.weight_hh", 0] == "inputs of the network"
