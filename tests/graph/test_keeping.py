"""Things that modules hold besides their weights, put back as they were."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ridgeline.graph.keeping import Holders, holders_of, is_library, leaves_of


class Kept:
    def __init__(self):
        self.value = 1


class Module(nn.Module):
    shared = {"a": 1}  # noqa: RUF012 (what a class of the user may have)
    total = 0

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.table, self.list, self.set = {"a": [1]}, [1, 2], {1}
        self.queue, self.thing = deque([1]), Kept()
        self.space = SimpleNamespace(deep={"x": 1})


CHANGES = {
    "an attribute": lambda m: setattr(m, "new", 1),
    "an attribute of a part": lambda m: setattr(m.inner, "new", 1),
    "a value of a dict": lambda m: m.table.update(a=None),
    "a key of a dict": lambda m: m.table.update(b=1),
    "a list in a dict": lambda m: m.table["a"].append(2),
    "a list": lambda m: m.list.__setitem__(0, 5),
    "a set": lambda m: m.set.add(2),
    "a queue": lambda m: m.queue.append(2),
    "an object": lambda m: setattr(m.thing, "value", 2),
    "a deep dict": lambda m: m.space.deep.clear(),
    "a class": lambda m: setattr(type(m), "total", 3),
    "a new name of a class": lambda m: setattr(type(m), "more", 3),
    "a table of a class": lambda m: type(m).shared.update(b=2),
    "a buffer": lambda m: m.register_buffer("fresh", torch.ones(1)),
    "a module": lambda m: m.add_module("extra", nn.ReLU()),
    "a name that is gone": lambda m: delattr(m, "queue"),
}


def picture(m):
    kinds = {k: v for k, v in vars(type(m)).items() if k[:2] != "__" and not callable(v)}
    held = {k: repr(v) for k, v in vars(m).items() if k != "thing"}
    return (
        held,
        repr(kinds),
        vars(m.inner).keys(),
        m.thing.value,
        list(m._modules),
        list(m._buffers),
    )


@pytest.mark.parametrize("change", list(CHANGES))
def test_every_change_is_told_and_undone(change):
    model = Module()
    holders = Holders(model)
    before, was = holders.held(), picture(model)
    objects = model.table, model.list, model.set, model.thing
    assert holders.changed(before) == []
    CHANGES[change](model)
    assert holders.changed(before)
    holders.put_back(before)
    assert picture(model) == was and holders.changed(holders.held()) == []
    now = model.table, model.list, model.set, model.thing
    assert all(x is y for x, y in zip(objects, now, strict=True))


def test_what_is_held_now_is_what_is_told_and_modes_are_not():
    model = Module()
    holders = Holders(model)
    before = holders.held()
    new = torch.ones(1)
    model.eval()
    assert holders.changed(before) == []
    model.table["b"] = new
    assert [x is new for x in holders.changed(before)] == [True]


def test_a_list_is_told_whole_and_what_is_gone_as_none():
    model = Module()
    holders = Holders(model)
    before = holders.held()
    model.list.append(3)
    assert holders.changed(before) == [1, 2, 3]
    model.list.pop()
    del model.table["a"]
    assert None in holders.changed(before)


def test_attributes_and_fleeting_buffers_are_held_and_weights_are_not():
    model = Module()
    model.inner.register_buffer("fleeting", torch.ones(1), persistent=False)
    model.inner.register_buffer("lasting", torch.ones(1))
    found = {(name, key) for name, _, key, _ in holders_of(model)}
    assert {("", "table"), ("", "thing"), ("inner", "fleeting")} <= found
    assert not {("inner", "lasting"), ("inner", "weight"), ("", "training")} & found
    assert all(part is (model.inner if name else model) for name, part, _, _ in holders_of(model))


def test_leaves_are_looked_for_in_containers_and_objects_of_the_users():
    one, array = torch.ones(1), np.ones(1)
    nest = {"a": [(one, 2)], "b": SimpleNamespace(x=deque([array])), "c": Kept(), "d": None}
    found = leaves_of(nest)
    assert any(x is one for x in found) and any(x is array for x in found)
    assert {x for x in found if isinstance(x, int)} == {1, 2}


@pytest.mark.parametrize(
    ("name", "library"),
    [("torch.nn", True), ("numpy", True), ("collections.abc", True), ("__main__", False),
     ("torchvision.models", False), ("mine.json", False), (None, False)],
)  # fmt: skip
def test_code_of_the_users_is_known_by_its_home(name, library):
    assert is_library(name) is library
