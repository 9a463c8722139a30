"""How near weight matching comes, against the best of thirty seeds of plain descent.

    python -m benchmarks.matching_quality

Nine pairs of networks trained on the bundled digits from seeds 0 to 5: a plain MLP, a residual one
and a small CNN with BatchNorm. Plain descent is algorithm 1 of Git Re-Basin as it is written, from
the identity, with the layers in another random order for each seed.
"""

import time

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from benchmarks.matching import trained
from ridgeline import data, nets
from ridgeline import state as states
from ridgeline.matching import WeightMatching, align
from ridgeline.state import State
from ridgeline.symmetry import Symmetry, symmetries

SEEDS = 30


class Residual(nn.Module):
    """Three branches of one hidden layer each."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, 64), nn.Linear(64, 10)
        self.up = nn.ModuleList(nn.Linear(64, 128) for _ in range(3))
        self.down = nn.ModuleList(nn.Linear(128, 64) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for up, down in zip(self.up, self.down, strict=True):
            x = x + down(up(x).relu())
        return self.last(x.relu())


class Convolutional(nn.Module):
    """Three convolutions with BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 16, 32, 32)
        self.convs = nn.ModuleList(
            nn.Conv2d(widths[i], widths[i + 1], 3, padding=1) for i in range(3)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in widths[1:])
        self.last = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.unflatten(1, (1, 8, 8))
        for k, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = norm(conv(x)).relu()
            x = nn.functional.max_pool2d(x, 2) if k < 2 else x
        return self.last(x.mean((2, 3)))


KINDS = {"MLP": (nets.fcn, 30), "residual MLP": (Residual, 30), "CNN": (Convolutional, 15)}


def made(kind: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nets.fcn(64, 128, 128, 128, 10, seed=seed) if kind == "MLP" else KINDS[kind][0]()


def plain(a: State, b: State, symmetry: Symmetry, seed: int) -> float:
    """The distance at which algorithm 1 ends."""
    draws = np.random.default_rng(seed)
    orders = {g.name: np.arange(g.size) for g in symmetry.groups}
    wide = [{n: x.double() for n, x in s.items()} for s in (a, b)]
    moved = True
    while moved:
        moved = False
        for i in draws.permutation(len(symmetry.groups)):
            group = symmetry.groups[i]
            rest = {n: o[None] for n, o in orders.items() if n != group.name}
            carried = symmetry.transform(rest)(wide[1])
            gains = np.zeros((group.size, group.size))
            for p in group.places:
                if not states.is_statistic(p.tensor):
                    pair = wide[0][p.tensor], carried[p.tensor]
                    mine, theirs = (p.units(x)[0] for x in pair)
                    gains += (mine @ theirs.T).numpy()
            found, rows = linear_sum_assignment(gains, maximize=True)[1], np.arange(group.size)
            if gains[rows, found].sum() > gains[rows, orders[group.name]].sum() + 1e-9:
                orders[group.name], moved = found, True
    return states.distance(a, symmetry.transform({n: o[None] for n, o in orders.items()})(b))


def main() -> None:
    digits = data.load("digits")["train"]
    x, y = digits.inputs.float(), digits.targets
    print("pair              identity  best of 30 (median)  without renewals  default  CPU seconds")
    for kind, (_, epochs) in KINDS.items():
        for pair in range(3):
            a, b = (
                trained(made(kind, s), x, y, seed=s, epochs=epochs, batch=100)
                for s in (2 * pair, 2 * pair + 1)
            )
            symmetry = symmetries(made(kind, 0).eval(), x[:2])
            ends = [plain(a, b, symmetry, seed) for seed in range(SEEDS)]
            bare = align(a, b, symmetry, by=WeightMatching(renewals=0)).after
            start = time.process_time()
            found = align(a, b, symmetry).after
            seconds = time.process_time() - start
            print(f"{kind:12} {pair}  {states.distance(a, b):10.4f}  {min(ends):9.4f} "
                  f"({np.median(ends):.4f})  {bare:12.4f}  {found:10.4f}  {seconds:6.2f}"
                  f"{'' if found <= min(ends) else '  FARTHER'}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
