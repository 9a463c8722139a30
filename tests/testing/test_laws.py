"""The laws catch those who break them: every one is broken here once."""

import numpy as np
import pytest
import torch

from ridgeline.paths import Combination, Line
from ridgeline.testing import check_path


def state(seed):
    rng = torch.Generator().manual_seed(seed)
    return {"w": torch.randn(3, generator=rng), "n": torch.tensor(10 * seed)}


A, B = state(1), state(2)


class Broken(Line):
    """A line with one thing wrong."""

    def __init__(self, fault):
        super().__init__(state(1), state(2))
        object.__setattr__(self, "fault", fault)

    def combination(self, t):
        right = super().combination(t)
        if self.fault == "lost position" and len(t) > 2:
            return right.take(range(len(t) - 1))
        if self.fault in ("sums", "labels", "stands still"):
            return Wrong(right.basis, right.tables, right.table_of, self.fault)
        return right

    def __call__(self, t):
        made = super().__call__(t)
        if self.fault == "rounded end" and t == 1:
            made["w"] = self.a["w"] + (self.b["w"] - self.a["w"]) * (1 + 1e-6)
        if self.fault == "other names" and t == 0:
            made["more"] = made["w"]
        if self.fault == "lost tensor" and t == 1:
            del made["n"]
        return made

    def tangent(self, t):
        made = super().tangent(t)
        if self.fault == "tangent":
            made["w"] = made["w"] * 1.01
        if self.fault == "label's tangent":
            made["n"] = torch.tensor(0)
        if self.fault == "no tangent":
            del made["w"]
        if self.fault == "writes":
            self.b["n"].add_(1)
        return made


class Wrong(Combination):
    def __init__(self, basis, tables, table_of, fault):
        super().__init__(basis, tables, table_of)
        object.__setattr__(self, "fault", fault)

    def table(self, name):
        return super().table(name) * (1.001 if self.fault == "sums" else 1)

    def tensor(self, name, k, *, dtype=None):
        if self.fault == "labels" and name == "n":
            row = super().table(name)[k]
            return (row[0] * self.basis[0][name] + row[1] * self.basis[1][name]).long()
        return super().tensor(name, k, dtype=dtype)

    @property
    def moving(self):
        return frozenset() if self.fault == "stands still" else super().moving


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("rounded end", "'w' at t = 1 is not that of the end, bit for bit"),
        ("other names", r"path\(0\) has other tensors"),
        ("lost tensor", r"path\(1\) has other tensors"),
        ("lost position", "7 positions gave 6 states"),
        ("sums", "coefficients of 'w' sum to"),
        ("stands still", "moves, and is not among the moving"),
        ("labels", "label 'n' at t = 0.*is that of no basis state"),
        ("tangent", "tangent of 'w' at t = 0.0837 is not the derivative"),
        ("no tangent", "tangent of 'w'"),
        ("label's tangent", "label 'n' has a tangent"),
        ("writes", "changed 'n' of basis state 1"),
    ],
)
def test_a_broken_law_is_named(fault, message):
    path = Broken(fault)
    with pytest.raises(AssertionError, match=message):
        check_path(path, a=A, b=B)


def test_a_lost_tensor_is_seen_where_no_end_was_given():
    with pytest.raises(AssertionError, match=r"path\(1\) has other tensors"):
        check_path(Broken("lost tensor"))


def test_a_path_that_is_right_passes():
    check_path(Broken("none"), a=A, b=B)
    check_path(Line(A, B))


def test_another_end_than_was_given_is_seen():
    zero = {"w": torch.tensor([0.0, -0.0]), "v": torch.tensor(1.0)}
    plus = {**zero, "w": torch.tensor([0.0, 0.0])}
    with pytest.raises(AssertionError, match=r"'w' at t = 0 .* bit for bit"):
        check_path(Line(zero, {**plus, "v": torch.tensor(2.0)}), a=plus)
    with pytest.raises(AssertionError, match="at t = 1"):
        check_path(Line(A, B), b={**B, "w": B["w"].double()})


def test_a_rate_that_does_not_start_at_zero_is_seen():
    class Late:
        def __call__(self, t):
            return 0.1 + 0.9 * t

        def slope(self, t):
            return 0.9

    with pytest.raises(AssertionError, match="'w' at t = 0"):
        check_path(Line(A, B, rates={"w": Late()}), a=A, b=B)


def test_steps_and_positions_may_be_chosen():
    check_path(Line(A, B), at=np.linspace(0.1, 0.9, 3), step=1e-4, tolerance=1e-8)
