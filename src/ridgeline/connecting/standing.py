"""A point of a path in one buffer, and the slope of a minibatch's loss there.

A path's point is a combination of its states. Formed tensor by tensor, with autograd through the
combination, it costs up to 1.6 of a plain step. Here it is formed in one flat buffer of which the
network holds views, once for all steps, and the gradient by a state is the gradient at the point
times the state's coefficient.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.connecting.layout import Layout
from ridgeline.objective import Objective, Samples
from ridgeline.objective.derivable import casting, derivable
from ridgeline.objective.minibatches import check_reached
from ridgeline.objective.point import gradients
from ridgeline.objective.statistics import normalisers
from ridgeline.paths import Combination

__all__ = ["Standing", "of_the_batch"]


class Standing:
    """A point that moves from step to step, with the network around it.

    Normalisation layers use the batch's own statistics, as in training, if the objective
    recomputes them, and the point's own otherwise; running statistics stay as they are. All else,
    dropout too, is as in evaluation mode.

    Args:
        layout: Of the rows.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout, self.objective = layout, layout.objective
        first = layout.points[0]
        with torch.inference_mode(False):
            self.buffer = torch.zeros(
                layout.size, dtype=self.objective.dtype, device=self.objective.device
            )
            """The point, (D,)."""
            self.leaves = [x.detach().requires_grad_() for x in layout.views(self.buffer).values()]
            held = [n for n in first if n not in layout.names]
            # Copies: layers write their statistics, and carried tensors are written below.
            self.tensors = {n: first[n].clone() for n in held}
            self.tensors |= dict(zip(layout.names, self.leaves, strict=True))
        self.pairs = {p.weight: p for p in layout.spectral.values()}.values()
        self._network: Any = None

    @contextmanager
    def holding(self) -> Iterator[None]:
        """The network holds the point, as long as this lasts."""
        modes = torch.inference_mode(False), torch.enable_grad(), of_the_batch(self.objective)
        held = self.objective.network.holding(self.tensors)
        with modes[0], modes[1], modes[2], held as network:
            self._network = network
            try:
                yield
            finally:
                self._network = None

    @torch.no_grad()
    def place(self, matrix: Tensor, row: Sequence[float]) -> None:
        """Form the point ``row @ matrix``.

        Args:
            matrix: States as rows, (J, D).
            row: Their coefficients.
        """
        combined(matrix, row, self.buffer)
        self.settle(row)

    @torch.no_grad()
    def settle(self, row: Sequence[float]) -> None:
        """Bring what does not train to where the buffer is.

        Args:
            row: Coefficients of the layout's states there.
        """
        if self.layout.carried:
            table = np.asarray([row], dtype=np.float64)
            there = Combination(self._carried, (table,), {})
            for name in self.layout.carried:
                self.tensors[name].copy_(there.tensor(name, 0))
        for pair in self.pairs:
            u, v = (self.tensors[n] for n in (pair.u, pair.v))
            for x, new in zip(
                (u, v), states.vectors_of(self._named(pair.weight), u, v), strict=True
            ):
                x.copy_(new)

    def slope(self, batch: Samples, out: Tensor, scale: float = 1.0) -> Tensor:
        """The mean loss on a batch at the point, and its gradient.

        Args:
            batch: Some of the objective's samples.
            out: Takes the gradient times `scale`, (D,).
            scale: A factor.

        Returns:
            The loss, one number.

        Raises:
            UsageError: If no derivative reaches the loss.
            ForwardFailed: If the model or its loss raises.
        """
        criterion = self.objective.metrics["loss"]
        with derivable("computing the loss at a point of a path"):
            with casting(self.objective):
                outputs = self._network(batch.inputs)
                loss = criterion.mean(outputs, batch.targets)
            check_reached(self.leaves, outputs, loss, criterion.called)
            found = gradients([loss], self.leaves, [torch.full_like(loss, scale)])
        real = [torch.view_as_real(x.resolve_conj()) if x.is_complex() else x for x in found]
        torch.cat([x.reshape(-1) for x in real], out=out)
        return loss.detach()

    @property
    def _carried(self) -> tuple[dict[str, Tensor], ...]:
        return tuple({n: p[n] for n in self.layout.carried} for p in self.layout.points)

    def _named(self, name: str) -> Tensor:
        return self.tensors[name].detach()


def combined(matrix: Tensor, row: Sequence[float], out: Tensor) -> Tensor:
    """Write the combination ``row @ matrix`` of rows (J, D) into `out`, (D,).

    Two terms and more are lerped one after another where no coefficient is negative, which goes
    over memory two times less often than sums do.
    """
    terms = [(float(c), matrix[j]) for j, c in enumerate(row) if c]
    if len(terms) == 1 and terms[0][0] == 1:
        return out.copy_(terms[0][1])
    if len(terms) < 2 or min(c for c, _ in terms) < 0 or abs(sum(c for c, _ in terms) - 1) > 1e-9:
        out.zero_()
        for c, x in terms:
            out.add_(x, alpha=c)
        return out
    (held, first), (c, second), *rest = terms
    held += c
    torch.lerp(first, second, c / held, out=out)
    for c, x in rest:
        held += c
        out.lerp_(x, c / held)
    return out


@contextmanager
def of_the_batch(objective: Objective) -> Iterator[None]:
    """Normalisation layers with the statistics of the batch that they see, if they recompute."""
    modes = objective.network.modes
    known: Mapping[str, Any] = {}
    if objective.statistics == "recompute":
        known = normalisers(objective.network.module)
    layers = [x for n, x in known.items() if n not in modes.frozen | modes.inert]
    before = [layer.training for layer in layers]
    try:
        for layer in layers:
            layer.training = True
        yield
    finally:
        for layer, was in zip(layers, before, strict=True):
            layer.training = was
