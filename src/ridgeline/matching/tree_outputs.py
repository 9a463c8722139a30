"""Inner products of what the trees of two ensembles answer to data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.graph import Forward, Network
from ridgeline.matching.activations import settled
from ridgeline.objective import Objective, collect
from ridgeline.progress import Progress
from ridgeline.rng import seed_of
from ridgeline.state import State

__all__ = ["output_products"]


class Looking(Protocol):
    """A strategy that looks at data, through an objective or a model."""

    @property
    def objective(self) -> Objective | None: ...
    @property
    def model(self) -> nn.Module | None: ...
    @property
    def data(self) -> Any: ...
    @property
    def forward(self) -> Forward | None: ...
    @property
    def samples(self) -> int: ...
    @property
    def device(self) -> str | torch.device: ...


class _ByTree(nn.Module):
    """A module of trees that gives each tree's output."""

    def __init__(self, trees: nn.Module) -> None:
        super().__init__()
        self.trees = trees

    def forward(self, x: Tensor) -> Tensor:
        return self.trees.by_tree(x)  # type: ignore[operator]  # asked for before


def output_products(
    looking: Looking,
    prefixes: Sequence[str],
    pair: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    seed: int,
    progress: Progress | None,
) -> list[np.ndarray]:
    """Inner products over samples and outputs, uncentred: shape (trees of a, trees of b) each.

    Args:
        looking: Says at which samples of which network.
        prefixes: Names of the modules of trees.
        pair: The states a and b.
        seed: By which samples are drawn.
        progress: Told after each state.

    Raises:
        UsageError: If a module has no method ``by_tree``, or is not called.
    """
    goal = looking.objective
    if goal is None:
        assert looking.model is not None  # as asked when the strategy was made
        network, device = Network(looking.model, looking.forward), torch.device(looking.device)
        held = [{n: states.wide(x[n].detach()).to(device) for n in network.tensors} for x in pair]
        dtype = next((x.dtype for x in held[0].values() if x.is_floating_point()), torch.float32)
        samples = collect(looking.data, labelled=False).to(device, dtype)
    else:
        network, samples = goal.network, goal.samples
        held = [settled(goal, x) for x in pair]
    if len(samples) > looking.samples:
        draws = np.random.default_rng(seed_of(seed, "trees", "samples"))
        rows = np.sort(draws.choice(len(samples), looking.samples, replace=False))
        samples = samples[torch.from_numpy(rows)]
    answers = []
    for k, state in enumerate(held):
        answers.append(_answers(network, state, samples.inputs, prefixes))
        if progress:
            progress("answers of trees", k + 1, len(held))
    return [
        torch.einsum("bic,bjc->ij", x.double(), y.double()).cpu().numpy()
        for x, y in zip(*answers, strict=True)
    ]


def _keeping(keep: Callable[[Tensor], None]) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    """A hook that keeps the first input of a module."""
    return lambda _, given: keep(given[0])


@torch.no_grad()
def _answers(network: Network, state: State, inputs: Any, prefixes: Sequence[str]) -> list[Tensor]:
    """Return what each tree of each module answers, shape (samples, trees, outputs)."""
    seen: dict[str, list[Tensor]] = {prefix: [] for prefix in prefixes}
    parts = {prefix: network.module.get_submodule(prefix) for prefix in prefixes}
    hooks = []
    for prefix, part in parts.items():
        if not hasattr(part, "by_tree"):
            raise UsageError(
                "Trees are matched by answers where their module gives each tree's.",
                got=f"{type(part).__name__} without a method `by_tree`",
                remedy="Add it: from inputs to outputs of shape (samples, trees, outputs); or "
                "match by weights.",
            )
        keep = seen[prefix].append
        hooks.append(part.register_forward_pre_hook(_keeping(keep)))
    try:
        network(state, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    found = []
    for prefix, part in parts.items():
        if not seen[prefix]:
            raise UsageError(
                "Trees are matched by answers where the network calls their module.",
                got=f"{prefix!r}, which was not called",
                remedy="Match by weights.",
            )
        start = f"{prefix}." if prefix else ""
        own = {
            f"trees.{name.removeprefix(start)}": x
            for name, x in state.items()
            if name.startswith(start)
        }
        by_tree = _ByTree(part)
        each = [torch.func.functional_call(by_tree, own, (x,)) for x in seen[prefix]]
        found.append(torch.cat(each))
    return found
