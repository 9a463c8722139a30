"""Mathematics of an elastic band's pivots: tangents, forces, and even spacing.

A band is one matrix, a state in each row, the two ends first and last. All functions are pure
and plain: the pivots' losses and gradients come from elsewhere.

Shapes: N rows, of which N - 2 are pivots that move; D coordinates.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["forces", "inserted", "knots", "perpendicular", "redistributed", "spacings", "tangents"]

NOTHING = 1e-30
"""A length below this has no direction."""


def spacings(rows: Tensor) -> Tensor:
    """Distances between neighbours, shape (N - 1,), in float64."""
    return torch.linalg.vector_norm(rows.diff(dim=0), dim=1, dtype=torch.float64)


def knots(rows: Tensor) -> NDArray[np.float64]:
    """Position of each row by arc length, from 0 to 1; evenly spaced where rows coincide."""
    parts = spacings(rows).cpu().numpy()
    if not np.isfinite(parts).all() or not (parts > 0).all():
        return np.linspace(0, 1, len(rows))
    along = np.concatenate([[0.0], np.cumsum(parts)]) / parts.sum()
    along[-1] = 1.0
    return along if (np.diff(along) > 0).all() else np.linspace(0, 1, len(rows))


def tangents(rows: Tensor, losses: Tensor) -> Tensor:
    """The improved tangent of each pivot (Henkelman & Jonsson 2000), of length one.

    It points along the segment to the neighbour of higher loss. At a pivot higher, or lower, than
    both of its neighbours it is the mean of both segments, that to the higher neighbour weighed by
    the larger of the two differences of loss and the other by the smaller, so that it turns
    smoothly as the order of the neighbours changes.

    Args:
        rows: Shape (N, D).
        losses: Of each row, shape (N,).

    Returns:
        Shape (N - 2, D); zero where neighbours coincide.
    """
    back, on = rows[1:-1] - rows[:-2], rows[2:] - rows[1:-1]
    previous, own, following = losses[:-2], losses[1:-1], losses[2:]
    differences = torch.stack([(following - own).abs(), (previous - own).abs()])
    most, least = differences.amax(0), differences.amin(0)
    upwards = following > previous
    extreme = ((own >= previous) & (own >= following)) | ((own <= previous) & (own <= following))
    # Where all three are alike no neighbour is higher, and both segments count the same.
    level = most == 0
    one, none = torch.ones_like(most), torch.zeros_like(most)
    at_extreme = torch.where(upwards, most, least), torch.where(upwards, least, most)
    on_slope = torch.where(upwards, one, none), torch.where(upwards, none, one)
    weight_on, weight_back = (
        torch.where(level, one, torch.where(extreme, x, y))
        for x, y in zip(at_extreme, on_slope, strict=True)
    )
    # Weights of one size or another, not lengths: a small difference of loss is still a direction.
    size = (weight_on + weight_back).clamp(min=NOTHING)
    found = on * (weight_on / size)[:, None] + back * (weight_back / size)[:, None]
    lengths = torch.linalg.vector_norm(found, dim=1, keepdim=True)
    return found / lengths.clamp(min=NOTHING)


def perpendicular(gradients: Tensor, along: Tensor) -> Tensor:
    """The part of each gradient across its tangent, shape (N - 2, D)."""
    return gradients - (gradients * along).sum(1, keepdim=True) * along


def forces(
    rows: Tensor,
    losses: Tensor,
    gradients: Tensor,
    *,
    spring: float = math.inf,
    targets: Tensor | None = None,
) -> Tensor:
    """The slope that pivots descend: of the loss across the band, of the springs along it.

    Args:
        rows: Shape (N, D).
        losses: Shape (N,).
        gradients: Of the pivots' losses, shape (N - 2, D).
        spring: Constant of the springs; infinite for none, where `redistributed` does their work.
        targets: Lengths at which springs are slack, shape (N - 1,); all alike by default.

    Returns:
        Shape (N - 2, D).
    """
    along = tangents(rows, losses)
    found = perpendicular(gradients, along)
    if math.isfinite(spring) and spring:
        apart = spacings(rows)
        slack = torch.zeros_like(apart) if targets is None else targets.to(apart)
        stretched = apart - slack
        # Stretched more behind than ahead, a pivot is drawn back: against its tangent.
        pull = (spring * (stretched[:-1] - stretched[1:])).to(rows.dtype)
        found = found + pull[:, None] * along
    return found


def redistributed(
    rows: Tensor, shares: Sequence[float] | NDArray[np.float64] | None = None
) -> Tensor:
    """Pivots moved along their chain to given distances from its start (the string method).

    Args:
        rows: Shape (N, D).
        shares: Of the chain's length between neighbours, shape (N - 1,), in any unit; all alike by
            default.

    Returns:
        Shape (N, D), the first and the last row as they were, bit for bit. Distances are those
        along the chain as it was.
    """
    parts = spacings(rows).cpu().numpy()
    total = parts.sum()
    if not (math.isfinite(total) and total > 0):
        return rows.clone()
    wanted = np.ones(len(parts)) if shares is None else np.asarray(shares, dtype=np.float64)
    starts = np.concatenate([[0.0], np.cumsum(parts)])
    positions = np.cumsum(wanted)[:-1] / wanted.sum() * total
    at = np.clip(np.searchsorted(starts, positions, side="right") - 1, 0, len(parts) - 1)
    share = (positions - starts[at]) / np.maximum(parts[at], NOTHING)
    moved = rows.clone()
    index = torch.as_tensor(at, device=rows.device)
    part = torch.as_tensor(share.clip(0, 1), device=rows.device).to(rows.dtype)
    moved[1:-1] = torch.lerp(rows[index], rows[index + 1], part[:, None])
    return moved


def inserted(
    rows: Tensor, shares: NDArray[np.float64], places: Sequence[tuple[int, float]]
) -> tuple[Tensor, NDArray[np.float64]]:
    """The band with further pivots on its segments.

    Args:
        rows: Shape (N, D).
        shares: Of the band's length between neighbours, shape (N - 1,).
        places: Segment, and the share of it that lies before the new pivot; at most one a segment.

    Returns:
        Rows, and shares that sum to one: those of a segment are cut where it is.
    """
    pieces, lengths, cut = [rows[:1]], [], dict(places)
    for k in range(len(rows) - 1):
        whole = float(shares[k])
        if k in cut:
            pieces.append(torch.lerp(rows[k], rows[k + 1], cut[k])[None])
            lengths += [whole * cut[k], whole * (1 - cut[k])]
        else:
            lengths.append(whole)
        pieces.append(rows[k + 1 : k + 2])
    found = np.asarray(lengths)
    return torch.cat(pieces), found / found.sum()
