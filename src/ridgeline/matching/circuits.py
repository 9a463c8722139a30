"""Attention heads: which of b's heads is which of a's, and how their channels are mixed.

Reference: Theus et al. (2025), "Generalized Linear Mode Connectivity for Transformers": heads are
compared by what they compute, the products of query with key and of value with output, which no
mixing of a head's channels changes. Closed forms of the mixing are [derived] here.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.matching.assignment import assign
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.mixing import Mixing, gathered
from ridgeline.symmetry.streams import Circuit, orthogonal

__all__ = ["balancing", "head_costs", "heads_of", "match_heads", "within"]

SINGULAR = 1e-10
"""Circuits whose channels are dependent, up to this share of the largest, are not balanced."""


def _sides(state: Mapping[str, Tensor], circuit: Circuit) -> tuple[Tensor, Tensor]:
    """Weights of channels where they are made and where they are used: (heads, channels, rest)."""
    found = []
    for side in (1, -1):
        places = zip(circuit.group.places, circuit.powers, strict=True)
        found.append([
            gathered(state[p.tensor].double(), p).flatten(2)
            for p, e in places if e == side and not states.is_statistic(p.tensor)
        ])  # fmt: skip
    return torch.cat(found[0], -1), torch.cat(found[1], -1)


def head_costs(a: Mapping[str, Tensor], b: Mapping[str, Tensor], circuit: Circuit) -> Tensor:
    """Squared distance of the products of every head of a with every head of b.

    Args:
        a: A state.
        b: Another.
        circuit: Query and key, or value and output, of all heads.

    Returns:
        Shape (heads, heads): ``|A_made^T A_used - B_made^T B_used|^2``.
    """
    made_a, used_a = _sides(a, circuit)
    made_b, used_b = _sides(b, circuit)

    def inner(m: Tensor, u: Tensor, n: Tensor, v: Tensor) -> Tensor:
        # <m^T u, n^T v> = tr (m n^T)^T (u v^T): the products themselves are never made
        return torch.einsum(
            "ijab,ijab->ij",
            torch.einsum("iax,jbx->ijab", m, n), torch.einsum("iay,jby->ijab", u, v),
        )  # fmt: skip

    own_a = inner(made_a, used_a, made_a, used_a).diagonal()
    own_b = inner(made_b, used_b, made_b, used_b).diagonal()
    return own_a[:, None] + own_b[None] - 2 * inner(made_a, used_a, made_b, used_b)


def heads_of(symmetry: Symmetry, circuits: Iterable[Circuit]) -> dict[str, list[Circuit]]:
    """Name of each group of heads to the circuits inside of it."""
    known = {g.name for g in symmetry.groups}
    found: dict[str, list[Circuit]] = {}
    for circuit in circuits:
        if circuit.group.inside in known:
            found.setdefault(str(circuit.group.inside), []).append(circuit)
    return found


def match_heads(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    symmetry: Symmetry,
    circuits: Iterable[Circuit],
) -> Transform:
    """Heads of b put where their circuits cost least, by linear assignment.

    Args:
        a: What stays.
        b: What is carried.
        symmetry: Whose heads.
        circuits: As `streams` finds.
    """
    orders = {}
    for name, mine in heads_of(symmetry, circuits).items():
        group = symmetry.group(name)
        cost = sum((head_costs(a, b, c) for c in mine), torch.zeros(()))
        blocks = cost.numpy().reshape(group.fibres, group.size, group.fibres, group.size)
        gain = -np.stack([blocks[f, :, f] for f in range(group.fibres)])
        orders[name] = assign(gain, group.identity())
    return symmetry.transform(orders)


def balancing(state: Mapping[str, Tensor], circuit: Circuit) -> Tensor:
    """The mixing of each head's channels that makes its two sides weigh the same.

    [derived] With Grams S of what channels hold where made and T where used, G S G^T equals the
    transposed inverse's G^-T T G^-1 for ``G^T G = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2``, the
    geometric mean of T and the inverse of S; of these the symmetric G is taken. It is also the
    least norm of the head. What is left free is an orthogonal matrix.

    Returns:
        Shape (heads, channels, channels); the identity for heads with dependent channels.
    """
    made, used = _sides(state, circuit)
    s, t = made @ made.mT, used @ used.mT
    found = torch.eye(s.shape[-1], dtype=torch.float64).repeat(len(s), 1, 1)
    for head in range(len(s)):
        if min(_condition(s[head]), _condition(t[head])) > SINGULAR:
            root, back = _power(s[head], 0.5), _power(s[head], -0.5)
            found[head] = _power(back @ _power(root @ t[head] @ root, 0.5) @ back, 0.5)
    return found


def within(a: Mapping[str, Tensor], b: Mapping[str, Tensor], circuit: Circuit) -> Mixing:
    """The mixing of b's channels that brings each head nearest to a's, of three closed forms.

    They are: none; the best orthogonal one; and both heads balanced, the best orthogonal one
    between them, and a's balance undone.

    Args:
        a: What stays.
        b: What is carried, heads in their places.
        circuit: Of the heads.
    """
    made_a, used_a = _sides(a, circuit)
    made_b, used_b = _sides(b, circuit)
    straight = orthogonal(made_a @ made_b.mT + used_a @ used_b.mT)
    g_a, g_b = balancing(a, circuit), balancing(b, circuit)
    i_a, i_b = torch.linalg.inv(g_a).mT, torch.linalg.inv(g_b).mT
    between = orthogonal(
        g_a @ made_a @ (g_b @ made_b).mT + i_a @ used_a @ (i_b @ used_b).mT
    )  # fmt: skip
    none = torch.eye(g_a.shape[-1], dtype=torch.float64).expand_as(g_a)
    ways = torch.stack([none, straight, torch.linalg.solve(g_a, between @ g_b)])
    off = (made_a - ways @ made_b).square().sum((-1, -2))
    off = off + (used_a - torch.linalg.inv(ways).mT @ used_b).square().sum((-1, -2))
    best = off.argmin(0)
    return Mixing(circuit.group, circuit.powers, ways[best, torch.arange(len(best))])


def _condition(gram: Tensor) -> float:
    sizes = torch.linalg.eigvalsh(gram)
    return float(sizes[0] / sizes[-1]) if float(sizes[-1]) > 0 else 0.0


def _power(matrix: Tensor, power: float) -> Tensor:
    sizes, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
    return (vectors * sizes.clamp_min(1e-300) ** power) @ vectors.mT
