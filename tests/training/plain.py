"""The slow obvious loop: one network, torch's own automatic differentiation and optimisers."""

import torch
from torch import nn

from ridgeline import rng


def plain_loop(net, data, *, steps, batch, seed, make, penalty=None, targets=None, factor=None):
    """Train a network as anybody would write it.

    Args:
        net: Moved in place.
        data: Inputs and labels.
        steps: How many.
        batch: Samples of a step.
        seed: Of the order.
        make: From parameters to an optimiser of `torch.optim`, or to anything with its methods.
        penalty: From the parameters to what is added to the loss.
        targets: From a step to all labels, if they are not those of the data.
        factor: From a step to what rates are multiplied by.
    """
    parameters = list(net.parameters())
    optimiser = make(parameters)
    rates = [group["lr"] for group in optimiser.param_groups]
    per_epoch = -(-len(data) // batch)
    for step in range(steps):
        draws = rng.stream(seed, "order", step // per_epoch)
        rows = torch.randperm(len(data), generator=draws).split(batch)[step % per_epoch]
        labels = data.targets if targets is None else targets(step)
        loss = nn.functional.cross_entropy(net(data.inputs[rows]), labels[rows])
        if penalty is not None:
            loss = loss + penalty(parameters)
        optimiser.zero_grad()
        loss.backward()
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * (1.0 if factor is None else factor(step))
        optimiser.step()
    return {name: x.detach() for name, x in net.state_dict().items()}


class PlainGraft:
    """Grafting as the formula says it: two whole steps from one place, and their norms."""

    def __init__(self, parameters, length, direction):
        self.parameters, self.made = parameters, (length(parameters), direction(parameters))
        self.param_groups = [group for one in self.made for group in one.param_groups]

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

    @torch.no_grad()
    def step(self):
        here = [p.clone() for p in self.parameters]
        moves = []
        for one in self.made:
            one.step()
            moves.append([p - x for p, x in zip(self.parameters, here, strict=True)])
            for p, x in zip(self.parameters, here, strict=True):
                p.copy_(x)
        long, turned = (sum(float((d**2).sum()) for d in move) ** 0.5 for move in moves)
        for p, d in zip(self.parameters, moves[1], strict=True):
            p.add_(d, alpha=long / max(turned, 1e-5))
