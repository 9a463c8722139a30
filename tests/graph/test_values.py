"""Values of a trace against the same network written out, with some of them replaced."""

import pytest
import torch
from torch import nn

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.graph import Network
from ridgeline.graph.values import Values, observe


class Small(nn.Module):
    """Two layers, of which the first's answer is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 5), nn.Linear(5, 3)
        self.register_buffer("shift", torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.one(x).tanh()
        return self.two(hidden * self.shift) + hidden[:, :3]


@pytest.fixture
def made():
    torch.manual_seed(0)
    model, x = Small().double(), torch.randn(6, 4, dtype=torch.float64)
    trace = Network(model).trace(x)
    steps = [n.name for n in trace.graph.nodes if n.op == "call_function"]
    return model, x, trace, states.capture(model), steps


def named(steps, part):
    return next(name for name in steps if part in name)


def test_values_are_those_of_the_network(made):
    model, x, trace, state, steps = made
    values = Values(trace, x)
    hidden = model.one(x).tanh()
    assert torch.equal(values.to(named(steps, "linear"), state), model.one(x))
    assert torch.equal(values.to(named(steps, "tanh"), state), hidden)
    assert torch.equal(values.to(steps[-1], state), model(x))


def test_a_value_that_is_replaced_goes_on(made):
    model, x, trace, state, steps = made
    name = named(steps, "tanh")
    hidden = model.one(x).tanh() + 1
    wanted = model.two(hidden * 2) + hidden[:, :3]
    on_the_way = Values(trace, x)
    torch.testing.assert_close(on_the_way.to(steps[-1], state, {name: lambda v: v + 1}), wanted)
    at_a_stop = Values(trace, x)
    at_a_stop.to(name, state)
    at_a_stop.set(name, lambda v: v + 1)
    torch.testing.assert_close(at_a_stop.to(steps[-1], state), wanted)


def test_values_that_were_let_go_are_refused(made):
    _, x, trace, state, steps = made
    values = Values(trace, x)
    values.to(steps[-1], state)
    with pytest.raises(UsageError, match="in the order of the graph"):
        values.to(named(steps, "linear"), state)


def test_several_states_go_side_by_side(made):
    model, x, trace, state, steps = made
    other = {n: v + 1 for n, v in state.items()}
    one, two = Values(trace, x), Values(trace, x)
    for name in (named(steps, "tanh"), steps[-1]):
        found = one.to(name, state), two.to(name, other)
    assert torch.equal(found[0], model(x))
    model.load_state_dict(other)
    assert torch.equal(found[1], model(x))


def test_what_is_observed_can_be_done_again(made):
    model, x, trace, state, steps = made
    seen = {}
    wanted = [s for s in steps if "linear" in s]
    observe(trace, state, x, wanted.__contains__, seen.__setitem__)
    assert list(seen) == wanted
    assert torch.equal(seen[wanted[0]].value, model.one(x))
    for one in seen.values():
        assert torch.equal(one.target(*one.args, **one.kwargs), one.value)
