"""Which outputs count: all floating ones, but for a library's caches, or those that are named."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from ridgeline.errors import UnknownName, UsageError
from ridgeline.io import load_symmetry, save_symmetry
from ridgeline.matching import align
from ridgeline.symmetry import rescalable, symmetries
from symmetric import Run
from symmetry.turned import false_groups

X = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
Pair = namedtuple("Pair", "score features")


class ModelOutput(OrderedDict):
    """As libraries have it: names are attributes too."""

    def __getattr__(self, name):
        return self[name]


@dataclass
class Held:
    logits: Any
    hidden_states: Any


class DynamicCache:
    def __init__(self, x):
        self.x = x


def net(after):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = {"a": nn.Linear(5, 8), "o": nn.Linear(8, 2)}
    return Run(lambda m, x: after(m.o(h := m.a(x).relu()), h), **parts)


ALL = {
    "a tuple": lambda y, h: (y, h),
    "a list": lambda y, h: [y, h],
    "a dict": lambda y, h: {"logits": y, "hidden_states": h},
    "a named tuple": Pair,
    "nested": lambda y, h: {"y": y, "more": [{"h": h}, 3, None]},
    "a feature of a library's": lambda y, h: ModelOutput(logits=y, features=h),
    "its only output": lambda y, h: ModelOutput(last_hidden_state=h),
}


@pytest.mark.parametrize("name", ALL)
def test_a_unit_that_any_output_shows_stays(name):
    model = net(ALL[name])
    found = symmetries(model, X)
    assert found.groups == ()
    assert "left out" not in str(found)


APART = {
    "hidden states": lambda y, h: ModelOutput(logits=y, hidden_states=(h,)),
    "of a data class": lambda y, h: Held(y, [h]),
    "a cache beside": lambda y, h: (y, DynamicCache(h)),
    "the last one": lambda y, h: ModelOutput(logits=y, last_hidden_state=h),
    "of an encoder": lambda y, h: ModelOutput(logits=y, encoder_last_hidden_state=h),
    "of a tower": lambda y, h: ModelOutput(embeds=y, text_model_output=ModelOutput(x=h)),
    "integers": lambda y, h: (y, (h > 0).long().argmax(1)),
}


@pytest.mark.parametrize("name", APART)
def test_caches_hidden_states_and_integers_beside_a_result_do_not_count(name):
    model = net(APART[name])
    assert [g.size for g in symmetries(model, X).groups] == [8]


def test_what_was_left_out_is_said():
    text = str(symmetries(net(APART["hidden states"]), X))
    assert "outputs left out, not proved: ['hidden_states'][0]; `outputs=` says which" in text


def test_align_and_a_file_repeat_what_was_left_out(tmp_path):
    model = net(ALL["a dict"])
    found = symmetries(model, X, outputs="logits")
    loaded = load_symmetry(save_symmetry(found, tmp_path / "symmetry.json"))
    assert loaded.left_out == found.left_out == ("['hidden_states']",)
    assert loaded.derived == found.derived
    state = model.state_dict()
    aligned = align(state, found.random(1)(state), loaded)
    assert "outputs left out, not proved: ['hidden_states']" in str(aligned)
    assert "left out" not in str(align(state, state, symmetries(net(lambda y, h: y), X)))


@pytest.mark.parametrize(("which", "groups"), [(0, [8]), ([0], [8]), (-1, []), ([0, 1], [])])
def test_outputs_are_chosen_by_position(which, groups):
    assert [g.size for g in symmetries(net(ALL["a tuple"]), X, outputs=which).groups] == groups


def test_outputs_are_chosen_by_name():
    model = net(ALL["a dict"])
    found = symmetries(model, X, outputs="logits")
    assert [g.size for g in found.groups] == [8]
    assert "not proved: ['hidden_states']" in str(found)
    assert symmetries(model, X, outputs=["logits", "hidden_states"]).groups == ()
    made = symmetries(net(ALL["a named tuple"]), X, outputs="score")
    assert [g.size for g in made.groups] == [8]
    whole = rescalable(found, model, X, outputs="logits")
    assert [m.powers for m in whole.scalings] == [(1, 1, -1)]


def test_outputs_that_are_not_there_are_refused():
    with pytest.raises(UnknownName, match=r"output.*'logit'.*logits"):
        symmetries(net(ALL["a dict"]), X, outputs="logit")
    with pytest.raises(UnknownName, match="output"):
        symmetries(net(ALL["a tuple"]), X, outputs=2)
    with pytest.raises(UsageError, match="At least one output"):
        symmetries(net(ALL["a tuple"]), X, outputs=[])


def test_two_heads_on_halves_of_a_stem():
    def run(m, x):
        a, b = m.stem(x).tanh().chunk(2, -1)
        return m.one(a), m.two(b.sin())

    model = Run(run, stem=nn.Linear(5, 8), one=nn.Linear(4, 3), two=nn.Linear(4, 3))
    found = symmetries(model, X)
    assert sorted(g.size for g in found.groups) == [4, 4]
    assert false_groups(model, found, [X.double(), torch.randn(7, 5).double()]) == {}
