"""Null spaces and their echelon forms, against what was planted."""

import numpy as np
import pytest

from ridgeline.symmetry.bases import echelon, null_space


def test_null_spaces_have_whole_bases():
    table = np.array([[1.0, -1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    basis = echelon(null_space(table))
    np.testing.assert_allclose(basis, [[1, 0, -0.5, 0], [0, 1, 0.5, 0]], atol=1e-12)


@pytest.mark.parametrize("small", [1.0, 1e-3, 1e-6])
def test_whole_numbers_come_back_from_unknowns_of_unlike_size(small):
    planted = np.array([[1.0, 0, 0, -1, -1, 0, 0], [0, 1, 1, 1, 1, -1, -1]])
    t = np.random.default_rng(0).normal(size=(30, 7)) * [0, 1, 1, small, small, small, 0]
    t[:, 0] = t[:, 3] + t[:, 4]
    t[:, 6] = t[:, 1:5].sum(1) - t[:, 5]
    sizes = np.linalg.norm(t, axis=0)
    assert np.allclose(echelon(null_space(t / sizes), sizes), planted, atol=1e-8)
