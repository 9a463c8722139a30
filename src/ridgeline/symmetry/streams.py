"""The continuous symmetries of transformers: residual stream and attention circuits.

Reference: Theus, Cabodi, Anagnostidis, Orvieto, Singh & Boeva (2025), "Generalized Linear Mode
Connectivity for Transformers": the coordinates of a residual stream with RMSNorm may be rotated
by any orthogonal matrix, those of a head's query and key (value and output) by any invertible
one. The gains of normalisation layers must first be absorbed into the layers that read them.

They rewrite LayerNorm as RMSNorm of a centred stream. [derived] The network need not be
rewritten: a LayerNorm without gain commutes with every orthogonal matrix that keeps the vector of
ones, for it keeps mean and norm. These matrices act on centred streams as all orthogonal
matrices of one dimension less do, so that nothing is lost. A normalisation's bias is rotated
along, since it is added after; it need not be absorbed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from ridgeline.errors import UsageError
from ridgeline.graph import Forward, Trace, arguments, operation
from ridgeline.rng import stream as random_stream
from ridgeline.symmetry.group import Group
from ridgeline.symmetry.mixing import Mixing
from ridgeline.symmetry.outputs import Which, network_of
from ridgeline.symmetry.residual import Residual
from ridgeline.symmetry.scaling import Rescalable, Scaling
from ridgeline.symmetry.symmetry import Symmetry
from ridgeline.symmetry.transform import Transform

__all__ = ["Circuit", "Stream", "orthogonal", "streams"]

NORMS = {"layer_norm", "native_layer_norm", "rms_norm", "_fused_rms_norm"}


@dataclass(frozen=True, eq=False)
class Circuit:
    """Units that may be mixed by any invertible matrix.

    Args:
        group: The units, a fibre for each head.
        powers: 1 where they are made, -1 where they are used.
    """

    group: Group
    powers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Stream:
    """A residual stream that may be rotated, and the circuits that read and write it.

    Args:
        group: Its coordinates.
        gains: For each normalisation layer the tensor of its gain, and the scaling that absorbs it.
        centred: Whether rotations keep the vector of ones, as LayerNorm wants them to.
        circuits: Of attention heads.
        ties: Of the symmetry.
    """

    group: Group
    gains: tuple[tuple[str, Rescalable], ...]
    centred: bool
    circuits: tuple[Circuit, ...]
    ties: Mapping[str, str]

    @property
    def powers(self) -> tuple[int, ...]:
        """1 at every place but gains: an orthogonal matrix is its own transposed inverse."""
        gains = {name for name, _ in self.gains}
        return tuple(int(p.tensor not in gains) for p in self.group.places)

    def absorb(self, state: Mapping[str, Tensor]) -> Transform:
        """The element that makes all gains 1.

        Args:
            state: Whose gains.

        Raises:
            UsageError: If a gain is zero: its coordinate cannot be restored.
        """
        actions = []
        for name, member in self.gains:
            place = next(k for k, p in enumerate(self.group.places) if p.tensor == name)
            gain = self.group.places[place].units(state[name].double())[..., 0].numpy()
            if not (gain != 0).all():
                raise UsageError(
                    "Gains of normalisation layers are not zero where they are absorbed.",
                    got=f"{int((gain == 0).sum())} zeros in {name!r}",
                    remedy="Match by permutations alone, or prune these coordinates.",
                )
            actions.append(Scaling(self.group, member, gain ** -float(member.powers[place])))
        return Transform(tuple(actions), self.ties)

    def rotation(self, matrix: Tensor) -> Transform:
        """The element that rotates the stream; right for states whose gains are all 1.

        Args:
            matrix: Orthogonal, of shape (width, width).
        """
        return Transform((Mixing(self.group, self.powers, matrix[None]),), self.ties)

    def random(self, seed: int) -> Tensor:
        """A uniformly random orthogonal matrix that the stream may be rotated by.

        Args:
            seed: Of the stream ``rotation``.
        """
        draws = random_stream(seed, "rotation", self.group.name)
        size = self.group.size - self.centred
        q, r = torch.linalg.qr(torch.randn(size, size, generator=draws, dtype=torch.float64))
        q = q * torch.sign(torch.diagonal(r))
        return _keeping_ones(q) if self.centred else q


def orthogonal(gram: Tensor, *, centred: bool = False) -> Tensor:
    """The orthogonal matrix Q of largest ``<gram, Q>``: Procrustes, by singular values.

    With ``gram = A B^T`` it brings B nearest to A.

    Args:
        gram: Shape (..., width, width).
        centred: Only matrices that keep the vector of ones.
    """
    if centred:
        basis = _complement(gram.shape[-1])
        return _keeping_ones(orthogonal(basis.T @ gram @ basis))
    left, _, right = torch.linalg.svd(gram)
    return left @ right


def _complement(width: int) -> Tensor:
    """Columns that span what is orthogonal to the vector of ones."""
    first = torch.cat([torch.ones(width, 1), torch.eye(width)[:, 1:]], 1).double()
    return torch.linalg.qr(first)[0][:, 1:]


def _keeping_ones(inner: Tensor) -> Tensor:
    width = len(inner) + 1
    basis = _complement(width)
    return basis @ inner @ basis.T + torch.full((width, width), 1 / width, dtype=torch.float64)


def streams(
    symmetry: Symmetry,
    model: nn.Module,
    example: Any,
    *,
    forward: Forward | None = None,
    outputs: Which = None,
    seed: int = 0,
) -> Stream:
    """Find the residual stream of a network and its circuits, and prove them in float64.

    Args:
        symmetry: With its scalings, as `rescalable` gives.
        model: The network; left as it is.
        example: A batch of inputs.
        forward: How the model is called.
        outputs: Which of several outputs count, as for `symmetries`.
        seed: Of random weights and matrices.

    Returns:
        The stream: of several the widest.

    Raises:
        UsageError: If no group may be rotated; it says what each one lacks.
        NotTraceable: If the network cannot be traced.
    """
    network = network_of(model, forward, outputs)
    residual = Residual(network, example, seed)
    trace = network.trace(example)
    refused: list[str] = []
    for group in sorted(symmetry.groups, key=lambda g: (-len(g.places), -g.size)):
        gains = _gains(group, symmetry, trace)
        if isinstance(gains, str):
            refused.append(f"{group.name!r} ({gains})")
            continue
        if group.fibres > 1 or not gains:
            continue
        for centred in (False, True):
            found = Stream(group, gains, centred, (), symmetry.ties)
            plain = found.absorb(residual.state)
            turned = found.rotation(found.random(seed)) @ plain
            if residual.small(residual(turned)):
                circuits = tuple(_circuits(symmetry, residual, seed))
                return Stream(group, gains, centred, circuits, symmetry.ties)
        refused.append(f"{group.name!r} (rotations change the outputs)")
    raise UsageError(
        "A residual stream is read through LayerNorm or RMSNorm alone, with gains that the next "
        "layers can absorb.",
        got="no such group; " + (", ".join(refused[:4]) or "no normalisation layer has a gain"),
        remedy="A head that shares its weight with the embedding cannot absorb the last gain: "
        "give them a tensor each.",
    )


def _gains(
    group: Group, symmetry: Symmetry, trace: Trace
) -> tuple[tuple[str, Rescalable], ...] | str:
    """The gains among a group's places with what absorbs each, or why one cannot be."""
    names = [p.tensor for p in group.places if _is_gain(trace.tensors[p.tensor])]
    found = []
    for name in names:
        at = [p.tensor for p in group.places].index(name)
        others = [k for k, p in enumerate(group.places) if p.tensor in names and k != at]
        able = [
            m
            for m in symmetry.scalings
            if m.group == group.name and not m.signs and abs(m.powers[at]) == 1
            and set(m.powers) <= {-1, 0, 1} and not any(m.powers[k] for k in others)
        ]  # fmt: skip
        if not able:
            return f"nothing absorbs {name}"
        found.append((name, able[0]))
    return tuple(found)


