import pytest
import torch
from torch.func import vmap
from torch.fx.experimental.proxy_tensor import make_fx

from ridgeline.graph import operation
from ridgeline.nets import fcn, resnet20
from ridgeline.training import Recipe
from ridgeline.training.heads import head_of
from ridgeline.training.kernels import Kernel
from ridgeline.training.lowering import draws, lower
from ridgeline.training.stacks import Stack


def traced(function, *arguments):
    return make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*arguments)


def step_of(make, x, y, members):
    stack = Stack([make(s).double() for s in range(members)], "cpu")
    kernel = Kernel(make(0).double(), stack, head_of(Recipe(length="1it"), y))
    arguments = [*stack.parameters.values(), *stack.fixed.values()]
    xs, ys = torch.stack([x + i for i in range(members)]), torch.stack([y] * members)
    return kernel._step, [*arguments, xs, ys]


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda s: fcn(6, 8, 8, 3, seed=s), (6,)),
        (lambda s: fcn(6, 8, 3, norm="batch", bias=False, seed=s), (6,)),
        (lambda s: resnet20(3, width=2, seed=s), (3, 8, 8)),
    ],
)
def test_a_lean_step_computes_what_the_step_does(make, shape, members):
    x, y = torch.randn(5, *shape, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0])
    step, arguments = step_of(make, x, y, members)
    copies = [a.clone() for a in arguments]
    graph = traced(step, *arguments)
    before = sum(node.op == "call_function" for node in graph.graph.nodes)
    lean = lower(graph)
    after = sum(node.op == "call_function" for node in lean.graph.nodes)
    assert after < 0.9 * before
    with torch.no_grad():
        found = lean.forward(*arguments)
    expected = step(*copies)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    for a, b in zip(arguments, copies, strict=True):  # running statistics moved alike
        torch.testing.assert_close(a, b)


def test_gradients_of_linear_layers_lie_like_their_weights():
    x, y = torch.randn(5, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0])
    for members in (1, 3):
        step, arguments = step_of(lambda s: fcn(6, 8, 8, 3, seed=s), x, y, members)
        with torch.no_grad():
            _, _, *gradients = lower(traced(step, *arguments)).forward(*arguments)
        assert all(g.is_contiguous() for g in gradients)


def test_bias_and_product_become_one_operation():
    graph = lower(traced(lambda b, x, w: b[:, None] + torch.bmm(x, w), *sizes()))
    names = [operation(node) for node in graph.graph.nodes]
    assert "bmm" not in names
    torch.testing.assert_close(
        graph.forward(*sizes()), sizes()[0][:, None] + torch.bmm(*sizes()[1:])
    )


def sizes():
    draws_ = torch.Generator().manual_seed(0)
    return [torch.randn(s, generator=draws_) for s in ((2, 5), (2, 3, 4), (2, 4, 5))]


def test_a_product_with_one_that_is_written_to_stays_a_copy():
    def function(x):
        y = x * 1
        y.add_(2)
        return y, x * 3

    x = torch.ones(3)
    lean = lower(traced(function, x))
    y, z = lean.forward(x)
    assert x.tolist() == [1, 1, 1]
    assert (y.tolist(), z.tolist()) == ([3, 3, 3], [3, 3, 3])


def test_a_product_used_twice_is_left_alone():
    def function(b, x, w):
        product = torch.bmm(x, w)
        return b[:, None] + product, product.sum()

    for a, b in zip(
        lower(traced(function, *sizes())).forward(*sizes()), function(*sizes()), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_random_operations_are_seen():
    assert draws(traced(lambda x: torch.nn.functional.dropout(x, 0.5), torch.ones(3)).graph)
    assert draws(traced(torch.rand_like, torch.ones(3)).graph)
    assert not draws(traced(vmap(torch.sin), torch.ones(3)).graph)
