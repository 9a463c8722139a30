"""A pass over all samples that stops to look at values and to set them."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.repairs import running
from ridgeline.repairs.running import Graphs, Run, each


@pytest.fixture
def made():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    objective = rl.Objective(net, (x, torch.arange(7) % 2), rows=3)
    graphs = Graphs(objective, objective.samples)
    names = [n.name for n in graphs.trace.graph.nodes if n.op == "call_function"]
    return net, x, graphs, names


def test_chunks_have_a_graph_for_each_size(made):
    *_, graphs, _ = made
    assert [len(c) for c in graphs.chunks] == [3, 3, 1]
    assert graphs.of(0) is graphs.of(1) is graphs.trace
    assert graphs.of(2) is not graphs.trace
    assert graphs.needed > 0


@pytest.mark.parametrize("held", [True, False])
@torch.no_grad()
def test_values_are_the_networks_and_what_is_set_goes_on(made, held):
    net, x, graphs, names = made
    run = Run(graphs, dict(net.named_parameters()), held=held)
    first = torch.cat(list(run.at(names[0])))
    torch.testing.assert_close(first, net[0](x))
    run.change(names[0], lambda v: v + 1)
    last = torch.cat(list(run.at(names[-1])))
    torch.testing.assert_close(last, net[2]((net[0](x) + 1).relu()))


def test_values_are_held_where_they_are_small_unless_it_is_said(made, monkeypatch):
    net, _, graphs, _ = made
    tensors = dict(net.named_parameters())
    assert Run(graphs, tensors).held
    assert not Run(graphs, tensors, held=False).held
    monkeypatch.setattr(running, "HELD", graphs.needed)
    assert Run(graphs, tensors).held
    monkeypatch.setattr(running, "HELD", graphs.needed - 1)
    assert not Run(graphs, tensors).held
    assert Run(graphs, tensors, held=True).held


@torch.no_grad()
def test_several_states_are_seen_value_by_value_in_one_pass(made):
    net, x, graphs, names = made
    one = dict(net.named_parameters())
    two = {n: 2 * p for n, p in one.items()}
    seen = list(each(graphs, [one, two], [names[0], names[-1]]))
    assert [name for name, _ in seen] == [names[0], names[-1]] * 3
    found = torch.cat([values[1] for name, values in seen if name == names[0]])
    torch.testing.assert_close(found, 2 * net[0](x))
