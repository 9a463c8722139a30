"""One step's loss and gradient for all members of a stack, and their loss on a split.

The whole step, forward and backward, is traced once for each shape of batch and made lean
(`ridgeline.training.lowering`). What cannot be traced runs as it stands, through `vmap` if
there are several members. A stack of one needs no `vmap`.

Shapes: K members, B samples.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

from ridgeline.errors import ForwardFailed, NotStackable, RidgelineError
from ridgeline.graph import Network
from ridgeline.graph.looping import looping_quietly
from ridgeline.rng import untouched
from ridgeline.training.heads import Head, counted, written_out
from ridgeline.training.lowering import draws, lower
from ridgeline.training.stacks import Stack

__all__ = ["Kernel"]

Step = Callable[..., Sequence[Tensor | None]]

WORTH_TRACING = 16
"""Steps of one shape from which on a trace pays: it takes as long as some 500 small steps, but
the first also loads what tracing needs."""


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
        self._training.train()
        self._programs: dict[Any, Step] = {}
        self._held = ExitStack()
        self._heads: dict[Any, fx.GraphModule] = {}
        self._drawing: dict[Any, bool] = {}
        """True if a program may draw random numbers, as dropout does."""
        self.footprint = 0
        """Bytes of all values of a traced step: more than it holds at any one time."""

    def step(
        self, x: Tensor, y: Tensor, *, planned: int, seed: Callable[[], int]
    ) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        """Loss, error and gradients of a batch; buffers such as running means move.

        Args:
            x: Inputs, (K, B, ...).
            y: Targets, (K, B, ...).
            planned: How many steps of this shape there are in all.
            seed: Gives the seed of what the model draws in this step, if it may draw.

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
            self._programs[key], self._drawing[key] = self._prepare(arguments, planned)
        if self._drawing[key]:
            _reseed(seed(), self.stack.device)
        loss, missed, *gradients = self._programs[key](*arguments)
        assert loss is not None
        assert missed is not None
        return loss, missed, gradients

    def example(self, x: Tensor) -> Tensor:
        """Outputs of the first member for a few samples, in evaluation mode.

        Raises:
            ForwardFailed: If the model raises.
        """
        tensors = self.stack.parameters | self.stack.fixed
        first = {name: x[0] for name, x in tensors.items()}
        with torch.no_grad(), untouched():
            return self._run(lambda: self._evaluating(first, x), several=False)

    def _prepare(self, arguments: list[Tensor], planned: int) -> tuple[Step, bool]:
        """A program for these shapes, traced if that pays and can be done; whether it may draw.

        Of what is not traced it is not known, so it is taken to draw.
        """
        if planned >= WORTH_TRACING:
            try:
                with untouched(), _quietly():
                    traced = make_fx(self._step, tracing_mode="fake", _allow_non_fake_inputs=True)(
                        *arguments
                    )
                    program = lower(traced).forward
                    # What is traced need not run: torch's LSTM in single precision does not.
                    program(*(x.clone() for x in arguments))
            except Exception:  # whatever the tracer may raise; the plain step says what is wrong
                pass
            else:
                values = (node.meta.get("val") for node in traced.graph.nodes)
                self.footprint = sum(x.nbytes for x in values if isinstance(x, Tensor))
                return program, draws(traced.graph)
        return (self._step if len(self.stack) > 1 else self._resident), True

    @cached_property
    def _resident(self) -> Step:
        """The plain step of one member whose tensors stay in the module for good.

        Putting them in and taking them out at each call costs an LSTM a tenth of its step.
        """
        leaves = {n: p[0].detach().requires_grad_() for n, p in self.stack.parameters.items()}
        fixed = {name: f[0] for name, f in self.stack.fixed.items()}
        # Never let go: they are views of the stack, which moves them.
        run = self._held.enter_context(self._training.holding(leaves | fixed))

        def step(*arguments: Tensor) -> list[Tensor | None]:
            *_, x, y = arguments
            with torch.enable_grad():
                outputs = self._run(lambda: run(x[0]), several=False)[None]
                with torch.no_grad():
                    loss, missed, slope = self._lean_head(outputs.detach(), y)
                gradients = torch.autograd.grad(
                    outputs, list(leaves.values()), slope, allow_unused=True
                )
            return [loss, missed, *(g if g is None else g[None] for g in gradients)]

        return step

    def _lean_head(self, outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The head, traced and made lean, which halves its time; a loss of one's own as it is."""
        if not written_out(self.head):
            return self.head(outputs, y)
        key = (outputs.shape, y.shape)
        if key not in self._heads:
            self._heads[key] = lower(make_fx(self.head, tracing_mode="fake")(outputs, y))
        return self._heads[key].forward(outputs, y)

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
        self,
        network: Network,
        parameters: Sequence[Tensor],
        fixed: Sequence[Tensor],
        x: Tensor,
        *,
        own: bool = True,
    ) -> Tensor:
        names = [*self.stack.parameters, *self.stack.fixed]
        several = len(self.stack) > 1

        def one(tensors: Sequence[Tensor], data: Tensor) -> Tensor:
            return network(dict(zip(names, tensors, strict=True)), data)

        tensors = [*parameters, *fixed]
        if not several:
            return self._run(lambda: one(tensors, x), several=False)
        together = vmap(one, in_dims=(0, 0 if own else None))
        with _stacked():
            return self._run(lambda: together(tensors, x), several=True)

    @staticmethod
    def _run(forward: Callable[[], Tensor], *, several: bool) -> Tensor:
        """Call the user's code, and say so if it raises."""
        try:
            return forward()
        except RidgelineError:
            raise
        except Exception as error:
            if several:
                raise NotStackable(error) from error
            raise ForwardFailed("The model", "training", error) from error

    @torch.no_grad()
    def assess(
        self, batches: Iterable[tuple[Tensor, Tensor]], head: Head, *, own: bool
    ) -> tuple[Tensor, Tensor]:
        """Mean loss and error of every member in evaluation mode.

        Args:
            batches: Inputs and targets: (B, ...) that all members share, or (K, B, ...).
            head: Of this loss, without smoothing.
            own: Whether each member has batches of its own.

        Returns:
            Loss (K,) and error (K,), float64.
        """
        members = len(self.stack)
        parameters, fixed = (list(d.values()) for d in (self.stack.parameters, self.stack.fixed))
        if members == 1:
            parameters, fixed = [p[0] for p in parameters], [f[0] for f in fixed]
        loss = torch.zeros(members, dtype=torch.float64, device=self.stack.device)
        missed, count = torch.zeros_like(loss), torch.zeros_like(loss)
        for x, y in batches:
            given = x[0] if own and members == 1 else x
            outputs = self._outputs(self._evaluating, parameters, fixed, given, own=own)
            wanted = y if own else y.expand(members, *y.shape)
            of_batch, misses, _ = head(outputs if members > 1 else outputs[None], wanted)
            live = counted(head, wanted)
            loss += torch.where(live > 0, of_batch.double() * live, 0)
            missed += misses.double()
            count += live
        return loss / count, missed / count


def _reseed(seed: int, device: torch.device) -> None:
    """Seed the generators that a step may draw from.

    `torch.manual_seed` also asks every other kind of device, which takes 0.6 ms.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def _stacked() -> Iterator[None]:
    """Attention in operations that `vmap` knows, and no word of those that it loops over."""
    with looping_quietly(), sdpa_kernel(SDPBackend.MATH):
        yield


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the tracebacks that torch logs of operations that fail while being traced.

    The plain step is tried next, and says what is wrong in one error.
    """
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
