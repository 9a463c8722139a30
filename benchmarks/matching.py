"""Weight matching against the loops that others run, on the same networks and groups.

    python -m benchmarks.matching                  # everything, about ten minutes
    python -m benchmarks.matching --only MLP

Two contenders, both given the same groups, seeds and linear assignment solver (scipy's):

    git-re-basin-pytorch   a rewrite of its loop: each step multiplies all places of a layer anew,
                           b carried by all other permutations anew; a sweep solves every layer,
                           until none gained 1e-12
    naive                  the loop of the definition: the whole of b is carried for each step

Ours is measured with its own start and from the identity, where the others begin. An aligned
distance stands beside each time: a loop that stops early is not faster.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from benchmarks.harness import interleave, machine, ratio
from ridgeline import data, nets
from ridgeline import state as states
from ridgeline.graph import Network
from ridgeline.matching import align
from ridgeline.matching.weights import WeightMatching
from ridgeline.state import State
from ridgeline.symmetry import Symmetry
from ridgeline.symmetry.discovery import discover


@dataclass(frozen=True)
class Work:
    """Two networks of one symmetry."""

    name: str
    symmetry: Symmetry
    a: State
    b: State
    wanted: float
    """The ratio to the faster of the others that was set as a goal beforehand."""
    repeats: int


def trained(
    model: nn.Module, x: Tensor, y: Tensor, *, seed: int, epochs: int, batch: int = 500
) -> State:
    """Adam at 1e-3."""
    draws = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=draws).split(batch):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimiser.step()
    return states.capture(model)


def works() -> list[tuple[str, Callable[[], Work]]]:
    def mlp(*widths: int) -> Work:
        name = f"MLP {'-'.join(map(str, widths))}"
        images = data.load("fashion-mnist?train=10000")["train"]
        x, y = images.inputs.flatten(1), images.targets
        a, b = (trained(nets.fcn(*widths, seed=s), x, y, seed=s, epochs=10) for s in (0, 1))
        return Work(name, discover(Network(nets.fcn(*widths)), x[:2]), a, b, 1.5, 7)

    def resnet(epochs: int) -> Work:
        images = data.load("fashion-mnist?train=5000")["train"]
        x = nn.functional.avg_pool2d(images.inputs, 2)  # 14 by 14: four minutes each, not sixteen
        a, b = (
            trained(nets.resnet18(channels=1, seed=s), x, images.targets, seed=s, epochs=epochs,
                    batch=100) for s in (0, 1)
        )  # fmt: skip
        name = f"ResNet-18, {f'trained for {epochs} epochs' if epochs else 'at initialisation'}"
        group = discover(Network(nets.resnet18(channels=1)), x[:2])
        return Work(name, group, a, b, 1.5, 7)

    return [
        ("MLP 784-512-512-512-10", lambda: mlp(784, 512, 512, 512, 10)),
        ("MLP 784-128-128-10", lambda: mlp(784, 128, 128, 10)),
        ("ResNet-18 at initialisation", lambda: resnet(0)),
        ("ResNet-18 trained", lambda: resnet(4)),
    ]


def rebasin_loop(work: Work, seed: int, *, naive: bool = False, sweeps: int = 100) -> State:
    """The loop of git-re-basin-pytorch's `weight_matching`, for groups without fibres.

    Its permuted copies are made per parameter (`get_permuted_param` with ``except_axis``); `naive`
    carries the whole state instead. Without its prints.
    """
    groups = {g.name: g for g in work.symmetry.groups}
    counted = list(states.coordinates(work.a))
    axes: dict[str, list] = {n: [] for n in counted}
    for g in groups.values():
        assert g.fibres == 1
        for place in g.places:
            if place.tensor in axes:
                axes[place.tensor].append((g.name, place))
    orders = {n: np.arange(g.size) for n, g in groups.items()}
    draws = torch.Generator().manual_seed(seed)
    names = list(groups)
    for _ in range(sweeps):
        progress = False
        for i in torch.randperm(len(names), generator=draws).tolist():
            name = names[i]
            size = groups[name].size
            total = torch.zeros(size, size)
            if naive:
                rest = {n: orders[n][None] for n in names if n != name}
                carried = work.symmetry.transform(rest)(work.b)
            for tensor in counted:
                for owner, place in axes[tensor]:
                    if owner != name:
                        continue
                    if naive:
                        w_b = carried[tensor]
                    else:
                        w_b = work.b[tensor]
                        for other, its in axes[tensor]:
                            if other != name:
                                w_b = its.permute(w_b, orders[other][None])
                    total += place.units(work.a[tensor])[0] @ place.units(w_b)[0].T
            gains = total.numpy()
            found = linear_sum_assignment(gains, maximize=True)[1]
            rows = np.arange(size)
            if gains[rows, found].sum() > gains[rows, orders[name]].sum() + 1e-12:
                progress = True
            orders[name] = found
        if not progress:
            break
    return work.symmetry.transform({n: o[None] for n, o in orders.items()})(work.b)


def measure(work: Work) -> None:
    """One work, all contenders in turn; the result of each seed is compared."""
    found: dict[str, list[float]] = {}

    def runner(name: str, run: Callable[[int], State]) -> Callable[[], None]:
        def once() -> None:  # the same seeds for all
            state = run(len(found.setdefault(name, [])))
            found[name].append(states.distance(work.a, state))

        return once

    def ours(**options: Any) -> Callable[[int], State]:
        by = WeightMatching(**options)
        return lambda seed: align(work.a, work.b, work.symmetry, by=by, seed=seed).state

    contenders = {
        "ridgeline": runner("ridgeline", ours()),
        "ridgeline, identity": runner("ridgeline, identity", ours(init="identity")),
        "ridgeline, 3 starts": runner("ridgeline, 3 starts", ours(restarts=3)),
        "git-re-basin-pytorch": runner("git-re-basin-pytorch", lambda s: rebasin_loop(work, s)),
        "naive": runner("naive", lambda s: rebasin_loop(work, s, naive=True)),
    }
    seconds = interleave(contenders, work.repeats)
    mine = seconds["ridgeline"]
    before = states.distance(work.a, work.b)
    print(f"\n{work.name}: distance {before:.3f} before; wanted {work.wanted}")
    for name, times in seconds.items():
        took = f"{statistics.median(times):8.3f} s ({min(times):.3f} to {max(times):.3f})"
        ends = found[name]
        print(
            f"  {name:22}{took}  x{ratio(times, mine):5.2f}"
            f"  distance {statistics.median(ends):.3f} ({min(ends):.3f} to {max(ends):.3f})"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", default="")
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"Measured on {machine()}, {chosen.threads} threads; medians of interleaved repeats.")
    for name, make in works():
        if chosen.only in name:
            measure(make())


if __name__ == "__main__":
    main()