def _is_gain(node: fx.Node) -> bool:
    """True if a tensor of one axis multiplies what a normalisation gives."""
    value = node.meta["val"]
    waiting = list(node.users) if value.ndim == 1 else []
    while waiting:
        user = waiting.pop()
        name = operation(user)
        if name in NORMS and any(
            held is node for key, held in arguments(user).items() if key == "weight"
        ):
            return True
        if name == "mul":
            return True
        if name in ("to", "_to_copy", "view", "unsqueeze", "expand", "reshape"):
            waiting += list(user.users)
    return False


def _circuits(symmetry: Symmetry, residual: Residual, seed: int) -> Iterable[Circuit]:
    for member in symmetry.scalings:
        group = symmetry.group(member.group)
        if member.signs or group.inside is None or set(member.powers) - {-1, 0, 1}:
            continue
        if any(p.within is not None for p in group.places):
            continue
        draws = random_stream(seed, "circuit", member.name)
        shape = (group.fibres, group.size, group.size)
        noise = torch.randn(shape, generator=draws, dtype=torch.float64)
        matrices = torch.eye(group.size) + 0.3 * noise / group.size**0.5
        mixing = Mixing(group, member.powers, matrices)
        if residual.small(residual(Transform((mixing,), symmetry.ties))):
            yield Circuit(group, member.powers)
