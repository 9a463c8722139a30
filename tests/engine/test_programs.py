"""A traced network in three pieces: once, at the basis states, at every position."""

import torch
from torch import nn

from ridgeline.engine.degrees import CONSTANT, Degree, degrees
from ridgeline.engine.programs import cut
from ridgeline.graph import Network

A = Degree("affine", 0)
X = torch.arange(6.0).reshape(2, 3)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.still, self.moving, self.last = (nn.Linear(3, 3) for _ in range(3))

    def forward(self, x):
        return self.last(self.moving(self.still(x).relu()).tanh())


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3)

    def forward(self, x):
        return {"a": self.a(x), "b": x.exp()}


def pieces(net, moving):
    trace = Network(net).trace((X,))
    names = {n: A if n.startswith(moving) else CONSTANT for n in trace.tensors}
    return trace, cut(trace, degrees(trace, names))


def steps(program):
    return [n for n in program.run.graph.nodes if n.op == "call_function"]


def test_the_three_pieces_together_are_the_network():
    net = Net()
    trace, found = pieces(net, ("moving", "last"))
    values = {node: net.state_dict()[name] for node, name in found.names.items()}
    values[trace.data[0]] = X
    for program in (found.constant, found.affine, found.general):
        program(values)
    assert torch.allclose(values[found.output], net(X))


def test_each_piece_holds_the_steps_of_its_degree():
    _, found = pieces(Net(), ("moving", "last"))
    assert [len(steps(p)) for p in (found.constant, found.affine, found.general)] == [2, 1, 2]


def test_a_piece_gives_what_those_after_it_take():
    trace, found = pieces(Net(), ("moving", "last"))
    assert set(found.constant.gives) <= set(found.affine.takes) | set(found.general.takes)
    assert set(found.affine.gives) <= set(found.general.takes)
    assert found.general.gives == (found.output,)
    assert set(found.constant.takes) <= {*trace.data, *trace.tensors.values()}


def test_what_nothing_takes_is_not_computed():
    class Idle(Net):
        def forward(self, x):
            self.still(x).exp()
            return self.moving(x).tanh()

    _, found = pieces(Idle(), ("moving",))
    assert steps(found.constant) == []


def test_nothing_shared_is_nothing_to_cut():
    class Bent(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return self.w.sin() * x

    assert pieces(Bent(), ("w",))[1] is None


def test_several_outputs_are_not_cut():
    assert pieces(Twice(), ("a",))[1] is None


def test_placeholders_stand_first():
    _, found = pieces(Net(), ("moving", "last"))
    for program in (found.constant, found.affine, found.general):
        kinds = [n.op == "placeholder" for n in program.run.graph.nodes]
        assert kinds == sorted(kinds, reverse=True)
