"""Many runs as a population against the same runs one after another in a plain PyTorch loop.

    python -m benchmarks.populations                 # everything shipped, about ten minutes
    python -m benchmarks.populations --only digits   # some of it: a word of the work's name

The plain loop is written as one should: arrays in memory, batches by index, `torch.optim`,
torch's own number of threads, no evaluation. Both train on the same batches, and before anything
is timed the weights after sixteen steps in float64 must agree.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from benchmarks.harness import interleave, machine, matrix_rate, ratio
from ridgeline import data, nets, training
from ridgeline.data import Split
from ridgeline.training import SGD, Member, Recipe
from ridgeline.training.arrangement import preferred
from ridgeline.training.orders import Orders
from ridgeline.training.population import Population

RATE, MOMENTUM = 0.01, 0.9
CHECKED = 16


@dataclass(frozen=True)
class Work:
    """A network, its data, and how much of it is timed."""

    name: str
    make: Callable[[int], nn.Module]
    load: Callable[[], Split]
    batch: int
    steps: int
    members: int = 16
    wanted: float = 1.0
    macs: float = 0.0
    """Multiply-adds of a sample's forward pass, where all of them are matrix products."""


def images(channels: int, size: int, count: int = 1024) -> Split:
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(count, channels, size, size, generator=draws)
    return Split(x, torch.randint(10, (count,), generator=draws))


def tokens() -> Split:
    ids = torch.randint(64, (1024, 33), generator=torch.Generator().manual_seed(0))
    return Split(ids[:, :-1], ids[:, 1:])


def fashion() -> Split:
    return data.load("fashion-mnist?train=10000")["train"]


def pixels() -> Split:
    flat = fashion().inputs.flatten(1)
    return Split(flat, flat)


def digits() -> Split:
    return data.load("digits")["train"]


def sequences() -> Split:
    return data.load("mnist1d")["train"]


def macs(*widths: int) -> float:
    return float(sum(a * b for a, b in itertools.pairwise(widths)))


WORKS = [
    Work(
        "digits 64-64-64-10, batch 32",
        lambda s: nets.fcn(64, 64, 64, 10, seed=s),
        digits,
        *(32, 900),
        wanted=5.0,
        macs=macs(64, 64, 64, 10),
    ),
    Work(
        "digits 64-64-64-10, batch 128",
        lambda s: nets.fcn(64, 64, 64, 10, seed=s),
        digits,
        *(128, 600),
        wanted=3.0,
        macs=macs(64, 64, 64, 10),
    ),
    Work(
        "Fashion-MNIST 784-128-128-10, batch 128",
        lambda s: nets.fcn(784, 128, 128, 10, seed=s),
        fashion,
        *(128, 300),
        wanted=1.4,
        macs=macs(784, 128, 128, 10),
    ),
    Work(
        "Fashion-MNIST 784-512-512-512-10, batch 128",
        lambda s: nets.fcn(784, 512, 512, 512, 10, seed=s),
        fashion,
        *(128, 40),
        macs=macs(784, 512, 512, 512, 10),
    ),
    Work(
        "Fashion-MNIST 784-128-128-10 BatchNorm, batch 128",
        lambda s: nets.fcn(784, 128, 128, 10, norm="batch", seed=s),
        fashion,
        *(128, 150),
    ),
    Work(
        "autoencoder 784-128-32-128-784, batch 128",
        lambda s: nets.autoencoder(784, 128, 32, seed=s),
        pixels,
        *(128, 100),
    ),
    Work(
        "LeNet, 28 x 28, batch 128",
        lambda s: nets.lenet(channels=1, size=28, seed=s),
        fashion,
        *(128, 20),
        members=8,
    ),
    Work(
        "VGG-11, quarter width, 32 x 32, batch 64",
        lambda s: nets.vgg11(width=0.25, seed=s),
        lambda: images(3, 32),
        *(64, 4),
        members=4,
    ),
    Work(
        "ResNet-20, 32 x 32, batch 64",
        lambda s: nets.resnet20(seed=s),
        lambda: images(3, 32),
        *(64, 4),
        members=4,
    ),
    Work(
        "ResNet-18, quarter width, 32 x 32, batch 64",
        lambda s: nets.resnet18(width=16, seed=s),
        lambda: images(3, 32),
        *(64, 4),
        members=4,
    ),
    Work(
        "vision transformer, 28 x 28, batch 64",
        lambda s: nets.vit(channels=1, size=28, patch=7, width=64, heads=4, depth=2, seed=s),
        fashion,
        *(64, 20),
        members=8,
    ),
    Work(
        "causal transformer, 32 tokens, batch 32",
        lambda s: nets.transformer(64, 32, 64, 4, 2, seed=s),
        tokens,
        *(32, 20),
        members=8,
    ),
    Work(
        "LSTM, MNIST-1D, batch 64",
        lambda s: nets.lstm(1, 32, 10, seed=s),
        sequences,
        *(64, 20),
        members=8,
    ),
]


