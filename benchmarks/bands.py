"""The elastic band against AutoNEB's published loop, by time to the same maximum on the path.

    python -m benchmarks.bands                 # some minutes
    python -m benchmarks.bands --only digits   # some of it: a word of the work's name

The published loop is written anew for today's torch after fdraxler/PyTorch-AutoNEB, as it works
there: one pivot after another through one model, parameter by parameter, each on its own batch
from a `DataLoader`; pivots and nine positions between them evaluated through a loader after each
cycle; the same insertion, optimiser and schedule. Ours has the same settings, and stops once it is
below what the published loop ended at.
"""

import argparse
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import ridgeline as rl
from benchmarks.harness import machine, ratio
from ridgeline import data, nets, training
from ridgeline.connecting import Cycle, ElasticBand, draxler
from ridgeline.data import Split
from ridgeline.training import SGD, Cosine, Recipe

BATCH, RATE, MOMENTUM, DECAY = 512, 0.1, 0.9, 1e-4
SUB, INSERT, THRESHOLD = 9, 2, 0.1


@dataclass(frozen=True)
class Work:
    """Two networks between which a path is sought."""

    name: str
    make: Callable[[int], nn.Module]
    load: Callable[[], Split]
    length: str
    share: float
    """Of Draxler et al.'s steps."""
    cycles: int


WORKS = [
    Work(
        "digits 64-64-64-10",
        lambda s: nets.fcn(64, 64, 64, 10, seed=s),
        lambda: data.load("digits")["train"],
        "60ep",
        share=0.03,
        cycles=4,
    ),
    Work(
        "Fashion-MNIST 784-256-256-10, 5000 samples",
        lambda s: nets.fcn(784, 256, 256, 10, seed=s),
        lambda: data.load("fashion-mnist?train=5000")["train"],
        "15ep",
        share=0.02,
        cycles=4,
    ),
]


