"""Modules that keep what they compute of their weights: a plain loop's number, or words."""

import copy
import functools
import types
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import forward_ad

import ridgeline as rl
from graph.computing import Base
from ridgeline.errors import StaleWeights
from ridgeline.graph import Network, empty_caches
from ridgeline.graph.shaking import shaken
from ridgeline.objective import Objective

X = torch.randn(30, 6, generator=torch.Generator().manual_seed(0)).double()
Y = torch.arange(30) % 3


class InAttribute(Base):
    def prepare(self):
        self.w = None

    def kernel(self):
        if self.w is None:
            self.w = self.computed()
        return self.w


class WhenAbsent(Base):
    def kernel(self):
        if not hasattr(self, "w"):
            with torch.no_grad():
                self.w = self.computed()
        return self.w


class InDict(Base):
    def prepare(self):
        self.cache = {"w": None}

    def kernel(self):
        if self.cache["w"] is None:
            self.cache["w"] = self.computed().detach()
        return self.cache["w"]


class InGrowingDict(Base):
    def prepare(self):
        self.cache = {}

    def kernel(self):
        return self.cache.setdefault("w", None) if "w" in self.cache else self.fill()

    def fill(self):
        self.cache["w"] = self.computed()
        return self.cache["w"]


class InList(Base):
    def prepare(self):
        self.cache = []

    def kernel(self):
        if not self.cache:
            self.cache.append(self.computed())
        return self.cache[0]


class InNested(Base):
    def prepare(self):
        self.cache = {"layers": [{"w": None}]}

    def kernel(self):
        slot = self.cache["layers"][0]
        if slot["w"] is None:
            slot["w"] = self.computed()
        return slot["w"]


class InObject(Base):
    def prepare(self):
        self.box = types.SimpleNamespace(w=None)

    def kernel(self):
        if self.box.w is None:
            self.box.w = self.computed()
        return self.box.w


class OnSubmodule(Base):
    def kernel(self):
        if not hasattr(self.a, "w"):
            self.a.w = self.computed().detach()
        return self.a.w


class OnClass(Base):
    w = None

    def kernel(self):
        if OnClass.w is None:
            type(self).w = self.computed().detach()
        return type(self).w


class CachedProperty(Base):
    @functools.cached_property
    def w(self):
        return self.computed()

    def kernel(self):
        return self.w


class WithFlag(Base):
    """Written into a tensor that is there before."""

    def prepare(self):
        self.w, self.ready = torch.zeros(8, 6).double(), False

    def kernel(self):
        if not self.ready:
            with torch.no_grad():
                self.w.copy_(self.computed())
            self.ready = True
        return self.w


class AsBuffer(Base):
    def kernel(self):
        if "w" not in self._buffers:
            self.register_buffer("w", self.computed().detach(), persistent=False)
        return self.w


class Norm(Base):
    """A number of Python."""

    def prepare(self):
        self.size = None

    def kernel(self):
        if self.size is None:
            self.size = float(self.a.weight.detach().norm())
        return self.a.weight / self.size


class InTuple(Base):
    def prepare(self):
        self.held = (None,)

    def kernel(self):
        if self.held[0] is None:
            self.held = (self.computed().detach(),)
        return self.held[0]


class Replaced(Base):
    """Another module in the place of one, as re-parametrisation does it."""

    def forward(self, x):
        if type(self.a) is nn.Linear:
            fused = nn.Linear(6, 8).double()
            fused.weight.data, fused.bias.data = self.computed().data, self.a.bias.data
            self.a = nn.Sequential(fused)
        return self.o(torch.relu(self.a(x)))


class Rounded(Base):
    """Quantised once."""

    def prepare(self):
        self.w = self.scale = None

    def kernel(self):
        if self.w is None:
            w = self.computed().detach()
            self.scale = float(w.abs().max()) / 127
            self.w = (w / self.scale).round().to(torch.int8)
        return self.w.double() * self.scale


class Lora(Base):
    """Adds its factors in evaluation mode, in place."""

    def prepare(self):
        self.down = nn.Parameter(torch.randn(2, 6))
        self.up = nn.Parameter(torch.randn(8, 2))
        self.merged = False

    def train(self, mode=True):
        super().train(mode)
        if mode and self.merged:
            self.a.weight.data -= self.up @ self.down
        if not mode and not self.merged:
            self.a.weight.data += self.up @ self.down
        self.merged = not mode
        return self

    def kernel(self):
        return self.a.weight if self.merged else self.a.weight + self.up @ self.down


