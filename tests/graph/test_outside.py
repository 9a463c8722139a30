"""Caches outside of the module are refused, at its first use and later; harmless ones are not."""

import threading

import pytest
import torch
import torch.nn.functional as F

from graph import computing
from ridgeline.errors import StaleWeights
from ridgeline.objective import Objective

X = torch.randn(12, 6, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 3
SAID = r"Got {}, which gives what it computed of other weights \(it keeps {}\)"
TABLE, ROWS, THREAD = {}, [], threading.local()
KERNEL = None


class Cell:
    __slots__ = ("size", "w")

    def __init__(self):
        self.w = self.size = None


class Base(computing.Base):
    def computed(self):
        return super().computed().detach()


class InGlobalTable(Base):
    def kernel(self):
        if "w" not in TABLE:
            TABLE["w"] = self.computed()
        return TABLE["w"]


class NumberInGlobalTable(Base):
    def kernel(self):
        if "norm" not in TABLE:
            TABLE["norm"] = self.a.weight.norm().item()
        return self.a.weight / TABLE["norm"]


class InGlobalList(Base):
    def kernel(self):
        if not ROWS:
            ROWS.append(self.computed())
        return ROWS[0]


class InGlobal(Base):
    def kernel(self):
        global KERNEL  # noqa: PLW0603 (as users do it)
        if KERNEL is None:
            KERNEL = self.computed()
        return KERNEL


class InThread(Base):
    def kernel(self):
        if not hasattr(THREAD, "w"):
            THREAD.w = self.computed()
        return THREAD.w


class InDefault(Base):
    def kernel(self, kept={}):  # noqa: B006 (as users do it)
        if "w" not in kept:
            kept["w"] = self.computed()
        return kept["w"]


class InClosure(Base):
    def prepare(self):
        kept = {}

        def get(computed):
            if "w" not in kept:
                kept["w"] = computed()
            return kept["w"]

        self.get = get

    def kernel(self):
        return self.get(self.computed)


class InVariable(Base):
    def prepare(self):
        kept = None

        def get(computed):
            nonlocal kept
            if kept is None:
                kept = computed()
            return kept

        self.get = get

    def kernel(self):
        return self.get(self.computed)


def by_helper(module):
    if not hasattr(by_helper, "w"):
        by_helper.w = module.computed()
    return by_helper.w


class OnFunction(Base):
    def kernel(self):
        return by_helper(self)


class InSlots(Base):
    def prepare(self):
        self.cell = Cell()

    def kernel(self):
        if self.cell.w is None:
            self.cell.w = self.computed()
        return self.cell.w


class NumberInSlots(Base):
    def prepare(self):
        self.cell = Cell()

    def kernel(self):
        if self.cell.size is None:
            self.cell.size = self.a.weight.norm().item()
        return self.a.weight / self.cell.size


@pytest.fixture(autouse=True)
def _emptied():
    yield
    globals()["KERNEL"] = None
    TABLE.clear()
    ROWS.clear()
    vars(THREAD).clear()
    vars(by_helper).clear()
    InDefault.kernel.__defaults__[0].clear()


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (InGlobalTable, "the global TABLE"),
        (NumberInGlobalTable, "the global TABLE"),
        (InGlobalList, "the global ROWS"),
        (InGlobal, "a global of .*test_outside"),
        (InThread, "the global THREAD"),
        (InDefault, r"a default argument of InDefault\.kernel"),
        (InClosure, "the variable kept around get"),
        (InVariable, "the variable kept around get"),
        (OnFunction, "an attribute of the function by_helper"),
        (InSlots, "what cell holds"),
        (NumberInSlots, "what cell holds"),
    ],
)
def test_what_is_kept_outside_is_refused_by_name(kind, said, used):
    model = kind()
    if used:
        model.eval()(X)
    with pytest.raises(StaleWeights, match=SAID.format(kind.__name__, said)) as caught:
        Objective(model, (X, Y))
    assert "not in a cache outside of the module" in str(caught.value)


def test_what_was_kept_before_is_there_after():
    model = InGlobalTable()
    model(X)
    kept = TABLE["w"]
    with pytest.raises(StaleWeights):
        Objective(model, (X, Y))
    assert TABLE["w"] is kept
    TABLE.clear()
    with pytest.raises(StaleWeights):
        Objective(model, (X, Y))
    assert not TABLE


class Angles(Base):
    def kernel(self):
        if "angles" not in TABLE:
            TABLE["angles"] = torch.arange(6.0).cos()
        return self.a.weight * TABLE["angles"]


class Drawn(Base):
    """Features at random, drawn once for all."""

    def kernel(self):
        if "drawn" not in TABLE:
            TABLE["drawn"] = torch.randn(6, 6)
        return self.a.weight @ TABLE["drawn"]


class Logs(Base):
    def kernel(self):
        ROWS.append(self.computed())
        return self.a.weight


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("kind", [Angles, Drawn, Logs])
def test_what_is_of_no_weights_or_not_read_may_be_kept_anywhere(kind, used):
    model = kind().eval()
    if used:
        model(X)
    goal = Objective(model, (X, Y))
    with torch.no_grad():
        want = float(F.cross_entropy(model(X), Y))
    assert float(goal(model.state_dict())["loss"].mean()) == pytest.approx(want, rel=1e-5)


def test_a_table_that_was_filled_by_an_objective_may_be_trained_with():
    model = Angles()
    Objective(model, (X, Y))
    model(X).sum().backward()
    assert model.a.weight.grad.abs().sum() > 0
