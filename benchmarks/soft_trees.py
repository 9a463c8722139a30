"""Soft trees: a training step and ten ensembles together, against what one would write; alignment.

    python -m benchmarks.soft_trees               # all, about a minute on one thread
    python -m benchmarks.soft_trees --only step

The straightforward implementation takes each leaf's share as a product of slices of the splits,
samples first, and is trained with `torch.optim.Adam`. Before anything is timed outputs must agree
to 1e-9 in float64.
"""

import argparse
import statistics
import time

import torch
from torch import Tensor, nn

from benchmarks.harness import interleave, machine, ratio
from ridgeline.data import Split
from ridgeline.matching import TreeWeightMatching, align
from ridgeline.nets import SoftTrees
from ridgeline.symmetry import symmetries
from ridgeline.training import Adam, Member, Recipe
from ridgeline.training.population import Population

TREES, FEATURES, CLASSES, BATCH, ROWS, MEMBERS = 256, 20, 2, 512, 10_000, 10


class Straightforward(nn.Module):
    """The same ensemble as it is usually written."""

    def __init__(self, of: SoftTrees) -> None:
        super().__init__()
        self.kind, self.depth = of.kind, of.depth
        for name, p in of.named_parameters():
            setattr(self, name, nn.Parameter(p.detach().clone()))

    def forward(self, x: Tensor) -> Tensor:
        splits = torch.sigmoid(torch.einsum("bf,mnf->bmn", x, self.weight) + self.bias)
        shares = []
        for leaf in range(2**self.depth):
            share, node = torch.ones_like(splits[:, :, 0]), 0
            for depth in range(self.depth):
                right = (leaf >> (self.depth - 1 - depth)) & 1
                s = splits[:, :, depth if self.kind == "oblivious" else node]
                share = share * ((1 - s) if right else s)
                node = 2 * node + 1 + right
            shares.append(share)
        return torch.einsum("bml,mlc->bc", torch.stack(shares, 2), self.leaves)


def ensemble(kind: str, depth: int, seed: int) -> SoftTrees:
    return SoftTrees(FEATURES, CLASSES, trees=TREES, depth=depth, kind=kind, seed=seed)


def table(rows: int) -> Split:
    x = torch.randn(rows, FEATURES, generator=torch.Generator().manual_seed(0))
    return Split(x, (x[:, 0] * x[:, 1] > 0).long())


def check(kind: str, depth: int) -> None:
    net, x = ensemble(kind, depth, 0).double(), table(50).inputs.double()
    apart = float((net(x) - Straightforward(net)(x)).detach().abs().max())
    assert apart < 1e-9, f"{kind}, depth {depth}: outputs differ by {apart:.1e}"


class Plain:
    """Training as anyone would write it."""

    def __init__(self, net: nn.Module, data: Split, seed: int) -> None:
        self.net, self.data = net, data
        self.optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
        self.order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
        self.clock = 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            start = self.clock * BATCH % (len(self.data) - BATCH + 1)
            batch = self.order[start : start + BATCH]
            outputs = self.net(self.data.inputs[batch])
            self.optimiser.zero_grad()
            nn.functional.cross_entropy(outputs, self.data.targets[batch]).backward()
            self.optimiser.step()
            self.clock += 1


class Together:
    """Members in stacks of some size; of size 1, one after another in this library."""

    def __init__(self, kind: str, data: Split, size: int) -> None:
        recipe = Recipe(
            length="1000000it",
            batch_size=BATCH,
            optimiser=Adam(learning_rate=0.01),
            assess=None,
        )
        members = [Member(ensemble(kind, 2, s), recipe, seed=s) for s in range(MEMBERS)]
        with torch.no_grad():
            self.stacks = [
                Population(members[i : i + size], data, None, torch.device("cpu"))
                for i in range(0, MEMBERS, size)
            ]

    def run(self, steps: int) -> None:
        with torch.no_grad():
            for stack in self.stacks:
                for _ in range(steps):
                    stack.step()


