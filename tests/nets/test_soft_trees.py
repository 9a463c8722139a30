"""Soft trees against a walk from the root to each leaf, in float64."""

import pytest
import torch
from torch import nn

import ridgeline as rl
from ridgeline.data import Split
from ridgeline.engine.degrees import Degree, degrees
from ridgeline.errors import UnknownName, UsageError
from ridgeline.graph import Network, operation
from ridgeline.nets import SoftTrees
from ridgeline.nets.soft_trees import ARCHITECTURES
from ridgeline.training import Adam, Member, Recipe, train_together
from ridgeline.training.orders import Orders


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def ensemble(kind, features=3, outputs=2, trees=3, depth=2, seed=0):
    net = SoftTrees(features, outputs, trees=trees, depth=depth, kind=kind, seed=seed).double()
    for p in net.parameters():  # far from linear, so that no order of splits is like another
        p.data = torch.randn(p.shape, generator=draws(seed), dtype=torch.float64)
    return net


def ways(kind, depth):
    """Leaf by leaf, the (node, goes left) of its way; the empty leaf is left out."""
    if kind.endswith("list"):
        found = [[*((n, False) for n in range(d)), (d, True)] for d in range(depth)]
        return [*found, [(n, False) for n in range(depth)]] if kind == "list" else found
    found = []
    for leaf in range(2**depth):
        node, way = 0, []
        for d in range(depth):
            left = (leaf >> (depth - 1 - d)) % 2 == 0
            way.append((d if kind == "oblivious" else node, left))
            node = 2 * node + (1 if left else 2)
        found.append(way)
    return found


