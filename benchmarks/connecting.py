"""A curve step against a plain training step, and a curve against Garipov et al.'s loop.

    python -m benchmarks.connecting                # both, some minutes
    python -m benchmarks.connecting --only step

The plain step is `torch.optim` on a minibatch by index. Garipov et al.'s loop is that of
timgaripov/dnn-mode-connectivity, rewritten here for today's torch: layers with a copy of each
parameter for every bend, their combination formed by autograd, the squared norm of the point for
the weight decay added to the loss, SGD with momentum, one position a step. Before anything is
timed, one step of both in float64 must agree.
"""

import argparse
import statistics
from collections.abc import Iterator

import torch
from torch import Tensor, nn

import ridgeline as rl
from benchmarks.harness import interleave, machine, ratio
from ridgeline.connecting.curves import curve_problem
from ridgeline.connecting.layout import Layout
from ridgeline.connecting.standing import Standing
from ridgeline.nets import fcn
from ridgeline.training import SGD, HeldThenLinear

RATE, MOMENTUM, DECAY, BATCH = 0.03, 0.9, 5e-4, 128


class LeNet(nn.Sequential):
    """LeNet-5 on 28 x 28 pictures."""

    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        )


def works() -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    return {
        "64-64-64-10": (nn.Sequential(*fcn(64, 64, 64, 10).children()), (64,)),
        "784-256-256-10": (nn.Sequential(*fcn(784, 256, 256, 10).children()), (784,)),
        "LeNet": (LeNet(), (1, 28, 28)),
    }


class CurveLayer(nn.Module):
    """A layer of the published loop: its parameters once for every bend."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, states: list[dict[str, Tensor]]) -> None:
        super().__init__()
        self.of, self.squares = (layer,), torch.zeros(())  # a tuple: no part of this one
        count = len(states)
        for name in ("weight", "bias"):
            for j, state in enumerate(states):
                fixed = j in (0, count - 1)
                held = nn.Parameter(state[name].clone(), requires_grad=not fixed)
                self.register_parameter(f"{name}_{j}", held)
        self.count = count

    def forward(self, x: Tensor, coefficients: Tensor) -> Tensor:
        made = {}
        self.squares = torch.zeros((), dtype=x.dtype)
        for name in ("weight", "bias"):
            total = 0
            for j in range(self.count):
                total = total + getattr(self, f"{name}_{j}") * coefficients[j]
            made[name] = total
            self.squares = self.squares + (total**2).sum()
        if isinstance(self.of[0], nn.Linear):
            return nn.functional.linear(x, **made)
        return nn.functional.conv2d(x, padding=self.of[0].padding, **made)


class CurveNet(nn.Module):
    """A chain of such layers and of layers without parameters."""

    def __init__(self, model: nn.Module, points: list[dict[str, Tensor]]) -> None:
        super().__init__()
        parts = []
        for name, layer in model.named_children():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                own = [{n: p[f"{name}.{n}"] for n in ("weight", "bias")} for p in points]
                parts.append(CurveLayer(layer, own))
            else:
                parts.append(layer)
        self.parts = nn.ModuleList(parts)
        binom = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("binom", binom)
        self.register_buffer("range", torch.arange(3.0))
        self.register_buffer("rev_range", torch.arange(2.0, -1.0, -1.0))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        c = self.binom * t**self.range * (1 - t) ** self.rev_range  # type: ignore[operator]
        for part in self.parts:
            x = part(x, c) if isinstance(part, CurveLayer) else part(x)
        return x

    def squares(self) -> Tensor:
        return sum(p.squares for p in self.parts if isinstance(p, CurveLayer))  # type: ignore[return-value]


def published_step(
    net: CurveNet, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor, t: Tensor
) -> Tensor:
    output = net(x, t)
    loss = nn.functional.cross_entropy(output, y) + 0.5 * DECAY * net.squares()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.detach()


def states_of(model: nn.Module) -> list[dict[str, Tensor]]:
    return [
        {n: x + 0.05 * torch.randn_like(x) for n, x in rl.state.capture(model).items()}
        for _ in range(2)
    ]


class Ours:
    """A curve's step as `descend` takes it."""

    def __init__(self, objective: rl.Objective, a: dict, b: dict) -> None:
        self.problem = curve_problem(a, b, "bezier", 1)
        self.layout = Layout(objective, self.problem.points)
        self.standing, self.matrix = Standing(self.layout), self.layout.matrix()
        self.slope = torch.zeros(self.layout.size, dtype=self.matrix.dtype)
        self.velocity = torch.zeros_like(self.slope)
        self.rule = SGD(learning_rate=RATE, momentum=MOMENTUM)

    def step(self, batch: object, t: float) -> Tensor:
        row = [(1 - t) ** 2, 2 * t * (1 - t), t**2]
        self.standing.place(self.matrix, row)
        loss = self.standing.slope(batch, self.slope, row[1])  # type: ignore[arg-type]
        with torch.no_grad():
            self.slope.add_(self.standing.buffer, alpha=DECAY * row[1])
            self.rule.update([self.matrix[1]], [self.slope], {"velocity": [self.velocity]}, 0, RATE)
        return loss