class Expanded(Base):
    """Expands a table in evaluation mode."""

    def prepare(self):
        self.table = nn.Parameter(torch.randn(4))
        self.register_buffer("at", torch.arange(48).reshape(8, 6) % 4, persistent=False)

    @torch.no_grad()
    def train(self, mode=True):
        super().train(mode)
        if mode and hasattr(self, "expanded"):
            del self.expanded
        elif not mode:
            self.expanded = self.table[self.at]
        return self

    def kernel(self):
        return self.a.weight + (self.table[self.at] if self.training else self.expanded)


class ByDevice(Base):
    """Keeps the table by device in evaluation mode, and forgets it in training mode."""

    def prepare(self):
        self.table = nn.Parameter(torch.randn(4))
        self.register_buffer("at", torch.arange(48).reshape(8, 6) % 4, persistent=False)
        self.cache = {}

    @torch.no_grad()
    def train(self, mode=True):
        super().train(mode)
        if mode and self.cache:
            self.cache = {}
        return self

    def kernel(self):
        if self.training:
            return self.a.weight + self.table[self.at]
        key = str(self.table.device)
        if key not in self.cache:
            self.cache[key] = self.table[self.at]
        return self.a.weight + self.cache[key]


class Fused(Base):
    """Two branches that `eval()` makes one."""

    def prepare(self):
        self.b = nn.Linear(6, 8)

    def train(self, mode=True):
        super().train(mode)
        if not mode and hasattr(self, "b"):
            self.one = nn.Linear(6, 8).to(self.a.weight)
            self.one.weight.data = self.a.weight.data + self.b.weight.data
            self.one.bias.data = self.a.bias.data + self.b.bias.data
            del self.a, self.b
        return self

    def forward(self, x):
        h = self.one(x) if hasattr(self, "one") else self.a(x) + self.b(x)
        return self.o(torch.relu(h))


class Positions(Base):
    """Keeps what depends on no weights."""

    def prepare(self):
        self.angles = None
        self.made = [0]

    def forward(self, x):
        if self.angles is None:
            self.made[0] += 1
            self.angles = torch.arange(6).to(x).cos()
        return self.o(torch.relu(self.a(x * self.angles)))


class ByAddress(Base):
    """Computed again where the weight is another tensor, or was written to."""

    def prepare(self):
        self.key = self.w = None

    def kernel(self):
        weight = self.a.weight
        key = (id(weight), weight._version)
        if self.key != key:
            self.key, self.w = key, self.computed().detach()
        return self.w


class ByVersion(ByAddress):
    def kernel(self):
        version = self.a.weight._version
        if self.key != version:
            self.key, self.w = version, self.computed().detach()
        return self.w


class TableByAddress(Base):
    def prepare(self):
        self.cache = {}

    def kernel(self):
        key = (id(self.a.weight), self.a.weight._version)
        if key not in self.cache:
            self.cache[key] = self.computed().detach()
        return self.cache[key]


class ByLambda(Base):
    def prepare(self):
        self.kernel = lambda: 2 * self.computed()


class ByInnerFunction(Base):
    def prepare(self):
        def of(x):
            return self.computed() + 0 * x.mean()

        self.functions = {"w": lambda: of(self.o.weight)}

    def kernel(self):
        return self.functions["w"]()


class Child(nn.Module):
    def __init__(self, parent):
        super().__init__()
        self.parent = weakref.ref(parent)

    def forward(self):
        return self.parent().computed()


class ByParent(Base):
    def prepare(self):
        self.child = Child(self)

    def kernel(self):
        return self.child()


class ByHook(Base):
    def prepare(self):
        self.seen = {}
        self.a.register_forward_hook(lambda m, x, y: self.seen.update(w=self.computed()))

    def kernel(self):
        self.a(X[:1])
        return self.seen["w"]


RIGHT = [
    *(InAttribute, WhenAbsent, InDict, InGrowingDict, InList, InNested, InObject, OnSubmodule),
    *(OnClass, CachedProperty, WithFlag, Replaced, Rounded, Lora, Expanded, ByDevice, Fused),
    *(Positions, AsBuffer, Norm, InTuple, ByAddress, ByVersion, TableByAddress),
    *(ByLambda, ByInnerFunction, ByParent, ByHook),
]


