"""Tangents, forces and even spacing, against what their papers say."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ridgeline.connecting.bands import (
    forces,
    inserted,
    knots,
    perpendicular,
    redistributed,
    spacings,
    tangents,
)

LEFT, RIGHT = torch.tensor([-1.0, 0.0]), torch.tensor([0.0, 1.0])


def corner(previous: float, own: float, following: float) -> Tensor:
    """The tangent of a pivot at the origin, between (-1, 0) and (0, 1)."""
    rows = torch.stack([LEFT, torch.zeros(2), RIGHT]).double()
    return tangents(rows, torch.tensor([previous, own, following]).double())[0]


@st.composite
def chains(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    n, d = draw(st.integers(3, 9)), draw(st.integers(2, 6))
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    rows = torch.randn(n, d, generator=rng, dtype=torch.float64)
    return (
        rows,
        torch.randn(n, generator=rng, dtype=torch.float64),
        torch.randn(n - 2, d, generator=rng, dtype=torch.float64),
    )


def test_on_a_slope_the_tangent_points_along_the_segment_to_the_higher_neighbour():
    torch.testing.assert_close(corner(0, 1, 2), torch.tensor([0.0, 1.0]).double())
    torch.testing.assert_close(corner(2, 1, 0), torch.tensor([1.0, 0.0]).double())


@pytest.mark.parametrize(
    ("losses", "on", "back"),
    # Henkelman & Jonsson (2000), equations 10 and 11: the larger difference goes with the segment
    # to the higher neighbour.
    [((0, 3, 2), 3, 1), ((2, 3, 0), 1, 3), ((5, 1, 2), 1, 4), ((2, 1, 5), 4, 1), ((1, 1, 1), 1, 1)],
)
def test_at_an_extremum_both_segments_count_by_differences_of_loss(losses, on, back):
    wanted = torch.tensor([float(back), float(on)]).double()
    torch.testing.assert_close(corner(*losses), wanted / wanted.norm())


@given(chains())
def test_what_is_left_of_a_gradient_has_no_product_with_the_tangent(band):
    rows, losses, gradients = band
    along = tangents(rows, losses)
    torch.testing.assert_close(along.norm(dim=1), torch.ones(len(along)).double())
    left = perpendicular(gradients, along)
    assert float((left * along).sum(1).abs().max()) < 1e-12 * float(gradients.norm())


@given(chains(), st.floats(0.1, 10))
def test_springs_pull_along_the_tangent_towards_equal_spacing(band, spring):
    rows, losses, gradients = band
    along = tangents(rows, losses)
    slope = forces(rows, losses, gradients, spring=spring)
    extra = slope - perpendicular(gradients, along)
    apart = (rows[1:] - rows[:-1]).norm(dim=1)
    for i in range(len(along)):
        wanted = spring * (apart[i] - apart[i + 1]) * along[i]
        torch.testing.assert_close(extra[i], wanted)


def test_springs_at_their_target_lengths_do_not_pull():
    rows = torch.tensor([[0.0, 0], [1, 0], [3, 0]]).double()
    slope = forces(
        rows,
        torch.zeros(3).double(),
        torch.zeros(1, 2).double(),
        spring=2.0,
        targets=spacings(rows),
    )
    assert float(slope.abs().max()) == 0


@given(chains(), st.integers(0, 10**6))
def test_after_redistribution_pivots_stand_at_their_share_of_the_chain(band, seed):
    rows = band[0]
    shares = np.random.default_rng(seed).uniform(0.1, 1, len(rows) - 1)
    moved = redistributed(rows, shares)
    assert torch.equal(moved[0], rows[0]) and torch.equal(moved[-1], rows[-1])
    apart = (rows[1:] - rows[:-1]).norm(dim=1)
    total = float(apart.sum())
    for i in range(1, len(rows) - 1):
        left = total * shares[:i].sum() / shares.sum()
        k = 0
        while left > float(apart[k]):
            left -= float(apart[k])
            k += 1
        wanted = rows[k] + (rows[k + 1] - rows[k]) * (left / float(apart[k]))
        torch.testing.assert_close(moved[i], wanted, rtol=1e-7, atol=1e-7)


@given(st.integers(3, 12), st.integers(0, 10**6))
def test_spacings_on_a_straight_band_are_equal_after_redistribution(n, seed):
    places = np.sort(np.random.default_rng(seed).uniform(0, 1, n))
    rows = torch.as_tensor(places)[:, None] * torch.tensor([[3.0, 4.0]]).double()
    apart = spacings(redistributed(rows))
    torch.testing.assert_close(apart, apart.mean().expand(n - 1), rtol=1e-6, atol=1e-12)


def test_a_band_without_length_stays_as_it_is():
    rows = torch.ones(4, 3)
    assert torch.equal(redistributed(rows), rows)
    assert knots(rows).tolist() == [0, 1 / 3, 2 / 3, 1]


def test_an_inserted_pivot_cuts_the_share_of_its_segment():
    rows = torch.tensor([[0.0], [1.0], [3.0]])
    found, shares = inserted(rows, np.array([0.5, 0.5]), [(1, 0.25)])
    assert found[:, 0].tolist() == [0, 1, 1.5, 3]
    assert shares.tolist() == [0.5, 0.125, 0.375]


def test_knots_are_shares_of_the_arc_length():
    rows = torch.tensor([[0.0, 0], [3, 4], [3, 5]])
    assert knots(rows).tolist() == pytest.approx([0, 5 / 6, 1])


def test_a_finite_spring_of_zero_is_no_spring():
    rows = torch.tensor([[0.0, 0], [1, 1], [3, 0]]).double()
    losses, slopes = torch.tensor([0.0, 1, 2]).double(), torch.ones(1, 2).double()
    none = forces(rows, losses, slopes, spring=math.inf)
    assert torch.equal(forces(rows, losses, slopes, spring=0.0), none)
