"""Whether a graph is the network: it has lost nothing, and gives what the network gives."""

import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils import _pytree as pytree

from ridgeline.errors import NotTraceable
from ridgeline.graph.operations import operation
from ridgeline.graph.refusals import refusing
from ridgeline.rng import untouched

__all__ = ["check_constants", "check_same", "check_sizes"]


def check_constants(traced: fx.GraphModule) -> None:
    """Refuse a graph in which a computed value stands as a constant: the tracer lost sight of it.

    Raises:
        NotTraceable: Naming the operation that reads it.
    """
    for node in traced.graph.nodes:
        if node.op != "get_attr":
            continue
        held: Any = traced
        for part in str(node.target).split("."):
            held = getattr(held, part)
        if isinstance(held, FakeTensor):
            users = ", ".join(operation(user) or user.op for user in node.users)
            raise NotTraceable(
                "Every value of a network must follow from its inputs by operations that are seen.",
                got=f"a value of shape {tuple(held.shape)} from out of sight, read by {users}",
                remedy="Derivatives inside of the network (`torch.autograd.grad`) and `x.data` are "
                "such: give `forward=`, a function (model, inputs) -> outputs that calls the part "
                "without them, or write `x.detach()`.",
            )


def check_sizes(graph: fx.Graph) -> None:
    """Refuse sizes that depend on values.

    Raises:
        NotTraceable: Naming the first operation that gives one.
    """
    for node in graph.nodes:
        for x in pytree.tree_leaves(node.meta.get("val")):
            if isinstance(x, Tensor) and any(not isinstance(n, int) for n in x.shape):
                raise NotTraceable(
                    "The shapes of a network's values must not depend on the data.",
                    got=f"{operation(node)} ({node.name}), which selects by value",
                    remedy="Give `forward=`, a function (model, inputs) -> outputs that keeps all "
                    "of them, and masks by `torch.where` or a product.",
                )


def check_same(
    traced: fx.GraphModule,
    run: Callable[[list[Tensor], list[Tensor]], Any],
    held: list[Tensor],
    data: list[Tensor],
) -> None:
    """Refuse a graph that gives something else than the network, on the example.

    Both are evaluated with the same random numbers of torch.

    Args:
        traced: The graph.
        run: The network: ``(tensors, data) -> outputs``.
        held: Tensors of the state.
        data: Tensors of the example.

    Raises:
        NotTraceable: If an output differs by more than rounding.
    """
    if any(x.is_meta or isinstance(x, FakeTensor) for x in (*held, *data)):
        return  # there is nothing to compute with
    with refusing(), untouched(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's own, which come when the user runs it
        # Numbers of Python and NumPy are frozen into the graph: others than in it, to see that.
        random.seed(random.random())
        np.random.seed(np.random.randint(1 << 31))  # noqa: NPY002 (what a user's code draws from)
        torch.manual_seed(0)
        want = _tensors(run(held, data))
        torch.manual_seed(0)
        graph = fx.Interpreter(fx.GraphModule(traced, traced.graph))
        got = _tensors(graph.run(*held, *data, enable_io_processing=False))
    wrong = [k for k, (x, y) in enumerate(zip(got, want, strict=False)) if not _alike(x, y)]
    if wrong or len(got) != len(want):
        raise NotTraceable(
            "The graph of a network must give what the network gives.",
            got=f"another result on the example, in output {wrong[0] if wrong else len(got)}",
            remedy="Something changes from call to call (random numbers of Python or NumPy, a "
            "counter), or is written to in a way that the tracer does not see: give `forward=`, a "
            "function (model, inputs) -> outputs without it. If there is none, this is a fault of "
            "Ridgeline: please report the network.",
        )


def _tensors(outputs: Any) -> list[Tensor]:
    return [x for x in pytree.tree_leaves(outputs) if isinstance(x, Tensor)]


def _alike(got: Tensor, want: Tensor) -> bool:
    """True if two results are one up to rounding: half of the digits, of the largest."""
    if (got.shape, got.dtype) != (want.shape, want.dtype):
        return False
    if torch.equal(got, want):
        return True
    if not (want.is_floating_point() or want.is_complex()):
        return False
    finite = want[want.isfinite()]
    tolerance = torch.finfo(want.dtype).eps ** 0.5
    size = tolerance * float(finite.abs().max()) if finite.numel() else 0.0
    return bool(torch.isclose(got, want, rtol=tolerance, atol=size, equal_nan=True).all())