def members_of(work: Work, steps: int, split: Split) -> list[Member]:
    loss = "squared_error" if split.targets.is_floating_point() else "cross_entropy"
    recipe = Recipe(
        length=f"{steps}it",
        batch_size=work.batch,
        optimiser=SGD(learning_rate=RATE, momentum=MOMENTUM),
        loss=loss,
        assess=None,
    )
    return [Member(work.make(s), recipe, seed=s) for s in range(work.members)]


class Plain:
    """One run as anyone would write it."""

    def __init__(self, member: Member, split: Split) -> None:
        self.split, self.orders = (
            split,
            Orders([member], len(split), member.recipe.batch_size, torch.device("cpu")),
        )
        self.net = member.model.train()
        self.optimiser = torch.optim.SGD(self.net.parameters(), lr=RATE, momentum=MOMENTUM)
        self.clock = 0

    def run(self, steps: int) -> None:
        inputs, targets = self.split.inputs, self.split.targets
        for _ in range(steps):
            batch = self.orders.at(self.clock)[0]
            outputs = self.net(inputs[batch])
            if targets.is_floating_point():
                loss = nn.functional.mse_loss(outputs, targets[batch])
            else:
                loss = nn.functional.cross_entropy(outputs.flatten(0, -2), targets[batch].flatten())
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.clock += 1


class Ours:
    """The same runs as populations of a measured size."""

    def __init__(self, members: list[Member], split: Split, size: int) -> None:
        with torch.no_grad():
            self.populations = [
                Population(members[i : i + size], split, None, torch.device("cpu"))
                for i in range(0, len(members), size)
            ]

    def run(self, steps: int) -> None:
        with torch.no_grad():
            for population in self.populations:
                for _ in range(steps):
                    if population.clock == population.planned:
                        population.clock = 0
                    population.step()


def check(work: Work, split: Split, size: int) -> float:
    """The largest difference of weights after a few steps, relative to the largest, in float64."""
    if split.inputs.is_floating_point():
        same = split.targets is split.inputs
        inputs = split.inputs.double()
        split = Split(inputs, inputs if same else split.targets)
    made = [replace(m, model=m.model.double()) for m in members_of(work, CHECKED, split)]
    (run, *_) = training.train_together(made[:size], split)
    plain = Plain(replace(made[0], model=work.make(0).double()), split)
    plain.run(CHECKED)
    return max(
        float((run.final[name] - x).abs().max() / x.abs().max().clamp(min=1e-3))
        for name, x in plain.net.state_dict().items()
        if x.is_floating_point()
    )


def measure(work: Work, repeats: int) -> str:
    split = work.load()
    start = time.perf_counter()
    found = training.arrange(members_of(work, work.steps, split), split)
    choosing = time.perf_counter() - start
    # Workers are the executor's; here the best of this process is timed.
    threads = str(torch.get_num_threads())
    sized = {tuple(key.split(" x ")): rate for key, rate in found.measured.items()}
    size = preferred({(int(s), int(n)): r for (s, n), r in sized.items() if n == threads})
    apart = check(work, split, size)
    assert apart < 1e-8, f"{work.name}: weights differ by {apart:.1e}"
    members = members_of(work, 10**6, split)
    ours = Ours(members, split, size)
    plain = [Plain(member, split) for member in members_of(work, 10**6, split)]
    begun = time.perf_counter()
    ours.run(2)
    tracing = time.perf_counter() - begun
    seconds = interleave(
        {
            "plain": lambda: [one.run(work.steps) for one in plain],
            "ours": lambda: ours.run(work.steps),
        },
        repeats,
    )
    gain = ratio(seconds["plain"], seconds["ours"])
    done = statistics.median(seconds["ours"])
    each = work.steps / done
    share = ""
    if work.macs:
        rate = 6e-9 * work.macs * work.batch * work.members * work.steps / done
        share = f"{100 * rate / matrix_rate(1024, 1024, 1024):.0f} %"
    return (
        f"| {work.name} | {work.members} | {size} | {work.wanted} | **{gain:.2f}** | {each:.0f} "
        f"| {each * work.members:.0f} | {share} | {choosing + tracing:.1f} |"
    )


def main() -> None:
    parsed = argparse.ArgumentParser(description=__doc__)
    parsed.add_argument("--only", default="", help="a word of a work's name")
    parsed.add_argument("--repeats", type=int, default=5)
    parsed.add_argument("--threads", type=int, default=0, help="torch's own by default")
    chosen = parsed.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    print(f"{machine()}, {torch.get_num_threads()} threads, {chosen.repeats} interleaved repeats\n")
    print(
        "| work | runs | in a stack | wanted | times faster | steps/s of each run | of all "
        "| of the matrix-product rate | s to choose and trace |\n|" + "---|" * 9
    )
    for work in WORKS:
        if chosen.only.lower() in work.name.lower():
            print(measure(work, chosen.repeats), flush=True)


if __name__ == "__main__":
    main()