class Published:
    """One pivot after another, as released."""

    def __init__(self, model: nn.Module, split: Split) -> None:
        self.model = model
        self.parameters = list(model.parameters())
        self.data = TensorDataset(split.inputs, split.targets)
        self.batches = self._endless()

    def _endless(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from DataLoader(self.data, BATCH, shuffle=True)

    def place(self, row: Tensor) -> None:
        start = 0
        for p in self.parameters:
            p.data[:] = row[start : start + p.numel()].reshape(p.shape)
            start += p.numel()

    def slope(self, row: Tensor) -> tuple[Tensor, Tensor]:
        self.place(row)
        self.model.train()
        self.model.zero_grad(set_to_none=True)
        x, y = next(self.batches)
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        return loss.detach(), torch.cat([p.grad.reshape(-1) for p in self.parameters])

    @torch.no_grad()
    def value(self, row: Tensor) -> Tensor:
        self.place(row)
        self.model.eval()
        x, y = next(self.batches)
        return F.cross_entropy(self.model(x), y)

    @torch.no_grad()
    def whole(self, row: Tensor) -> float:
        self.place(row)
        self.model.eval()
        loss = 0.0
        for x, y in DataLoader(self.data, BATCH):
            out = self.model(x)
            out.data.sort(1, True)  # its analysis asks for the errors, too
            loss += float(F.cross_entropy(out, y)) * len(x) / len(self.data)
        return loss

    def dense(self, rows: Tensor) -> list[float]:
        found = []
        for p, q in itertools.pairwise(rows):
            found += [
                self.whole(p * (1 - k / (SUB + 1)) + q * k / (SUB + 1)) for k in range(SUB + 1)
            ]
        return [*found, self.whole(rows[-1])]


def tangent(rows: Tensor, losses: Tensor, i: int) -> Tensor:
    """As released: at extrema the weights are the other way round, and the length is not one."""
    before, own, after = losses[i - 1], losses[i], losses[i + 1]
    back = (rows[i] - rows[i - 1]) / (rows[i] - rows[i - 1]).norm()
    on = (rows[i + 1] - rows[i]) / (rows[i + 1] - rows[i]).norm()
    if before < own > after or before > own < after:
        most, least = (
            max(abs(own - before), abs(own - after)),
            min(abs(own - before), abs(own - after)),
        )
        most, least = most / (most + least), least / (most + least)
        return least * back + most * on if before > after else most * back + least * on
    return back if before > after else on


def spread(rows: Tensor, shares: Tensor) -> Tensor:
    apart = rows.diff(dim=0).norm(dim=1)
    goals = (shares / shares.sum()).cumsum(0) * apart.sum()
    found, k, start, end = rows.clone(), 0, 0.0, float(apart[0])
    for i in range(1, len(rows) - 1):
        while float(goals[i - 1]) > end:
            k, start = k + 1, end
            end += float(apart[k])
        t = (float(goals[i - 1]) - start) / (end - start)
        found[i] = t * rows[k + 1] + (1 - t) * rows[k]
    return found


def published(model: nn.Module, split: Split, a: Tensor, b: Tensor, cycles: list[Cycle]) -> list:
    """Seconds and the lowest maximum so far, after each cycle."""
    loop, begun, told, lowest = Published(model, split), time.perf_counter(), [], math.inf
    rows = torch.stack([torch.lerp(a, b, k / 4) for k in range(5)])
    shares = torch.full((4,), 0.25)
    for number, cycle in enumerate(cycles):
        moved = nn.Parameter(rows)
        rule = torch.optim.SGD(
            [moved], lr=cycle.learning_rate or RATE, momentum=MOMENTUM, weight_decay=DECAY
        )
        for _ in range(cycle.steps):
            with torch.no_grad():
                moved[:] = spread(moved.data, shares)
            rows = moved.data
            slopes, losses = torch.zeros_like(rows), torch.zeros(len(rows))
            for i in range(len(rows)):
                if 0 < i < len(rows) - 1:
                    losses[i], slopes[i] = loop.slope(rows[i])
                else:
                    losses[i] = loop.value(rows[i])
            for i in range(1, len(rows) - 1):
                tau = tangent(rows, losses, i)
                slopes[i] -= slopes[i].dot(tau) * tau
            slopes[[0, -1]] = -DECAY * rows[[0, -1]]  # the ends stay, whatever the decay
            moved.grad = slopes
            rule.step()
        rows = moved.data.clone()
        found = loop.dense(rows)
        lowest = min(lowest, max(found))
        told.append((time.perf_counter() - begun, lowest))
        if number < len(cycles) - 1:
            rows, shares = filled(rows, shares, found)
    return told


def filled(rows: Tensor, shares: Tensor, dense: list[float]) -> tuple[Tensor, Tensor]:
    ends = dense[:: SUB + 1]
    scale, gaps = max(ends) - min(ends) + 1e-12, []
    for k in range(len(rows) - 1):
        inside = [
            (dense[k * (SUB + 1) + j] - ends[k] - (ends[k + 1] - ends[k]) * j / (SUB + 1), j)
            for j in range(1, SUB + 1)
        ]
        most, j = max(inside)
        gaps.append((most / scale, k, j / (SUB + 1)))
    chosen = {k: t for most, k, t in sorted(gaps)[-INSERT:] if most > THRESHOLD}
    new, parts = [rows[0]], []
    for k in range(len(rows) - 1):
        if k in chosen:
            new.append(torch.lerp(rows[k], rows[k + 1], chosen[k]))
            parts += [float(shares[k]) * chosen[k], float(shares[k]) * (1 - chosen[k])]
        else:
            parts.append(float(shares[k]))
        new.append(rows[k + 1])
    return torch.stack(new), torch.tensor(parts)


def compare(work: Work, repeats: int) -> None:
    split = work.load()
    recipe = Recipe(
        length=work.length,
        batch_size=128,
        optimiser=SGD(learning_rate=0.05, momentum=0.9, weight_decay=1e-4),
        schedule=Cosine(),
    )
    a, b = (training.train(work.make(s), split, recipe, seed=s).final for s in (0, 1))
    cycles = list(draxler(work.share)[: work.cycles])
    goal = rl.Objective(work.make(0), split)
    model = work.make(0)
    names = [n for n, _ in model.named_parameters()]
    ends = [torch.cat([s[n].reshape(-1) for n in names]) for s in (a, b)]
    line = rl.profile(rl.Line(a, b), goal, points=41).curve().mean
    theirs, ours, reached, steps, kept = [], [], [], [], []
    for turn in range(repeats):
        told = published(model, split, *ends, cycles)
        lowest = told[-1][1]
        at = next(seconds for seconds, height in told if height == lowest)
        band = ElasticBand(cycles=tuple(cycles), stop_below=lowest * (1 + 1e-9))
        begun = time.perf_counter()
        found = rl.connect(a, b, goal, by=band, seed=turn)
        theirs.append(at)
        ours.append(time.perf_counter() - begun)
        reached.append(lowest)
        kept.append(found.after)
        steps.append(found.steps)
    print(f"{work.name}: the line's maximum {line.max():.4g}, ends {max(line[0], line[-1]):.4g}")
    ratios = [t / o for t, o in zip(theirs, ours, strict=True)]
    print(
        f"  published: {statistics.median(theirs):.2f} s to {statistics.median(reached):.4g}; "
        f"ours: {statistics.median(ours):.2f} s to {statistics.median(kept):.4g} in "
        f"{statistics.median(steps):.0f} of {sum(c.steps for c in cycles)} steps; "
        f"{ratio(theirs, ours):.2f} times ({min(ratios):.2f} to {max(ratios):.2f}, {repeats})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    for work in WORKS:
        if chosen.only.lower() in work.name.lower():
            compare(work, chosen.repeats)


if __name__ == "__main__":
    main()
