"""Traces: functional graphs that give what the module gives, or a refusal with the reason."""

import copy
import dataclasses
import random
import threading
from collections import UserDict

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn

import zoo
from ridgeline.errors import NoLayerIndex, NotTraceable, UsageError
from ridgeline.graph import (
    Network,
    arguments,
    call,
    flatten,
    layer_index,
    make_functional,
    operation,
    private_copy,
)

X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def mlp():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def run(network, inputs, tensors):
    """The traced graph, interpreted."""
    trace = network.trace(inputs)
    names = list(trace.tensors)
    given = [tensors[n] for n in names] + flatten(inputs)
    with torch.no_grad():
        out = fx.Interpreter(fx.GraphModule(trace.owner, trace.graph)).run(*given)
    return trace, out


def mutable(trace):
    nodes = (n for n in trace.graph.nodes if n.op == "call_function")
    return [n for n in nodes if getattr(getattr(n.target, "_schema", None), "is_mutable", False)]


@pytest.mark.parametrize("name", [n for n in zoo.ZOO if n != "value-branch"])
def test_a_trace_gives_what_the_module_gives(name):
    model, (inputs, _), a, b = zoo.build(name, n=6)
    network = Network(model)
    for state in (a, b):
        tensors = {n: state[n] for n in network.tensors}
        trace, out = run(network, inputs, tensors)
        want = network(tensors, inputs).detach()
        assert torch.allclose(torch.as_tensor(out), want, rtol=1e-5, atol=1e-6)
        assert mutable(trace) == []


