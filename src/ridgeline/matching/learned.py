"""Learned matching: rotation, permutations and circuits that make the loss halfway low.

Reference: Theus, Cabodi, Anagnostidis, Orvieto, Singh & Boeva (2025), "Generalized Linear Mode
Connectivity for Transformers", algorithm 1: latent matrices for the residual stream (projected on
orthogonal matrices by singular values) and for hidden units and heads (projected on permutations
by linear assignment), gradients passed straight through, t drawn from U(0.4, 0.6), Adam. Differs
in: channels within heads may be mixed, by matrices that need no projection; the element of
lowest loss halfway on one fixed batch is kept, where theirs is the last.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.matching.assignment import assign
from ridgeline.matching.circuits import heads_of
from ridgeline.matching.contract import Matched, Strategy
from ridgeline.matching.losses import batches_of, mixed, parameters
from ridgeline.matching.procrustes import Procrustes, hidden_of
from ridgeline.matching.search import Search
from ridgeline.objective import Objective, batch_loss
from ridgeline.progress import Progress
from ridgeline.rng import stream as random_stream
from ridgeline.symmetry import Group, Permutation, Symmetry, Transform
from ridgeline.symmetry.mixing import Mixing, mixed_along
from ridgeline.symmetry.streams import Stream, orthogonal

__all__ = ["Learned"]


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Learned matching of transformers.

    Args:
        objective: Model, data and loss.
        stream: As `ridgeline.symmetry.streams` finds.
        init: Where it starts; Procrustes matching by default.
        steps: Of Adam.
        rate: Of Adam.
        batch: Samples in a step.
        eval_samples: Samples on which elements are compared.
        every: Steps between comparisons.
        between: Positions on the line from which t is drawn.
        circuits: Mix the channels inside heads, too.
    """

    objective: Objective
    stream: Stream
    init: Strategy | None = None
    steps: int = 500
    rate: float = 1e-2
    batch: int = 256
    eval_samples: int = 5000
    every: int = 20
    between: tuple[float, float] = (0.4, 0.6)
    circuits: bool = True

    never_worse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        low, high = self.between
        if not (self.rate > 0 and self.steps >= 1 and self.every >= 1 and 0 <= low <= high <= 1):
            raise UsageError(
                "The rate is positive, there is at least one step, and t lies in [0, 1].",
                got=f"{self.rate}, {self.steps}, {self.every}, {self.between}",
            )

    def match(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Matched:
        """The element of lowest loss at the midpoint among those that the steps visit.

        Raises:
            UsageError: If a gain is zero, or the start is no transform.
        """
        judges = next(batches_of(self.objective, self.eval_samples, seed))

        def judge(transform: Transform) -> float:
            given = parameters(self.objective, a), parameters(self.objective, transform(b))
            with torch.no_grad():
                return float(batch_loss(self.objective, mixed(*given), judges))

        init = self.init if self.init is not None else Procrustes(stream=self.stream)
        start = init.match(a, b, symmetry, seed=seed, progress=progress).transform
        if start is None:
            raise UsageError("Learned matching starts from a transform.", got=str(init))
        begun = start(b)
        to, back = self.stream.absorb(begun), self.stream.absorb(a).inverse()
        fixed = parameters(self.objective, self.stream.absorb(a)(a))
        moving = parameters(self.objective, to(begun))
        latent = _Latent(symmetry, self.stream, self.circuits)
        search = Search(symmetry.identity(), judge)
        begins = search.offer(start)
        search.follow(
            self._steps(latent, fixed, moving, seed),
            lambda: back @ latent.element() @ to @ start,
            steps=self.steps,
            every=self.every,
            what="learned matching",
            progress=progress,
        )
        measure = f"loss at the midpoint, {len(judges)} samples"
        return search.matched(search.best, measure=measure, start=begins)

    def _steps(
        self, latent: "_Latent", a: Mapping[str, Tensor], b: Mapping[str, Tensor], seed: int
    ) -> Callable[[int], float]:
        """Steps of Adam on the latent matrices: the loss of each on its own batch."""
        adam = torch.optim.Adam(latent.matrices(), lr=self.rate)
        batches = batches_of(self.objective, self.batch, seed)
        draws = random_stream(seed, "learned matching", "t")
        low, high = self.between

        def step(_: int) -> float:
            t = low + (high - low) * float(torch.rand((), generator=draws))
            with torch.enable_grad():
                loss = batch_loss(self.objective, mixed(a, latent.carry(b), t), next(batches))
                adam.zero_grad(set_to_none=True)
                loss.backward()
            adam.step()
            return float(loss.detach())

        return step


class _Latent:
    """Free matrices, and the element of the symmetry that they are projected on.

    Args:
        symmetry: Whose hidden units and heads are permuted.
        stream: Which is rotated.
        circuits: Whether channels inside heads are mixed.
    """

    def __init__(self, symmetry: Symmetry, stream: Stream, circuits: bool) -> None:
        self.stream, self.ties = stream, symmetry.ties
        heads = [symmetry.group(n) for n in heads_of(symmetry, stream.circuits)]
        self.permuted: list[Group] = [*heads, *hidden_of(symmetry, stream).groups]
        self.orders = {g.name: _identities(g) for g in self.permuted}
        self.circuits = stream.circuits if circuits else ()
        self.mixings = [_identities(c.group) for c in self.circuits]
        self.rotation = torch.eye(stream.group.size, dtype=torch.float64, requires_grad=True)

    def matrices(self) -> list[Tensor]:
        """All that is learned."""
        return [self.rotation, *self.orders.values(), *self.mixings]

    def carry(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A state carried by the element, with the latents' gradients passed straight through."""
        made = dict(state)
        for circuit, matrices in zip(self.circuits, self.mixings, strict=True):
            made |= Mixing(circuit.group, circuit.powers, matrices).changed(made)
        for group in self.permuted:
            free = self.orders[group.name]
            self._apply(made, group, _through(free, _permutation(free)))
        turned = _through(self.rotation, self._orthogonal())
        self._apply(made, self.stream.group, turned[None], self.stream.powers)
        return made | {other: made[n] for other, n in self.ties.items() if other in made}

    def element(self) -> Transform:
        """The element itself."""
        with torch.no_grad():
            mixings = [
                Mixing(c.group, c.powers, m.detach().clone())
                for c, m in zip(self.circuits, self.mixings, strict=True)
            ]
            orders = [
                Permutation(g, assign(self.orders[g.name].detach().numpy(), g.identity()))
                for g in self.permuted
            ]
            turned = self.stream.rotation(self._orthogonal())
        return turned @ Transform((*mixings, *orders), self.ties)

    def _orthogonal(self) -> Tensor:
        return orthogonal(self.rotation.detach(), centred=self.stream.centred)

    def _apply(
        self,
        made: dict[str, Tensor],
        group: Group,
        matrices: Tensor,
        powers: tuple[int, ...] | None = None,
    ) -> None:
        for k, place in enumerate(group.places):
            if powers is None or powers[k]:
                made[place.tensor] = mixed_along(made[place.tensor], place, matrices)


def _identities(group: Group) -> Tensor:
    return torch.eye(group.size, dtype=torch.float64).repeat(group.fibres, 1, 1).requires_grad_()


def _permutation(free: Tensor) -> Tensor:
    order = torch.from_numpy(assign(free.detach().numpy()))
    return torch.nn.functional.one_hot(order, free.shape[-1]).to(free.dtype)


def _through(free: Tensor, projected: Tensor) -> Tensor:
    """The projected matrix, with the gradient of the free one."""
    return projected + (free - free.detach())
