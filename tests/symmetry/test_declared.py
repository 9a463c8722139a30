"""What modules say of themselves: taken with the network's names, proved, or left out by name."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ridgeline as rl
from ridgeline.errors import CheckpointError, UsageError
from ridgeline.io.symmetries import load_symmetry, save_symmetry
from ridgeline.nets import SoftTrees
from ridgeline.symmetry import Generator
from ridgeline.symmetry.within import Within


def numbers(model: nn.Module):
    return {n: x.detach().clone() for n, x in model.state_dict().items()}


@dataclass(frozen=True, eq=False)
class Reflected:
    group: "Reflection"
    which: np.ndarray
    how = ("reflected",)

    def changed(self, state):
        signs = torch.from_numpy(np.where(self.which, -1.0, 1.0))
        return {n: state[n] * signs.to(state[n].dtype) for n in self.group.tensors()}

    def inverse(self):
        return self


@dataclass(frozen=True, eq=False)
class Reflection(Generator):
    """The signs of factors whose product counts."""

    kind = "tests.reflection"
    size: int
    tensors_of: tuple[str, ...] = ("one", "other")

    name = "signs"

    @property
    def fibres(self):
        return self.size

    def tensors(self):
        yield from self.tensors_of

    def identity(self):
        return Reflected(self, np.zeros(self.size, bool))

    def random(self, seed):
        return Reflected(self, np.random.default_rng(seed).random(self.size) < 0.5)

    def moving(self, seed, turn, fibres=None):
        return Reflected(self, np.ones(self.size, bool) if fibres is None else fibres)

    def best(self, a, b):
        inner = sum((a[n] * b[n]).double() for n in self.tensors())
        return Reflected(self, (inner < 0).numpy())

    def canonical(self, state):
        return Reflected(self, (state[self.tensors_of[0]] < 0).numpy())

    def words(self):
        return f"signs of {self.size} factors"

    def plain(self):
        return {"size": self.size, "tensors_of": list(self.tensors_of)}

    @classmethod
    def given(cls, tree):
        return cls(int(tree["size"]), tuple(tree["tensors_of"]))


class Factors(nn.Module):
    """Scales each feature by a product of two numbers."""

    def __init__(self, size: int, says=Reflection) -> None:
        super().__init__()
        self.one, self.other = (nn.Parameter(torch.randn(size)) for _ in range(2))
        self.says = says

    def forward(self, x: Tensor) -> Tensor:
        return x * self.one * self.other

    def symmetries(self):
        return [self.says(len(self.one))]


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


@pytest.fixture(scope="module")
def mixed():
    """Trees between two layers, whose units are theirs too."""
    model = seeded(
        lambda: nn.Sequential(
            *(nn.Linear(4, 5), nn.ReLU()),
            SoftTrees(5, 6, trees=3, depth=2, kind="perfect"),
            *(nn.ReLU(), nn.Linear(6, 2)),
        )
    )
    return model, rl.symmetries(model, torch.randn(2, 4))


def test_trees_within_a_network_bear_its_names_and_layers_are_found_as_usual(mixed):
    _, symmetry = mixed
    assert [g.name for g in symmetry.more] == ["2.flips", "2.permutation", "2.offsets"]
    assert list(symmetry.more[0].tensors()) == ["2.weight", "2.bias", "2.leaves"]
    places = {g.name: {(p.tensor, p.axis) for p in g.places} for g in symmetry.groups}
    assert places["0"] == {("0.weight", 0), ("0.bias", 0), ("2.weight", 2)}
    assert {("2.leaves", 2), ("4.weight", 1)} in places.values()
    assert len(places) == 2


def test_a_planted_element_of_both_comes_back(mixed):
    model, symmetry = mixed
    a = numbers(model)
    b = symmetry.only(*(g.name for g in symmetry.generators if g.name != "2.offsets")).random(3)(a)
    found = rl.align(a, b, symmetry)
    assert found.same_function is True and found.after < 1e-5 < 1 < found.before
    assert found.moved["2.trees"].how


def test_what_a_module_says_is_kept_in_a_file(mixed, tmp_path):
    model, symmetry = mixed
    found = load_symmetry(save_symmetry(symmetry, tmp_path / "s.json"))
    a = numbers(model)
    one, other = (s.random(2)(a) for s in (symmetry, found))
    assert all(torch.equal(one[n], x) for n, x in other.items())


def test_the_block_of_the_docs_runs():
    page = (Path(__file__).parents[2] / "docs" / "symmetries.md").read_text()
    (block,) = re.findall(r"run by a test:\n\n```python\n(.*?)```", page, re.S)
    held = {}
    with torch.random.fork_rng():
        exec(compile(block, "symmetries.md", "exec"), held)
    assert held["declared"] == ["2.signs"]


def test_a_users_module_says_its_own_and_it_is_saved_by_its_class(tmp_path):
    model = seeded(lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), Factors(4), nn.Linear(4, 2)))
    symmetry = rl.symmetries(model, torch.randn(2, 3))
    (own,) = symmetry.more
    assert isinstance(own, Within) and own.name == "2.signs"
    a = numbers(model)
    b = symmetry.random(1)(a)
    assert rl.align(a, b, symmetry).after < 1e-6
    path = save_symmetry(symmetry, tmp_path / "s.json")
    assert load_symmetry(path, kinds=[Reflection]).more[0].plain() == own.plain()
    with pytest.raises(CheckpointError, match=r"'tests\.reflection'"):
        load_symmetry(path)


def test_a_false_declaration_is_dropped_by_its_name_and_the_rest_stays():
    def half(size):
        return Reflection(size, ("one",))

    model = seeded(
        lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), Factors(4, half), nn.Linear(4, 2))
    )
    symmetry = rl.symmetries(model, torch.randn(2, 3))
    assert not symmetry.more and [g.name for g in symmetry.groups] == ["0"]
    (note,) = [n for n in symmetry.derived if "dropped" in n]
    assert note.startswith("declared, but dropped because outputs change: '2.signs' (")
    assert "made in 2.one" in note and note in str(symmetry)


def test_a_declaration_of_a_tensor_that_is_not_there_is_left_out_by_name():
    def lost(size):
        return Reflection(size, ("one", "third"))

    model = seeded(lambda: nn.Sequential(nn.Linear(3, 4), Factors(4, lost)))
    symmetry = rl.symmetries(model, torch.randn(2, 3))
    assert not symmetry.more
    assert any("module '1'" in n and "'1.third'" in n for n in symmetry.derived)


def test_a_module_that_stands_twice_says_it_once():
    def make():
        shared = Factors(4)
        return nn.Sequential(shared, nn.Linear(4, 4), shared)

    symmetry = rl.symmetries(seeded(make), torch.randn(2, 4))
    assert [g.name for g in symmetry.more] == ["0.signs"]


def test_names_that_groups_bear_are_told_apart():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.signs = nn.Linear(3, 4)
            self.read = nn.Linear(4, 2)
            self.one, self.other = (nn.Parameter(torch.randn(2)) for _ in range(2))

        def forward(self, x):
            return self.read(self.signs(x).tanh()) * self.one * self.other

        def symmetries(self):
            return (Reflection(2),)

    symmetry = rl.symmetries(seeded(Named), torch.randn(2, 3))
    assert [g.name for g in symmetry.groups] == ["signs"]
    assert [g.name for g in symmetry.more] == ["signs 2"]


def test_a_method_of_the_same_name_that_takes_arguments_is_left_aside():
    class Other(nn.Linear):
        def symmetries(self, group):
            raise AssertionError(group)

    symmetry = rl.symmetries(seeded(lambda: nn.Sequential(Other(3, 2))), torch.randn(2, 3))
    assert any("module '0' has a method `symmetries` that takes" in n for n in symmetry.derived)


def test_one_that_gives_something_else_is_refused():
    model = seeded(lambda: nn.Sequential(Factors(4, lambda size: "mirror")))
    with pytest.raises(UsageError, match=r"list or tuple of generators.*str from module '0'"):
        rl.symmetries(model, torch.randn(2, 4))
