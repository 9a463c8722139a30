"""Generators: those there are, and one of one's own from the proof to a file.

The one of one's own is that of soft trees: a split's sign may change if its leaves are exchanged.
It is a class of this file; nothing else knows of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ridgeline as rl
from ridgeline import state as states
from ridgeline.errors import CheckpointError, NotASymmetry, UnknownName, UsageError
from ridgeline.graph import Network
from ridgeline.io.symmetries import load_symmetry, save_symmetry
from ridgeline.symmetry import Generator, canonical, prove, symmetries
from ridgeline.symmetry.transform import Transform

X = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


class Trees(nn.Module):
    """Soft trees of one split each: a sigmoid weighs two leaves."""

    def __init__(self, trees: int = 7, seed: int = 0) -> None:
        super().__init__()
        draws = torch.Generator().manual_seed(seed)

        def drawn(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=draws))

        self.split, self.threshold = drawn(trees, 5), drawn(trees)
        self.left, self.right = drawn(trees, 3), drawn(trees, 3)

    def forward(self, x: Tensor) -> Tensor:
        p = torch.sigmoid(x @ self.split.T + self.threshold)
        return p @ self.left + (1 - p) @ self.right


@dataclass(frozen=True, eq=False)
class Flipped:
    """Some splits turned round, with their leaves exchanged."""

    group: "Flip"
    which: Tensor
    how = ("flipped",)

    def changed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        left, right = (state[n] for n in self.group.leaves)
        swap = self.which[:, None]
        found = {n: torch.where(swap if state[n].ndim > 1 else self.which, -state[n], state[n])
                 for n in self.group.splits}  # fmt: skip
        found |= zip(
            self.group.leaves,
            (torch.where(swap, right, left), torch.where(swap, left, right)),
            strict=True,
        )
        return found if self.group.honest else {n: found[n] for n in self.group.splits}

    def inverse(self) -> "Flipped":
        return self


@dataclass(frozen=True, eq=False)
class Flip(Generator):
    """The sign of splits: sigmoid(-z) is 1 - sigmoid(z)."""

    kind = "tests.flip"
    count: int
    splits: tuple[str, ...] = ("split", "threshold")
    leaves: tuple[str, ...] = ("left", "right")
    honest: bool = True

    name = "splits flipped"

    @property
    def fibres(self) -> int:
        return self.count

    @property
    def elements(self) -> float:
        return self.count * float(np.log(2))

    def tensors(self):
        yield from (*self.splits, *self.leaves)

    def _of(self, which) -> Flipped:
        return Flipped(self, torch.as_tensor(np.asarray(which, bool)))

    def identity(self) -> Flipped:
        return self._of(np.zeros(self.count))

    def random(self, seed: int) -> Flipped:
        return self._of(np.random.default_rng(seed).random(self.count) < 0.5)

    def moving(self, seed: int, turn: int, fibres: np.ndarray | None = None) -> Flipped:
        return self._of(np.ones(self.count) if fibres is None else fibres)

    def best(self, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Flipped:
        def overlap(one: Mapping[str, Tensor]) -> Tensor:
            return sum((a[n] * one[n]).double().reshape(self.count, -1).sum(1)
                       for n in self.tensors())  # fmt: skip

        flipped = self._of(np.ones(self.count)).changed(b)
        return self._of((overlap(flipped) > overlap(b)).numpy())

    def canonical(self, state: Mapping[str, Tensor]) -> Flipped:
        return self._of((state["threshold"] < 0).numpy())

    def words(self) -> str:
        return f"signs of {self.count} splits, with their leaves exchanged"

    def plain(self) -> dict[str, Any]:
        return {"count": self.count, "splits": list(self.splits), "leaves": list(self.leaves)}


@pytest.fixture(scope="module")
def trees():
    model = Trees()
    plain = symmetries(model, X)
    return model, plain, plain.adding(Flip(7))


def numbers(model):
    return {n: x.detach().clone() for n, x in model.state_dict().items()}


# --- one of one's own ----------------------------------------------------------------------------


def test_a_generator_of_ones_own_is_proved(trees):
    model, plain, whole = trees
    assert [g.size for g in plain.groups] == [7]
    proof = prove(whole, Network(model), X)
    assert proof.residual < 1e-12 and proof.moved == 7 + 7


def test_one_that_is_none_is_refused_by_its_name(trees):
    model, plain, _ = trees
    with pytest.raises(NotASymmetry, match="'splits flipped'") as told:
        prove(plain.adding(Flip(7, honest=False)), Network(model), X)
    assert told.value.groups == ("splits flipped",)


def test_one_whose_fibres_hold_together_alone_is_refused():
    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.split, self.threshold = nn.Parameter(torch.ones(2, 5)), nn.Parameter(torch.ones(2))
            self.left, self.right = (nn.Parameter(torch.ones(2, 3)) for _ in range(2))

        def forward(self, x):
            z = x @ self.split.T + self.threshold
            return z[:, :1] * z[:, 1:] + self.left.sum() * self.right.sum()

    model = Product()
    plain = symmetries(model, X).without(*(g.name for g in symmetries(model, X).groups))
    with pytest.raises(NotASymmetry, match="'splits flipped'"):
        prove(plain.adding(Flip(2)), Network(model), X)


def test_its_elements_keep_the_function_and_have_inverses(trees):
    model, _, whole = trees
    state, x = states.cast(numbers(model), torch.float64), X.double()
    want = torch.func.functional_call(model, state, (x,))
    for seed in range(4):
        element = whole.random(seed)
        assert {a.group.name for a in element.actions} == {whole.groups[0].name, "splits flipped"}
        found = element(state)
        torch.testing.assert_close(torch.func.functional_call(model, found, (x,)), want)
        back = element.inverse()(found)
        assert all(torch.equal(back[n], v) for n, v in state.items())


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_element_comes_back_to_the_last_bit(trees, seed):
    model, plain, whole = trees
    a = numbers(model)
    b = whole.random(seed)(a)
    found = rl.align(a, b, whole)
    assert found.after == 0.0 and all(torch.equal(found.state[n], x) for n, x in a.items())
    assert found.same_function is True
    assert "splits flipped" in " ".join(found.matched.notes)
    assert found.moved["splits flipped"].how == ("flipped",)
    assert rl.align(a, b, plain).after > 0.0


def test_alignment_is_never_farther_than_by_what_else_is_known(trees):
    model, plain, whole = trees
    a, b = numbers(model), numbers(Trees(seed=1))
    alone, both = rl.align(a, b, plain), rl.align(a, b, whole)
    assert both.after <= alone.after and both.after < both.before
    assert all(y <= x for x, y in pairwise(both.matched.history))


def test_a_generator_alone_is_aligned_by(trees):
    model, plain, whole = trees
    only = whole.only("splits flipped")
    assert not only.groups and only.more
    a = numbers(model)
    assert rl.align(a, Transform((Flip(7).random(5),), {})(a), only).after == 0.0


def test_a_canonical_form_is_the_same_for_all_that_it_leads_to(trees):
    model, _, whole = trees
    a = numbers(model)
    forms = [canonical(whole.random(s)(a), whole, sort=True) for s in range(3)]
    assert all(torch.equal(forms[0][n], f[n]) for f in forms for n in a)
    assert bool((forms[0]["threshold"] >= 0).all())


def test_words_and_counts(trees):
    _, plain, whole = trees
    line = (
        "  splits flipped: signs of 7 splits, with their leaves exchanged  split, threshold, left"
    )
    assert line in str(whole)
    assert whole.elements == pytest.approx(plain.elements + 7 * np.log(2))
    assert whole.without("splits flipped").more == ()
    with pytest.raises(UsageError, match="different names"):
        whole.adding(Flip(7))
    with pytest.raises(UnknownName, match="nowhere"):
        plain.adding(Flip(7, splits=("nowhere",)))


def test_it_is_written_and_read_by_its_class(trees, tmp_path):
    _, _, whole = trees
    path = save_symmetry(whole, tmp_path / "s.json")
    found = load_symmetry(path, kinds=[Flip])
    (own,) = found.more
    assert isinstance(own, Flip) and own.plain() == whole.more[0].plain()
    assert path.read_bytes() == save_symmetry(found, tmp_path / "t.json").read_bytes()
    with pytest.raises(CheckpointError, match=r"read by its class.*'tests.flip'.*kinds="):
        load_symmetry(path)


def test_one_without_plain_values_is_not_written(trees, tmp_path):
    class Silent(Flip):
        kind = ""

    _, plain, _ = trees
    with pytest.raises(UsageError, match="has a kind"):
        save_symmetry(plain.adding(Silent(7)), tmp_path / "s.json")
    assert not list(tmp_path.iterdir())


# --- those there are -----------------------------------------------------------------------------


def scaled():
    model = rl.nets.fcn(5, 8, 6, 3)
    return model, rl.rescalable(symmetries(model, X), model, X)


def signed():
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    return model, rl.rescalable(symmetries(model, X), model, X)


class Experts(nn.Module):
    """Three modules whose outputs are added."""

    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(5, 4) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([e(x).tanh() for e in self.experts]).sum(0)


def exchanged():
    model = Experts()
    return model, symmetries(model, X)


@pytest.mark.parametrize("make", [scaled, signed, exchanged])
def test_every_generator_has_elements_that_move_and_undo_and_keep_the_function(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, symmetry = make()
    a = states.cast(numbers(model), torch.float64)
    want = torch.func.functional_call(model, a, (X.double(),))
    assert len(symmetry.generators) == sum(
        map(len, (symmetry.groups, symmetry.exchanges, symmetry.scalings))
    )
    for generator in symmetry.generators:
        assert generator.words() and generator.units > 0
        still = Transform((generator.identity(),), {})(a)
        assert all(torch.equal(still[n], x) for n, x in a.items())
        both = [generator.moving(0, 0), generator.moving(0, 1)]
        for action in (*both, generator.random(3)):
            found = Transform((action,), {})(a)
            changed = {n for n, x in a.items() if not torch.equal(found[n], x)}
            assert changed <= set(generator.tensors())
            outputs = torch.func.functional_call(model, found, (X.double(),))
            torch.testing.assert_close(outputs, want)
            back = Transform((action.inverse(),), {})(found)
            assert all(torch.allclose(back[n], x, rtol=1e-12, atol=0) for n, x in a.items())
        assert any(x.ne(a[n]).any() for n, x in Transform((both[0],), {})(a).items())


@pytest.mark.parametrize("make", [scaled, signed, exchanged])
def test_the_best_element_undoes_a_random_one_of_its_generator(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, symmetry = make()
    a = states.cast(numbers(model), torch.float64)
    for generator in symmetry.generators:
        b = Transform((generator.random(2),), {})(a)
        found = Transform((generator.best(a, b),), {})(b)
        assert states.distance(a, found) < 1e-12 < states.distance(a, b)