def by_hand(net, x):
    """Each tree's output, (B, M, C), by loops over samples, trees, leaves and nodes."""
    result = torch.zeros(len(x), net.trees, net.outputs, dtype=x.dtype)
    for b, sample in enumerate(x):
        for m in range(net.trees):
            for leaf, way in enumerate(ways(net.kind, net.depth)):
                share = torch.ones((), dtype=x.dtype)
                for node, left in way:
                    s = torch.sigmoid(net.weight[m, node] @ sample + net.bias[m, node])
                    share = share * (s if left else 1 - s)
                result[b, m] += share * net.leaves[m, leaf]
    return result


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize(
    ("features", "outputs", "trees", "depth"),
    [(3, 2, 3, 1), (1, 1, 2, 2), (2, 3, 1, 3), (4, 5, 2, 4)],
)
def test_it_is_the_sum_over_the_leaves_of_every_tree(kind, features, outputs, trees, depth):
    net = ensemble(kind, features, outputs, trees, depth)
    x = torch.randn(3, features, generator=draws(1), dtype=torch.float64)
    wanted = by_hand(net, x)
    torch.testing.assert_close(net.by_tree(x), wanted, rtol=0, atol=1e-13)
    torch.testing.assert_close(net(x), wanted.sum(1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_gradients_are_finite_differences(kind):
    net = ensemble(kind, depth=3, trees=2)
    x = torch.randn(4, 3, generator=draws(1), dtype=torch.float64)
    names, values = zip(*net.named_parameters(), strict=True)

    def outputs(*tensors):
        return torch.func.functional_call(net, dict(zip(names, tensors, strict=True)), x)

    assert torch.autograd.gradcheck(outputs, values)


@pytest.mark.parametrize(
    ("kind", "depth", "wanted"),
    [
        ("oblivious", 1, 12_544),
        ("perfect", 1, 12_544),
        ("oblivious", 2, 25_088),
        ("perfect", 2, 36_608),
        ("oblivious", 3, 38_656),
        ("perfect", 3, 84_736),
        ("list", 2, 24_576),
        ("modified-list", 2, 24_064),
    ],
)
def test_the_sizes_of_the_paper(kind, depth, wanted):
    net = SoftTrees(44, 2, trees=256, depth=depth, kind=kind)
    assert sum(p.numel() for p in net.parameters()) == wanted


def test_a_tree_of_one_split_is_a_perceptron_of_two_layers():
    """Equation 5: output weights are left leaf less right leaf, and the right leaves an offset."""
    for kind in ("perfect", "oblivious", "list"):
        net = ensemble(kind, depth=1, trees=5)
        x = torch.randn(4, 3, generator=draws(1), dtype=torch.float64)
        left, right = net.leaves.unbind(1)
        hidden = torch.sigmoid(nn.functional.linear(x, net.weight[:, 0], net.bias[:, 0]))
        torch.testing.assert_close(net(x), hidden @ (left - right) + right.sum(0))


def test_the_sigmoid_goes_to_the_left():
    net = SoftTrees(1, 1, trees=1, depth=1)
    net.load_state_dict(
        {
            "weight": torch.zeros(1, 1, 1),
            "bias": torch.full((1, 1), 30.0),
            "leaves": torch.tensor([[[5.0], [7.0]]]),
        }
    )
    assert net(torch.zeros(1, 1)).item() == pytest.approx(5.0)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_first_values_are_uniform_within_the_root_of_the_fan_in(kind):
    net = SoftTrees(16, 2, trees=100, depth=2, kind=kind)
    bounds = {
        "weight": 1 / 4,
        "bias": 1 / 4,
        "leaves": (100 * net.leaves.shape[1]) ** -0.5,
    }
    for name, p in net.named_parameters():
        assert p.abs().max() <= bounds[name]
        assert p.std().item() == pytest.approx(bounds[name] / 3**0.5, rel=0.1)


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("depth", [1, 3])
def test_along_a_line_the_splits_are_shared_by_all_positions(kind, depth):
    """The product of all splits is affine in t, and the profile that of the obvious loop."""
    a, b = (ensemble(kind, depth=depth, seed=s) for s in (0, 1))
    x = torch.randn(20, 3, generator=draws(2), dtype=torch.float64)
    y = torch.randint(2, (20,), generator=draws(3))
    trace = Network(a).trace(x)
    found = degrees(trace, dict.fromkeys(trace.tensors, Degree("affine", 0)))
    products = [node for node in trace.graph.nodes if operation(node) == "addmm"]
    assert [found[node].kind for node in products] == ["affine"]
    objective = rl.Objective(a, (x, y), loss=rl.cross_entropy)
    measured = rl.profile(rl.Line(a.state_dict(), b.state_dict()), objective, points=5)
    curve = measured.curve()
    for t, loss in zip(curve.t, curve.mean, strict=True):
        middle = {n: p.lerp(b.state_dict()[n], float(t)) for n, p in a.state_dict().items()}
        outputs = torch.func.functional_call(a, middle, (x,))
        assert loss == pytest.approx(nn.functional.cross_entropy(outputs, y).item(), abs=1e-12)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_population_trains_as_its_members_do_alone(kind):
    x = torch.randn(24, 3, generator=draws(2), dtype=torch.float64)
    data = Split(x, torch.randint(2, (24,), generator=draws(3)))
    recipe = Recipe(length="10ep", batch_size=12, optimiser=Adam(learning_rate=0.1), assess=None)
    members = [Member(ensemble(kind, seed=s), recipe, seed=s) for s in (0, 1)]
    for run, member in zip(train_together(members, data), members, strict=True):
        net = ensemble(kind, seed=member.seed)
        optimiser = torch.optim.Adam(net.parameters(), lr=0.1)
        orders = Orders([member], 24, 12, torch.device("cpu"))
        for step in range(20):
            batch = orders.at(step)[0]
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), data.targets[batch]).backward()
            optimiser.step()
        for name, p in net.named_parameters():
            torch.testing.assert_close(run.final[name], p.detach(), rtol=0, atol=1e-10)


def test_images_are_flattened():
    net = SoftTrees(6, 2, trees=2)
    x = torch.randn(3, 2, 3, generator=draws())
    torch.testing.assert_close(net(x), net(x.flatten(1)))


def test_what_it_is_not_built_with():
    with pytest.raises(UnknownName, match="architecture of soft trees") as caught:
        SoftTrees(3, 2, kind="oblivous")
    assert "Did you mean 'oblivious'" in str(caught.value)
    with pytest.raises(UsageError, match="`depth` must be a whole number of at least 1"):
        SoftTrees(3, 2, depth=0)


def test_it_says_what_it_is():
    said = repr(SoftTrees(3, 2, trees=4, kind="list"))
    assert said == "SoftTrees(3, 2, trees=4, depth=2, kind='list')"