def seeded(kind, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind().double()


def by_loop(kind, states):
    """The loss of each state by a module that was made for it."""
    found = []
    for state in states:
        net = seeded(kind, 9)
        net.load_state_dict(state)
        with torch.no_grad():
            found.append(float(F.cross_entropy(net.eval()(X), Y)))
        if kind is OnClass:
            OnClass.w = None
    return found


def pieces(model):
    """All that a module is made of, by identity and by value."""
    found = {}
    for name, part in model.named_modules():
        for key, x in {**vars(part), **part._parameters, **part._buffers, **part._modules}.items():
            found[name, key] = (id(x), copy.deepcopy(x.detach()) if torch.is_tensor(x) else repr(x))
    return found


def unchanged(before, after):
    assert before.keys() == after.keys()
    for key, (identity, x) in before.items():
        assert identity == after[key][0], key
        assert torch.equal(x, after[key][1]) if torch.is_tensor(x) else x == after[key][1], key


@pytest.mark.parametrize("strategy", ["loop", "batched", "shared"])
@pytest.mark.parametrize("kind", RIGHT)
def test_the_line_sees_all_weights_move(kind, strategy):
    a, b = (rl.state.capture(seeded(kind, seed)) for seed in (0, 1))
    line, model = rl.Line(a, b), seeded(kind, 2)
    want = by_loop(kind, [line(t) for t in (0, 0.5, 1)])
    before = pieces(model)
    goal = Objective(model, (X, Y), dtype=torch.float64)
    try:
        found = rl.profile(line, goal, points=3, strategy=strategy)
    except (rl.errors.NotTraceable, rl.errors.ForwardFailed):
        assert strategy != "loop"  # in words
    else:
        assert found.curve().mean == pytest.approx(want, rel=1e-9)
    unchanged(before, pieces(model))


@pytest.mark.parametrize(
    "kind", [k for k in RIGHT if k not in (OnClass, WithFlag, Replaced, Fused)]
)
def test_a_module_that_was_used_before_too(kind):
    a, b = (rl.state.capture(seeded(kind, seed)) for seed in (0, 1))
    line, model = rl.Line(a, b), seeded(kind, 2)
    want = by_loop(kind, [line(t) for t in (0, 0.5, 1)])
    if kind is not Lora:  # a merged one takes what it is given for merged
        model.eval()
    model(X)
    before = pieces(model)
    found = rl.profile(line, Objective(model, (X, Y), dtype=torch.float64), points=3)
    assert found.curve().mean == pytest.approx(want, rel=1e-9)
    unchanged(before, pieces(model))
    if kind is OnClass:
        assert OnClass.w is not None
        OnClass.w = None


def test_what_depends_on_no_weights_is_computed_once():
    model = seeded(Positions)
    model(X)
    goal = Objective(model, (X, Y), dtype=torch.float64)
    assert not goal.network.emptied and goal.network.module.angles is not None
    made = goal.network.module.made
    goal(rl.state.capture(model))
    assert made == [1]


class ByCall(Base):
    @functools.lru_cache  # noqa: B019 (as users do it)
    def kernel(self):
        return self.computed().detach()


WEAK: weakref.WeakKeyDictionary[nn.Module, torch.Tensor] = weakref.WeakKeyDictionary()


class Weak(Base):
    def kernel(self):
        if self not in WEAK:
            WEAK[self] = self.computed().detach()
        return WEAK[self]


class OnLoading(Base):
    def prepare(self):
        self.w = self.computed().detach()
        self.register_load_state_dict_post_hook(lambda m, _: setattr(m, "w", m.computed().detach()))

    def _apply(self, fn, *args):
        super()._apply(fn, *args)
        self.w = fn(self.w)
        return self

    def kernel(self):
        return self.w


class Alias(Base):
    """A view of a weight, which moves when the weight is loaded."""

    def _apply(self, fn, *args):
        super()._apply(fn, *args)
        self.w = self.a.weight.data
        return self

    def kernel(self):
        return self.w


class FlaggedBuffer(Base):
    def prepare(self):
        self.register_buffer("w", torch.zeros(8, 6), persistent=False)
        self.register_buffer("ready", torch.tensor(False), persistent=False)

    def kernel(self):
        if not self.ready:
            self.w.copy_(self.computed().detach())
            self.ready.fill_(True)
        return self.w


def test_a_buffer_that_is_filled_once_is_refused_after_use():
    model = seeded(FlaggedBuffer)
    model(X)
    with pytest.raises(rl.errors.NotDeterministic, match=r"writes to its buffer '(w|ready)'"):
        Objective(model, (X, Y), dtype=torch.float64)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (ByCall, "ByCall, which gives.*what kernel gave, by functools"),
        (Weak, "Weak, which gives"),
        (OnLoading, "OnLoading, which gives.*keeps w"),
        (Alias, "Alias, which gives.*keeps w"),
        (lambda: nn.Sequential(nn.Linear(6, 6), Alias()), "Alias at '1', which gives"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(kind, named):
    model = seeded(kind)
    with pytest.raises(StaleWeights, match=f"must follow its weights.*Got {named}") as caught:
        Objective(model, (X, Y), dtype=torch.float64)
    assert "Compute it in `forward`" in str(caught.value)


def test_a_weight_that_a_forward_clips_is_refused_and_stays():
    class Clipped(Base):
        def kernel(self):
            self.a.weight.data.clamp_(-0.1, 0.1)
            return self.a.weight

    model = seeded(Clipped)
    before = rl.state.capture(model)
    with pytest.raises(rl.errors.NotDeterministic, match=r"writes to its parameter 'a\.weight'"):
        Objective(model, (X, Y), dtype=torch.float64)
    assert all(torch.equal(x, before[n]) for n, x in model.state_dict().items())


def test_all_is_put_back_after_an_exception():
    class Fails(InDict):
        def forward(self, x):
            self.mark, self.cache["w"] = self.kernel(), self.computed()
            self.a.extra = 1
            raise KeyError("on purpose")

    model = seeded(Fails)
    network, before = Network(model), pieces(model)
    ours = pieces(network.module)
    for _ in range(2):
        with pytest.raises(KeyError):
            network(network.tensors, X)
    unchanged(ours, pieces(network.module))
    unchanged(before, pieces(model))


def test_a_derivative_through_eval_is_refused():
    model = seeded(Expanded)
    network = Network(model)
    tensors = {n: x.clone().requires_grad_() for n, x in network.tensors.items()}
    with pytest.raises(rl.errors.UsageError, match="computes nothing of them in `eval"):
        network(tensors, X)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own use
def test_a_forward_derivative_through_eval_is_refused():
    network = Network(seeded(Expanded))
    dual = forward_ad.make_dual
    with forward_ad.dual_level(), torch.no_grad():
        tensors = {n: dual(x, torch.ones_like(x)) for n, x in network.tensors.items()}
        with pytest.raises(rl.errors.UsageError, match="computes nothing of them in `eval"):
            network(tensors, X)


def test_symmetries_see_what_eval_expands():
    told = str(rl.symmetries(seeded(Expanded), X[:2]))
    assert "not used" not in told


def test_numbers_of_torchs_own_layers_are_no_caches_and_cost_no_call():
    calls = []

    def forward(model, x):
        calls.append(1)
        return model(x)

    network = Network(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), forward)
    empty_caches(network, network.tensors, torch.randn(2, 3))
    assert not calls


class Scaled(nn.Module):
    """Holds a number that no call writes, and flags that say nothing of it."""

    def __init__(self):
        super().__init__()
        self.layer, self.scale = nn.Linear(3, 4), 0.5
        self.one = self.two = True

    def forward(self, x):
        return self.layer(x) * self.scale


def test_a_number_that_no_call_writes_costs_one_call_for_each_way_to_empty_it():
    calls = []

    def forward(model, x):
        calls.append(1)
        return model(x)

    network = Network(Scaled(), forward)
    empty_caches(network, network.tensors, torch.randn(2, 3))
    assert not network.emptied and len(calls) == 4  # none, absent, and two flags


def test_another_state_has_the_signs_of_the_first_and_no_zeros_however_large():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Linear(1500, 1500)
    with torch.no_grad():
        net.weight[0] = 0.0
    network = Network(net)
    other = shaken(network, network.tensors)["weight"]
    assert bool((other[1:].sign() == net.weight[1:].sign()).all()) and bool((other != 0).all())
    assert not bool((other == net.weight).any())
    assert len((other[1:] / net.weight.detach()[1:])[:, 0].unique()) > 1490