def steps(repeats: int) -> None:
    print("A training step of 256 trees, 20 features, batch 512, Adam\n")
    print("| trees | straightforward, ms | this module, ms | times faster |\n|---|---|---|---|")
    data = table(4 * BATCH)
    for kind, depth in (("oblivious", 2), ("perfect", 2), ("oblivious", 3), ("perfect", 3)):
        check(kind, depth)
        net = ensemble(kind, depth, 0)
        theirs, ours = Plain(Straightforward(net), data, 0), Plain(net, data, 0)
        seconds = interleave(
            {"theirs": lambda t=theirs: t.run(4), "ours": lambda o=ours: o.run(4)}, repeats
        )
        a, b = (250 * statistics.median(seconds[name]) for name in ("theirs", "ours"))
        gain = ratio(seconds["theirs"], seconds["ours"])
        print(f"| {kind}, depth {depth} | {a:.1f} | {b:.1f} | **{gain:.2f}** |", flush=True)


def populations(repeats: int) -> None:
    print(f"\nTen ensembles, depth 2, {ROWS:,} rows of 20 features, batch 512: times faster than\n")
    print(
        "| trees | a stack of ten, ms for a step of all | ten straightforward, one after another "
        "| ten of this module in torch loops | ten of this library, one after another |\n"
        "|---|---|---|---|---|"
    )
    data = table(ROWS)
    for kind in ("oblivious", "perfect"):
        nets = [ensemble(kind, 2, s) for s in range(MEMBERS)]
        naive = [Plain(Straightforward(net), data, s) for s, net in enumerate(nets)]
        loops = [Plain(net, data, s) for s, net in enumerate(nets)]
        contenders = {"ours": Together(kind, data, MEMBERS), "alone": Together(kind, data, 1)}
        seconds = interleave(
            {
                "naive": lambda ones=naive: [one.run(2) for one in ones],
                "loops": lambda ones=loops: [one.run(2) for one in ones],
                **{name: lambda c=c: c.run(2) for name, c in contenders.items()},
            },
            repeats,
        )
        gains = [ratio(seconds[name], seconds["ours"]) for name in ("naive", "loops", "alone")]
        shown = " | ".join(f"**{gain:.2f}**" for gain in gains)
        print(f"| {kind} | {500 * statistics.median(seconds['ours']):.0f} | {shown} |", flush=True)


def alignments(repeats: int) -> None:
    print("\nTwo ensembles aligned, 20 features, the state's function compared too: seconds\n")
    print("| trees | first call | after it | wanted |\n|---|---|---|---|")
    for kind in ("oblivious", "perfect", "list", "modified-list"):
        nets = [ensemble(kind, 2, seed) for seed in range(2)]
        a, b = (net.state_dict() for net in nets)
        symmetry = symmetries(nets[0], torch.zeros(2, FEATURES))
        seconds = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            align(a, b, symmetry, by=TreeWeightMatching())
            seconds.append(time.perf_counter() - start)
        after = statistics.median(seconds[1:])
        print(f"| {kind} | {seconds[0]:.3f} | **{after:.3f}** | 0.3 |", flush=True)


def main() -> None:
    parsed = argparse.ArgumentParser(description=__doc__)
    parsed.add_argument("--only", default="", choices=["", "step", "population", "alignment"])
    parsed.add_argument("--repeats", type=int, default=7)
    parsed.add_argument("--threads", type=int, default=1)
    chosen = parsed.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"{machine()}, {torch.get_num_threads()} threads, {chosen.repeats} interleaved repeats\n")
    if chosen.only in ("", "step"):
        steps(chosen.repeats)
    if chosen.only in ("", "population"):
        populations(chosen.repeats)
    if chosen.only in ("", "alignment"):
        alignments(chosen.repeats)


if __name__ == "__main__":
    main()
