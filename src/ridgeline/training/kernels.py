"""One step's loss and gradient for all members of a stack, and their loss on a split.

The whole step, forward and backward, is traced once for each shape of batch and made lean
(`ridgeline.training.lowering`). What cannot be traced runs as it stands, through `vmap` if
there are several members. A stack of one needs no `vmap`.

Shapes: K members, B samples.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

from ridgeline.errors import ForwardFailed, NotStackable, RidgelineError
from ridgeline.rng import untouched
from ridgeline.tracing import Network
from ridgeline.training.heads import Head
from ridgeline.training.lowering import draws, lower
from ridgeline.training.stacks import Stack

__all__ = ["Kernel"]

Step = Callable[..., Sequence[Tensor | None]]

WORTH_TRACING = 16
"""Steps of one shape from which on a trace pays: it takes as long as some 500 small steps, but
the first also loads what tracing needs."""
ASSESSED = 2**22
"""Values of inputs, all members together, that are assessed at a time."""


class Kernel:
    """The function that a population repeats.

    Args:
        model: Whose code runs.
        stack: Whose tensors are used; read again at every call.
        head: Loss, error and slope.
    """

    def __init__(self, model: nn.Module, stack: Stack, head: Head) -> None:
        self.stack, self.head = stack, head
        self._training, self._evaluating = Network(model), Network(model)
        self._training.module.train()
        self._programs: dict[Any, Step] = {}
        self.random = any(isinstance(m, nn.modules.dropout._DropoutNd) for m in model.modules())
        """Whether a step draws random numbers, as dropout does."""
        self.footprint = 0
        """Bytes of all values of a traced step: more than it holds at any one time."""

    def step(
        self, x: Tensor, y: Tensor, *, planned: int, seed: int
    ) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        """Loss, error and gradients of a batch; buffers such as running means move.

        Args:
            x: Inputs, (K, B, ...).
            y: Targets, (K, B, ...).
            planned: How many steps of this shape there are in all.
            seed: Of what the model draws in this step.

        Returns:
            Mean loss (K,), misses (K,), and a gradient for each parameter, stacked
            like it; None where the loss does not depend on it.

        Raises:
            ForwardFailed: If the model or the loss raises.
            NotStackable: If it works for one member, but not for several at once.
        """
        key = (len(self.stack), x.shape, y.shape, planned >= WORTH_TRACING)
        arguments = [*self.stack.parameters.values(), *self.stack.fixed.values(), x, y]
        if key not in self._programs:
            self._programs[key] = self._prepare(arguments, planned)
        if self.random:
            torch.manual_seed(seed)
        loss, missed, *gradients = self._programs[key](*arguments)
        assert loss is not None
        assert missed is not None
        return loss, missed, gradients

    def _prepare(self, arguments: list[Tensor], planned: int) -> Step:
        """A program for these shapes: traced if that pays and can be done."""
        if planned >= WORTH_TRACING:
            try:
                with untouched():
                    traced = make_fx(self._step, tracing_mode="fake", _allow_non_fake_inputs=True)(
                        *arguments
                    )
            except Exception:  # whatever the tracer may raise; the plain step says what is wrong
                self.random = True  # it may draw, for all that is known
            else:
                program = lower(traced).forward
                try:  # what is traced need not run: torch's LSTM does not
                    program(*(x.clone() for x in arguments))
                except Exception:
                    return self._step
                self.random |= draws(traced.graph)
                values = (node.meta.get("val") for node in traced.graph.nodes)
                self.footprint = sum(x.nbytes for x in values if isinstance(x, Tensor))
                return program
        return self._step

    def _step(self, *arguments: Tensor) -> list[Tensor | None]:
        """The step as it is written, to be traced or run."""
        *tensors, x, y = arguments
        several = len(x) > 1
        with torch.enable_grad():
            leaves = [
                (p if several else p[0]).detach().requires_grad_()
                for p in tensors[: len(self.stack.parameters)]
            ]
            fixed = [f if several else f[0] for f in tensors[len(leaves) :]]
            outputs = self._outputs(self._training, leaves, fixed, x if several else x[0])
            outputs = outputs if several else outputs[None]
            with torch.no_grad():
                loss, missed, slope = self.head(outputs.detach(), y)
            gradients = torch.autograd.grad(outputs, leaves, slope, allow_unused=True)
        if not several:
            gradients = [g if g is None else g[None] for g in gradients]
        return [loss, missed, *gradients]

    def _outputs(
        self, network: Network, parameters: Sequence[Tensor], fixed: Sequence[Tensor], x: Tensor
    ) -> Tensor:
        names = [*self.stack.parameters, *self.stack.fixed]
        several = len(self.stack) > 1

        def one(tensors: Sequence[Tensor], data: Tensor) -> Tensor:
            return network(dict(zip(names, tensors, strict=True)), data)

        tensors = [*parameters, *fixed]
        try:
            if not several:
                return one(tensors, x)
            with _stacked():
                return vmap(one, in_dims=(0, 0 if network is self._training else None))(tensors, x)
        except RidgelineError:
            raise
        except Exception as error:
            if several:
                raise NotStackable(error) from error
            raise ForwardFailed("The model", "training", error) from error

    @torch.no_grad()
    def assess(self, inputs: Tensor, targets: Tensor, head: Head) -> tuple[Tensor, Tensor]:
        """Mean loss and error of every member in evaluation mode.

        Args:
            inputs: (N, ...), shared by all members.
            targets: (N, ...), shared too.
            head: Of this loss, without smoothing.

        Returns:
            Loss (K,) and error (K,), float64.
        """
        members = len(self.stack)
        rows = max(1, ASSESSED // (members * max(1, inputs[0].numel())))
        parameters, fixed = (list(d.values()) for d in (self.stack.parameters, self.stack.fixed))
        if members == 1:
            parameters, fixed = [p[0] for p in parameters], [f[0] for f in fixed]
        loss = torch.zeros(members, dtype=torch.float64, device=self.stack.device)
        missed = torch.zeros_like(loss)
        for start in range(0, len(inputs), rows):
            x = inputs[start : start + rows]
            y = targets[start : start + rows]
            outputs = self._outputs(self._evaluating, parameters, fixed, x)
            outputs = outputs if members > 1 else outputs[None]
            of_batch, misses, _ = head(outputs, y.expand(members, *y.shape))
            loss += of_batch.double() * len(x)
            missed += misses.double()
        return loss / len(inputs), missed / len(inputs)


@contextmanager
def _stacked() -> Iterator[None]:
    """Attention in operations that `vmap` knows, and no word of those that it loops over.

    Whether a stack pays in spite of that loop is measured by who chooses its size.
    """
    with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
        warnings.filterwarnings("ignore", message="There is a performance drop")
        yield