class Functional(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.fc, self.run = nn.Linear(4, 4), forward

    def forward(self, x):
        return self.run(self.fc, x)


def relu_in_place(fc, x):
    h = fc(x)
    h.relu_()
    return h + 1


def chain_in_place(fc, x):
    h = fc(x)
    before = h * 2
    h.mul_(3).add_(1).clamp_(min=0)
    return h + before


def through_functions(fc, x):
    return F.elu_(F.leaky_relu_(fc(x), 0.2)) * 2


def own_buffer(fc, x):
    total = torch.zeros(len(x), 4)
    for _ in range(3):
        total += fc(x)
    return total


@pytest.mark.parametrize("work", [relu_in_place, chain_in_place, through_functions, own_buffer])
def test_in_place_operations_are_made_functional(work):
    model = Functional(work)
    network = Network(model)
    trace, out = run(network, X, network.tensors)
    assert mutable(trace) == []
    assert torch.allclose(out, model(X).detach())


def test_a_value_read_before_it_was_written_to_keeps_its_old_value():
    """`before` was taken from h when h was not yet multiplied."""
    model = Functional(chain_in_place).double()
    x = X.double()
    h = model.fc(x).detach()
    _, out = run(Network(model), x, Network(model).tensors)
    assert torch.allclose(out, (3 * h + 1).clamp(min=0) + 2 * h)


def writes_through_a_view(fc, x):
    h = fc(x)
    h[:, 0].mul_(2)
    return h


def writes_after_a_view(fc, x):
    h = fc(x)
    part = h.view(-1)
    h.relu_()
    return part


def writes_slices_in_turn(fc, x):
    h = fc(x)
    old = h * 1
    turned = h.t()
    flat = turned[1:]
    h[:, 1:3] = h[:, :2].clone()
    h[::2] += 1
    turned[0].zero_()
    turned.permute(1, 0).unsqueeze(0)[0, 1:, 2:].fill_(3)
    h.diagonal().copy_(h[:4, 3].clone())
    return torch.cat([h.flatten(), old.flatten(), flat.flatten(), turned.flatten()])


def writes_to_a_chunk_of_a_view(fc, x):
    h = fc(x)
    rows = h.reshape(5, 2, 2)
    rows[:, 1] = rows[:, 0].relu()
    rows.transpose(1, 2)[:, 0] *= 2
    return h + rows.flatten(1)


def writes_to_half_of_a_chunk(fc, x):
    h = fc(x)
    h.chunk(2, 1)[0].mul_(2)
    return h


def writes_to_one_of_several_results(fc, x):
    values, at = fc(x).topk(2, 1)
    values /= values.sum(1, keepdim=True)
    return values * at


def a_constant_mask(fc, x):
    mask = torch.zeros(2, 4)
    for k, part in enumerate((slice(0, -2), slice(-2, None))):
        mask[:, part] = k
    mask.masked_fill_(mask == 0, -1.0)
    return fc(x)[:2] * mask


def dropout_in_place(fc, x):
    h = fc(x).view(-1)
    return F.dropout(F.relu(h[2:], inplace=True), 0.5, training=False, inplace=True)


@pytest.mark.parametrize(
    "work",
    [
        writes_through_a_view,
        writes_after_a_view,
        writes_slices_in_turn,
        writes_to_a_chunk_of_a_view,
        writes_to_half_of_a_chunk,
        writes_to_one_of_several_results,
        a_constant_mask,
        dropout_in_place,
    ],
)
def test_writing_to_views_is_made_functional(work):
    """What is written to a part is seen in the whole, and in every other view of it."""
    model = Functional(work)
    network = Network(model)
    trace, out = run(network, X, network.tensors)
    assert mutable(trace) == []
    with torch.no_grad():
        assert torch.equal(out, model(X))


def writes_to_its_input(fc, x):
    x.mul_(2)
    return fc(x)


def writes_to_a_view_of_its_input(fc, x):
    x.view(-1)[:2] = 0
    return fc(x)


def writes_to_its_weight(fc, x):
    with torch.no_grad():
        fc.weight.mul_(2)
    return fc(x)


@pytest.mark.parametrize(
    "work",
    [
        writes_to_its_input,
        writes_to_a_view_of_its_input,
        writes_to_its_weight,
    ],
)
def test_writing_to_what_others_share_is_refused(work):
    x = X.clone()
    with pytest.raises(NotTraceable, match="An in-place operation writes to a tensor that other"):
        Network(Functional(work)).trace(x)
    assert torch.equal(x, X)  # nothing was computed, nothing was written


@pytest.mark.parametrize(
    "work",
    [
        lambda fc, x: fc(x) if x.sum() > 0 else x,
        lambda fc, x: fc(x) * float(fc.weight.sum()),
        lambda fc, x: fc(x) * int(x.argmax()),
        lambda fc, x: torch.from_numpy(fc(x).detach().numpy() + 1),
    ],
)
def test_what_depends_on_values_is_refused(work):
    with pytest.raises(
        NotTraceable, match=r"branches on values.*Got test_network.py, line \d+, `.*fc.*`: \w+: ."
    ):
        Network(Functional(work)).trace(X)


def test_a_word_in_an_error_of_the_users_own_is_no_value_asked_for():
    def work(fc, x):
        raise ValueError("needs numpyro")

    with pytest.raises(NotTraceable, match="needs numpyro") as caught:
        Network(Functional(work)).trace(X)
    assert "branches on values" not in str(caught.value)


def test_a_refusal_says_what_to_do():
    with pytest.raises(NotTraceable, match=r"Give `forward=`.*torch\.where"):
        Network(Functional(lambda fc, x: fc(x) if x.sum() > 0 else x)).trace(X)
    with pytest.raises(NotTraceable, match=r"takes the example as it is given.*`forward=`"):
        Network(mlp()).trace(torch.zeros(2, 5))


def test_a_module_that_is_registered_twice_is_not_spoilt_by_tracing():
    """torch's own tying leaves the fake tensors of the trace in such a module."""
    layer, head = nn.Linear(4, 4), nn.Linear(4, 4)
    model = nn.Sequential(layer, nn.ReLU(), layer, head, nn.Linear(4, 4))
    model[4].weight = head.weight
    network = Network(model)
    assert list(network.tensors) == ["0.weight", "0.bias", "3.weight", "3.bias", "4.bias"]
    for _ in range(2):
        trace, out = run(network, X, network.tensors)
        assert torch.equal(out, model(X).detach())
        assert torch.equal(network.module(X), model(X))
    twice = {name: 2 * x for name, x in network.tensors.items()}
    expected = copy.deepcopy(model)
    with torch.no_grad():
        for x in expected.parameters():
            x.mul_(2)
    assert torch.equal(network(twice, X), expected(X))
    with network.holding(twice) as held:
        assert torch.equal(held(X), expected(X))
    assert torch.equal(network.module(X), model(X))


def test_what_a_module_keeps_of_one_call_is_not_met_by_the_next():
    """A cache filled in evaluation mode would hold the first state's weights, or fake tensors."""

    class Caching(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias, self.cache, self.last = nn.Parameter(torch.ones(4)), {}, None

        def forward(self, x):
            self.last = x
            if "bias" not in self.cache:
                self.cache["bias"] = 2 * self.bias
            return x + self.cache["bias"]

    model = Caching()
    network = Network(model)
    network.trace(X)
    assert network.module.last is None
    for k in (1.0, 3.0):
        assert torch.equal(network({"bias": torch.full([4], k)}, X), X + 2 * k)
    assert model.cache == {}


def test_a_mask_stays_a_mask():
    """A selection by value is no branch: the graph selects anew from other data."""
    model = Functional(lambda fc, x: fc(x)[x[:, 0] > 0])
    network = Network(model)
    trace = network.trace(X)
    graph = fx.GraphModule(trace.owner, trace.graph)
    for x in (X, -X):
        got = fx.Interpreter(graph).run(*network.tensors.values(), x)
        assert torch.allclose(got, model(x).detach())


def test_a_dict_is_told_to_be_keywords():
    class Whole(nn.Linear):
        def forward(self, batch):
            return super().forward(batch["x"])

    with pytest.raises(NotTraceable, match=r"a dict as keywords.*model\(example\)"):
        Network(Whole(4, 3)).trace({"x": X})
    with pytest.raises(NotTraceable, match=r"a tuple as positions"):
        Network(Whole(4, 3)).trace((X, X))


def test_a_branch_on_shape_is_followed():
    model = Functional(lambda fc, x: fc(x) if len(x) > 3 else x)
    _, out = run(Network(model), X, Network(model).tensors)
    assert torch.allclose(out, model(X).detach())


def test_weights_may_be_standardised_by_a_normalisation_in_training_mode():
    """As the networks without normalisers do; what depends on the batch stays refused."""

    class Standardised(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.gain = nn.Conv2d(2, 6, 3), nn.Parameter(torch.randn(6))

        def forward(self, x):
            flat = self.conv.weight.reshape(1, 6, -1)
            weight = F.batch_norm(flat, None, None, self.gain, training=True, eps=1e-6)
            return F.conv2d(x, weight.reshape_as(self.conv.weight), self.conv.bias)

    model, x = Standardised().double(), torch.randn(3, 2, 5, 5, dtype=torch.float64)
    network = Network(model)
    _, out = run(network, x, network.tensors)
    assert torch.allclose(out, model(x).detach(), rtol=1e-12, atol=1e-12)


def test_training_mode_normalisation_is_refused():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(4))
            self.register_buffer("var", torch.ones(4))

        def forward(self, x):
            return F.batch_norm(x, self.mean, self.var, training=True)

    with pytest.raises(NotTraceable, match="normalisation layer is in training mode"):
        Network(Own()).trace(X)


@pytest.mark.parametrize(
    ("forward", "inputs"),
    [
        (lambda m, d: m(d[0] * d[1]), (X, X + 1)),
        (lambda m, d: m(d["x"] * d["y"][0]), {"x": X, "y": (X + 1, X)}),
    ],
)
def test_nested_inputs_are_flattened_in_order(forward, inputs):
    model = mlp()
    network = Network(model, forward)
    trace, out = run(network, inputs, network.tensors)
    assert len(trace.data) == len(flatten(inputs))
    assert torch.allclose(out, forward(model, inputs).detach())


def test_tracing_draws_nothing_and_leaves_the_module():
    model = nn.Sequential(mlp(), nn.Dropout(0.5)).train()
    before, kept = torch.random.get_rng_state(), copy.deepcopy(model.state_dict())
    Network(model).trace(X)
    assert torch.equal(before, torch.random.get_rng_state()) and model.training
    assert all(torch.equal(x, kept[n]) for n, x in model.state_dict().items())


def test_operations_stay_as_large_as_they_were_written():
    trace = Network(mlp()).trace(X)
    assert [operation(n) for n in trace.graph.nodes if operation(n)] == ["linear", "relu", "linear"]
    node = next(n for n in trace.graph.nodes if operation(n) == "linear")
    assert set(arguments(node)) == {"input", "weight", "bias"}
    assert operation(trace.data[0]) == ""


# --- a graph that is not the network ---------------------------------------------------------


def test_the_graph_is_compared_with_the_network_on_the_example():
    """A number of Python's or NumPy's is frozen into the graph: it gives something else."""

    def forward(fc, x):
        return fc(x) * random.random()

    with pytest.raises(NotTraceable, match=r"give what the network gives.*in output 0.*`forward=`"):
        Network(Functional(forward)).trace(X)
    assert len(Network(Functional(forward)).trace(X, check=False).data) == 1


def test_a_graph_that_loses_a_write_is_refused(monkeypatch):
    """Whatever rewriting may get wrong, no one is given a graph that shows it on the example."""

    def lose(graph, data):
        for node in list(graph.nodes):
            if operation(node) == "mul_":
                node.replace_all_uses_with(node.args[0])
                graph.erase_node(node)
        make_functional(graph, data)

    monkeypatch.setattr("ridgeline.graph.network.make_functional", lose)
    Network(Functional(relu_in_place)).trace(X)
    with pytest.raises(NotTraceable, match="must give what the network gives"):
        Network(Functional(chain_in_place)).trace(X)


def test_random_numbers_and_what_is_not_finite_compare_as_they_are():
    Network(Functional(lambda fc, x: fc(x) + torch.randn(4))).trace(X)
    Network(Functional(lambda fc, x: fc(x).sub(9).log())).trace(X)
    Network(Functional(lambda fc, x: fc(x).masked_fill(x > 0, -torch.inf))).trace(X)


def test_the_comparison_takes_two_forward_passes():
    model, calls = Functional(relu_in_place), []
    model.register_forward_hook(lambda *_: calls.append(1))
    Network(model).trace(X)
    assert len(calls) == 2  # traced, and evaluated; the graph itself runs once more


def differentiates(fc, x):
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(fc(x).tanh().sum(), x)[0]


@pytest.mark.parametrize("work", [differentiates, lambda fc, x: fc(x).data * 2])
def test_a_value_that_the_tracer_lost_sight_of_is_refused(work):
    with pytest.raises(
        NotTraceable, match=r"out of sight, read by \w+.*autograd\.grad.*`forward=`"
    ):
        Network(Functional(work)).trace(X)


def test_sizes_that_depend_on_values_are_refused_if_they_must_be_known():
    network = Network(Functional(lambda fc, x: fc(x)[x[:, 0] > 0]))
    with pytest.raises(NotTraceable, match=r"Got index \(index\), which selects by value.*where"):
        network.trace(X, sized=True)
    Network(mlp()).trace(X, sized=True)


@pytest.mark.parametrize("value", [None, True, 3, 2.5, "mode", torch.float32])
def test_what_stands_beside_tensors_stays_as_it_is(value):
    seen = []

    def forward(fc, data):
        seen.append(data["flag"])
        return fc(data["x"])

    model = Functional(forward)
    for inputs in ({"x": X, "flag": value}, {"flag": value, "x": X}):
        network = Network(model, lambda m, data: m(data))
        trace, out = run(network, inputs, network.tensors)
        assert len(trace.data) == 1
        assert torch.equal(out, model(inputs).detach())
    assert all(x is value or x == value for x in seen)


class Thing:
    pass


@pytest.mark.parametrize(
    ("inputs", "got", "remedy"),
    [
        (X.numpy(), "ndarray", "torch.from_numpy"),
        ({"x": X, "y": X.numpy()}, "ndarray", "torch.from_numpy"),
        (UserDict(x=X), "UserDict", r"dict\(example\)"),
        ((X, Thing()), "Thing", "`forward=`"),
    ],
)
def test_an_example_of_something_else_is_refused(inputs, got, remedy):
    with pytest.raises(NotTraceable, match=rf"tensors in tuples.*Got {got}\. .*{remedy}"):
        Network(mlp()).trace(inputs)


def test_outputs_that_cannot_be_looked_into_are_refused():
    @dataclasses.dataclass
    class Outputs:
        first: torch.Tensor

    with pytest.raises(NotTraceable, match=r"outputs of a network.*Got Outputs\. .*`forward=`"):
        Network(Functional(lambda fc, x: Outputs(fc(x)))).trace(X)


def test_a_refusal_is_all_that_is_said(capfd):
    with pytest.raises(NotTraceable, match="takes the example as it is given"):
        Network(mlp()).trace(torch.zeros(2, 5))
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("lengths", [[3, 2], torch.tensor([2, 3])])
def test_packed_sequences_are_refused_with_what_to_do(lengths):
    class Packing(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTM(4, 3, batch_first=True)

        def forward(self, x):
            packed = nn.utils.rnn.pack_padded_sequence(
                x, lengths, batch_first=True, enforce_sorted=False
            )
            return self.cell(packed)[1][0]

    with pytest.raises(NotTraceable, match=r"Packed sequences.*on the padded batch"):
        Network(Packing()).trace(torch.zeros(2, 3, 4))


# --- calling, copying ------------------------------------------------------------------------


class Echo(nn.Module):
    def forward(self, *args, **kwargs):
        return {"logits": torch.as_tensor([len(args), len(kwargs)])}


def test_how_a_model_is_called():
    assert call(Echo(), X).tolist() == [1, 0]
    assert call(Echo(), (X, X)).tolist() == [2, 0]
    assert call(Echo(), {"a": X, "b": X, "c": X}).tolist() == [0, 3]


def test_a_private_copy_shares_weights_and_nothing_else():
    model = nn.Sequential(mlp(), nn.BatchNorm1d(3)).train()
    model.note, model.notes = torch.ones(2), [torch.ones(2)]
    model.register_buffer("scratch", torch.ones(2), persistent=False)
    own = private_copy(model)
    assert own is not model and not Network(model).module.training and model.training
    for mine, theirs in zip(own.parameters(), model.parameters(), strict=True):
        assert mine is theirs
    assert own[1].running_mean is model[1].running_mean
    for mine in (own.note, own.notes[0], own.scratch):  # what the module's code may write to
        mine.zero_()
    assert model.note.all() and model.notes[0].all() and model.scratch.all()
    own[0][0].register_forward_hook(lambda *_: None)
    assert not model[0][0]._forward_hooks


def test_a_lazy_module_must_have_seen_data():
    with pytest.raises(UsageError, match=r"Got 0\.weight, of a lazy module.*model\(example\)"):
        Network(nn.Sequential(nn.LazyLinear(3)))


def test_what_cannot_be_copied_is_named():
    model = mlp()
    model[1].stream = (x for x in range(3))
    with pytest.raises(UsageError, match=r"Got 1\.stream, which cannot be copied \(TypeError"):
        Network(model)


def test_locks_and_lists_of_computed_tensors_hinder_no_copy():
    model = mlp()
    model.lock, model.held = threading.Lock(), [model(X), {"x": (model(X),)}]
    own = Network(model).module
    assert own.lock is model.lock
    assert own.held is not model.held and torch.equal(own.held[0], model.held[0])


def test_what_was_compiled_is_traced_as_it_was_written():
    """Names stay as the compiled module's state has them."""
    plain = nn.Sequential(mlp(), nn.Tanh())
    inside = nn.Sequential(torch.compile(copy.deepcopy(plain[0]), backend="eager"), nn.Tanh())
    for model in (torch.compile(plain, backend="eager"), inside):
        network = Network(model)
        assert set(network.tensors) == set(model.state_dict())
        _, out = run(network, X, network.tensors)
        assert torch.equal(out, plain(X).detach())
        assert torch.equal(network(network.tensors, X), plain(X))
    assert network.module[0]._orig_mod[0].weight is inside[0]._orig_mod[0].weight


def test_shared_tensors_go_by_their_first_name():
    model, *_ = zoo.build("transformer-tied")
    names = Network(model).tensors
    held = [x.data_ptr() for x in names.values()]
    assert len(set(held)) == len(held) < len(model.state_dict())


def test_buffers_that_no_state_holds_are_no_tensors_of_it():
    model, *_ = zoo.build("dict-inputs")
    assert "scale" in Network(model).tensors and "offset" not in Network(model).tensors


# --- the layer index -------------------------------------------------------------------------


class Parallel(nn.Module):
    """Two routes with equally many layers meet: there is a single index."""

    def __init__(self, join):
        super().__init__()
        self.left, self.right, self.join = nn.Linear(4, 3), nn.Linear(4, 3), join
        self.head = nn.LazyLinear(2)

    def forward(self, x):
        return self.head(self.join(torch.relu(self.left(x)), self.right(x).tanh()))


@pytest.mark.parametrize("join", [torch.add, lambda x, y: torch.cat([x, y], 1)])
def test_routes_of_equal_depth_may_meet(join):
    model = Parallel(join)
    model(X)
    assert layer_index(model, X) == {"left.bias": 1, "right.bias": 1, "head.bias": 2}


def test_a_product_of_two_signals_is_no_layer():
    model = Parallel(torch.mul)
    model(X)
    with pytest.raises(NoLayerIndex, match="not homogeneous at operation 'mul'"):
        layer_index(model, X)


class Added(nn.Module):
    """A bias that is a tensor of its own, added by hand."""

    def __init__(self):
        super().__init__()
        self.fc, self.shift = nn.Linear(4, 3, bias=False), nn.Parameter(torch.zeros(3))
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        return self.head((self.fc(x) + self.shift).relu())


def test_a_bias_that_is_added_by_hand_belongs_to_its_layer():
    assert layer_index(Added(), X) == {"shift": 1, "head.bias": 2}


def test_images_pooling_and_views():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
        nn.Conv2d(2, 2, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 2),
    )
    found = layer_index(model, torch.zeros(2, 1, 9, 9))
    assert found == {"0.bias": 1, "3.bias": 2, "6.bias": 3}


@pytest.mark.parametrize("name", ["residual", "transformer-tied", "lstm", "cnn-batchnorm"])
def test_networks_without_a_single_index_are_refused_with_the_operation(name):
    model, (inputs, _), *_ = zoo.build(name)
    with pytest.raises(NoLayerIndex, match=r"at operation '\w+' \(\w+\)\. Give the rates yourself"):
        layer_index(model, inputs)


def test_what_happens_to_the_input_before_the_first_layer_does_not_matter():
    model = nn.Sequential(nn.LayerNorm(4, elementwise_affine=False), mlp())
    assert layer_index(model, X) == {"1.0.bias": 1, "1.2.bias": 2}


def test_what_is_no_module_is_refused():
    with pytest.raises(UsageError, match=r"Got model of type Tensor\. It comes first"):
        Network(torch.randn(2, 3))
    with pytest.raises(UsageError, match=r"Got model the class Linear. Make one: Linear\("):
        Network(nn.Linear)