def steps(repeats: int, count: int) -> None:
    for name, (model, shape) in works().items():
        check(model, shape)
        torch.manual_seed(0)
        x, y = torch.randn(2048, *shape), torch.randint(0, 10, (2048,))
        objective = rl.Objective(model, (x, y))
        a, b = states_of(model)
        ours, positions = Ours(objective, a, b), torch.rand(count).tolist()

        def curve(objective=objective, ours=ours, positions=positions) -> None:
            batches = rl.minibatches(objective, BATCH)
            with ours.standing.holding():
                for t in positions:
                    ours.step(next(batches), t)

        optimiser = torch.optim.SGD(model.parameters(), RATE, MOMENTUM, weight_decay=DECAY)

        def plain(model=model, x=x, y=y, optimiser=optimiser) -> None:
            for rows in indices(len(x), count):
                loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()

        points = [a, rl.state.mean([a, b]), b]
        net = CurveNet(model, points)
        moved = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], RATE, MOMENTUM)

        def published(net=net, x=x, y=y, moved=moved) -> None:
            for rows in indices(len(x), count):
                published_step(net, moved, x[rows], y[rows], torch.rand(1))

        found = interleave({"plain": plain, "curve": curve, "published": published}, repeats)
        each = {n: 1e3 * statistics.median(s) / count for n, s in found.items()}
        curve = ratio(found["curve"], found["plain"])
        print(
            f"{name:16} plain {each['plain']:.2f} ms, curve {curve:.2f} of it, "
            f"published {ratio(found['published'], found['plain']):.2f} of it; "
            f"published over curve {ratio(found['published'], found['curve']):.2f}"
        )


def indices(n: int, count: int) -> Iterator[Tensor]:
    while True:
        order = torch.randperm(n)
        for start in range(0, n - BATCH + 1, BATCH):
            if not count:
                return
            count -= 1
            yield order[start : start + BATCH]


def check(model: nn.Module, shape: tuple[int, ...]) -> None:
    """One step of both, in float64."""
    torch.manual_seed(1)
    a, b = (rl.state.cast(s, torch.float64) for s in states_of(model))
    x, y = torch.randn(32, *shape, dtype=torch.float64), torch.randint(0, 10, (32,))
    objective = rl.Objective(model, (x, y), dtype=torch.float64)
    ours = Ours(objective, a, b)
    with ours.standing.holding():
        ours.step(objective.samples, 0.3)
    net = CurveNet(model, [a, rl.state.mean([a, b]), b]).double()
    moved = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], RATE, MOMENTUM)
    published_step(net, moved, x, y, torch.tensor([0.3], dtype=torch.float64))
    theirs = torch.cat([p.detach().reshape(-1) for p in net.parameters() if p.requires_grad])
    assert torch.allclose(ours.matrix[1], theirs, atol=1e-12), "one step of both differs"


def whole(count: int) -> None:
    """The same curve by both loops, start to end, and the largest loss on each."""
    split = rl.data.load("digits")["train"]
    x, y = split.inputs.flatten(1), split.targets
    model = nn.Sequential(*fcn(64, 64, 64, 10).children())
    recipe = rl.Recipe(length="40ep", optimiser=SGD(learning_rate=0.1, momentum=0.9))
    ends = []
    for seed in range(2):
        start = nn.Sequential(*fcn(64, 64, 64, 10, seed=seed).children())
        ends.append(rl.train(start, split, recipe, seed=seed).final)
    a, b = ends
    objective = rl.Objective(model, (x, y))
    by = rl.CurveFinding(
        descent=rl.Descent(
            length=f"{count}it",
            optimiser=SGD(learning_rate=RATE, momentum=MOMENTUM),
            decay=DECAY,
            looks=1,
        )
    )

    def ours() -> rl.Path:
        return rl.connect(a, b, objective, by=by).path

    def published() -> rl.Path:
        net = CurveNet(model, [a, rl.state.mean([a, b]), b])
        moved = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], RATE, MOMENTUM)
        schedule = HeldThenLinear()
        for k, rows in enumerate(indices(len(x), count)):
            for group in moved.param_groups:
                group["lr"] = RATE * schedule.factor(k, count, 1)
            published_step(net, moved, x[rows], y[rows], torch.rand(1))
        held = dict(net.named_parameters())
        names = [n.split(".") for n in a]
        order = {n: i for i, (n, _) in enumerate(model.named_children())}
        bend = {
            f"{part}.{kind}": held[f"parts.{order[part]}.{kind}_1"].detach() for part, kind in names
        }
        return rl.Bezier(a, bend, b)

    found = interleave({"ours": ours, "published": published}, 3)
    most = {
        n: rl.profile(f(), objective, points=61).curve().mean.max()
        for n, f in {"ours": ours, "published": published}.items()
    }
    line = rl.profile(rl.Line(a, b), objective, points=61).curve().mean.max()
    print(
        f"{count} steps of digits, largest loss on the line {line:.3f}: ours "
        f"{statistics.median(found['ours']):.1f} s to {most['ours']:.4f}, published "
        f"{statistics.median(found['published']):.1f} s to {most['published']:.4f}; "
        f"ratio {ratio(found['published'], found['ours']):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["step", "whole"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=60)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    if chosen.only != "whole":
        steps(chosen.repeats, chosen.steps)
    if chosen.only != "step":
        whole(2000)


if __name__ == "__main__":
    main()
