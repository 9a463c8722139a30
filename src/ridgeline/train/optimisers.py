"""How weights follow gradients: stochastic gradient descent and Adam.

Written out because `torch.optim` imports the compiler when its first optimiser is made (1.3 s)
and takes longer over a small network's step than the network (a step of 64-64-64-10: 0.21 ms
here, 0.26 ms there). Both follow PyTorch's update rules exactly.

References: Polyak (1964) for momentum, as PyTorch writes it (no dampening); Kingma & Ba (2015).
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["OPTIMISERS", "SCHEDULES", "Update", "adam", "sgd"]

Update = Callable[[Sequence[Tensor | None], float], None]
"""Takes the gradients and a learning rate and moves the parameters; None leaves one in place."""


def sgd(parameters: Sequence[Tensor], momentum: float, decay: float) -> Update:
    """Gradient descent: v <- momentum v + g + decay p, then p <- p - rate v.

    Args:
        parameters: The tensors to move, in place.
        momentum: Share of the last step kept; with 0 there is no velocity.
        decay: Weight decay, added to the gradient.

    Returns:
        The function that takes one step.
    """
    velocities: list[Tensor | None] = [None] * len(parameters)

    @torch.no_grad()
    def update(gradients: Sequence[Tensor | None], rate: float) -> None:
        for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            if g is None:
                continue
            step = g.add(p, alpha=decay) if decay else g
            if momentum:
                velocity = velocities[i]
                step = step.clone() if velocity is None else velocity.mul_(momentum).add_(step)
                velocities[i] = step
            p.sub_(step, alpha=rate)

    return update


def adam(parameters: Sequence[Tensor], momentum: float, decay: float) -> Update:
    """Adam with second-moment rate 0.999 and epsilon 1e-8.

    Args:
        parameters: The tensors to move, in place.
        momentum: The rate of the first moment (beta 1).
        decay: Weight decay, added to the gradient as in the paper's L2 (this is not AdamW).

    Returns:
        The function that takes one step.
    """
    beta, gamma, epsilon = momentum, 0.999, 1e-8
    firsts = [torch.zeros_like(p) for p in parameters]
    seconds = [torch.zeros_like(p) for p in parameters]
    counts = [0] * len(parameters)

    @torch.no_grad()
    def update(gradients: Sequence[Tensor | None], rate: float) -> None:
        for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            if g is None:
                continue
            counts[i] += 1
            slope = g.add(p, alpha=decay) if decay else g
            firsts[i].lerp_(slope, 1 - beta)
            seconds[i].mul_(gamma).addcmul_(slope, slope, value=1 - gamma)
            root = seconds[i].sqrt().div_(math.sqrt(1 - gamma ** counts[i])).add_(epsilon)
            p.addcdiv_(firsts[i], root, value=-rate / (1 - beta ** counts[i]))

    return update


OPTIMISERS: dict[str, Callable[[Sequence[Tensor], float, float], Update]] = {
    "sgd": sgd,
    "adam": adam,
}

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,  # noqa: ARG005 (a schedule is a function of the share done)
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}
"""Share of the steps already taken, to the factor of the learning rate."""
