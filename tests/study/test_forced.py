"""Ways to force weights away from where they began, and other places to begin: spec to store."""

from dataclasses import replace

import pytest
import torch

from ridgeline import data, training
from ridgeline.data import Split
from ridgeline.data.corruption import noisy_labels
from ridgeline.errors import SpecError, UnknownName, UsageError
from ridgeline.rng import seed_of
from ridgeline.state import ties
from ridgeline.study.config import DataConfig, RunConfig, SpawnConfig
from ridgeline.study.describe import describe, plan_summary
from ridgeline.study.grid import Children
from ridgeline.study.members import prepare
from ridgeline.study.plan import Machine
from ridgeline.study.populations import populate
from ridgeline.study.spec import load_spec
from ridgeline.study.store import Store
from ridgeline.training import L1, SGD, Adam, Grafted, Radius, Relabel
from study.tiny import config
from training.plain import plain_loop

SET = "digits?train=120&test=60"
MACHINE = Machine(workers=1, threads=1, together=4)
HEAD = f"""
name = "forced"
seeds = 2
[net]
widths = [64, 8, 10]
[data]
set = "{SET}"
[training]
length = "4ep"
batch_size = 20
"""
FORCED = (
    HEAD
    + """
optimiser = { kind = "sgd", learning_rate = 0.05 }
[grid]
"training.penalty" = ["none", { kind = "radius", radius = 6, strength = 0.01 },
  { kind = "l1", strength = 0.001 }]
"training.relabel" = ["none", { share = 1, until = "2ep" }, { share = 0.5, since = "3ep" }]
"""
)
GRAFTED = (
    HEAD
    + """
optimiser = { kind = "grafted", length = { kind = "sgd", learning_rate = 0.1, momentum = 0.9 }, \
direction = { kind = "adam", learning_rate = 0.001 } }
schedule = { kind = "cosine" }
[grid]
"training.optimiser.length.learning_rate" = [0.1, 0.2]
"""
)
ADVERSARIAL = (
    HEAD.replace("[training]", "label_noise = 1.0\n[training]")
    + f"""
optimiser = {{ kind = "sgd", learning_rate = 0.1, momentum = 0.9 }}
[spawn]
at = ["0it", "4ep"]
children = 1
optimiser = "reset"
length = "full"
data = {{ set = "{SET}" }}
"""
)
PARTIAL = (
    HEAD
    + """
[spawn]
at = "4ep"
children = 2
optimiser = "reset"
length = "full"
[grid]
"spawn.layers" = [["fc1"], ["fc2", "fc1"], []]
"""
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def held(store, run):
    return store.find(run.hash)


# --- what a run may be trained with ----------------------------------------------------------


def test_penalties_and_other_labels_go_through_a_spec_and_the_store(store):
    spec = load_spec(FORCED)
    assert len(spec.runs) == 18 == len({run.hash for run in spec.runs})
    assert spec.runs[6].training.penalty == Radius(radius=6.0, strength=0.01)
    assert spec.runs[12].training.penalty == L1(strength=0.001)
    assert spec.runs[2].training.relabel == Relabel(share=1.0, until="2ep")
    done = populate(spec.runs, store, machine=MACHINE)
    assert len(done.trained) == 18 and not done.failures
    ends = [held(store, run).state(24)["fc1.weight"] for run in spec.runs[::2]]
    for i, a in enumerate(ends):
        assert not any(torch.equal(a, b) for b in ends[:i])
    assert not populate(spec.runs, store, machine=MACHINE).trained
    # From what the store wrote, the same run.
    for run in spec.runs:
        assert RunConfig.from_full(held(store, run).config).hash == run.hash


def test_a_run_in_the_store_is_the_plain_loops(store):
    spec = load_spec(FORCED, ["training.penalty={kind='radius', radius=6, strength=0.01}"])
    run = spec.runs[3]
    assert run.seed == 1 and run.training.relabel.until == "2ep"
    populate([run], store, machine=MACHINE)
    split = data.load(SET)["train"]
    moved = noisy_labels(split.targets, 1.0, 10, 1)
    expected = plain_loop(
        run.net.build(1),
        split,
        steps=24,
        batch=20,
        seed=1,
        make=lambda p: torch.optim.SGD(p, lr=0.05),
        penalty=lambda ps: sum(0.01 * (p.norm() - 6) ** 2 for p in ps),
        targets=lambda step: moved if step < 12 else split.targets,
    )
    for name, x in held(store, run).state(24).items():
        torch.testing.assert_close(x, expected[name], rtol=1e-4, atol=1e-5)


def test_a_grafted_optimiser_goes_through_a_spec_and_the_store(store):
    spec = load_spec(GRAFTED)
    rule = spec.runs[2].training.optimiser
    assert rule == Grafted(
        length=SGD(learning_rate=0.2, momentum=0.9), direction=Adam(learning_rate=0.001)
    )
    assert "grafted-sgd-0.2-adam-0.001" in spec.runs[2].name
    assert plan_summary(spec)["steps"] == 4 * 24
    done = populate(spec.runs, store, machine=MACHINE)
    assert len(done.trained) == 4 and not done.failures
    shown = {value["path"]: value for value in describe(spec)["values"]}
    length = shown["training.optimiser.length.learning_rate"]
    assert length["source"] == "grid" and "factor" in length["meaning"]


def test_a_grafted_child_goes_on_with_slots_out_of_the_store(store):
    spec = load_spec(GRAFTED + '[spawn]\nat = "2ep"\nchildren = 1\n', seeds=1)
    done = populate(spec.runs, store, machine=MACHINE)
    assert len(done.trained) == 4 and not done.failures


@pytest.mark.parametrize(
    ("line", "path", "text"),
    [
        ("penalty = { kind = 'radiu', radius = 1, strength = 1 }", "training.penalty", "radius"),
        ("penalty = { kind = 'l1', strength = -1 }", "training.penalty.strength", "not negative"),
        ("penalty = { kind = 'l1' }", "training.penalty.strength", "must be given"),
        ("relabel = { share = 2 }", "training.relabel.share", "a share"),
        ("relabel = { share = 1, until = '2' }", "training.relabel.until", "has a unit"),
        ("relabel = { share = 1, since = '5ep' }", "training.relabel.since", "within the run"),
        ("relabel = { share = 1, until = '25it' }", "training.relabel.until", "within the run"),
        (
            "optimiser = { kind = 'grafted', length = { kind = 'sgd', learning_rate = 1 } }",
            "training.optimiser.direction",
            "must be given",
        ),
        (
            "optimiser = { kind = 'grafted', length = { kind = 'sgd', learning_rate = 1 }, "
            "direction = { kind = 'library', learning_rate = 1 } }",
            "training.optimiser.direction",
            "library",
        ),
    ],
)
def test_what_cannot_be_is_told_with_its_place(line, path, text):
    with pytest.raises(SpecError, match=text) as refused:
        load_spec(HEAD + line)
    assert [place for place, _ in refused.value.problems] == [path]


def test_labels_of_an_autoencoder_are_not_replaced():
    text = HEAD.replace("[training]", 'targets = "inputs"\n[training]')
    with pytest.raises(SpecError, match=r"training.relabel: .*targets that are labels"):
        load_spec(text + "relabel = { share = 1 }")


def test_a_childs_labels_are_replaced_as_its_parents(store):
    relabel = {"share": 0.5}
    parent = prepare(config(3, spawn="1ep", training__relabel=relabel)).member
    child = prepare(config(3, spawn="1ep", child_seed=9, training__relabel=relabel)).member
    assert parent.seed != child.seed
    assert parent.recipe.relabel == child.recipe.relabel == Relabel(share=0.5, seed=3, classes=10)


# --- where a child begins ---------------------------------------------------------------------


def test_an_adversarial_start_goes_through_a_spec_and_the_store(store):
    spec = load_spec(ADVERSARIAL)
    parents, children = spec.runs[:2], spec.runs[2:]
    assert [c.spawn.at for c in children] == ["0it", "4ep"] * 2
    assert all(c.trained_on == DataConfig(set=SET) != c.data for c in children)
    done = populate(spec.runs, store, machine=MACHINE)
    assert len(done.trained) == 6 and not done.failures
    split = data.load(SET)["train"]
    for child in children:
        start, parent = held(store, child).state(0), held(store, child.parent)
        for name, x in parent.state(24 if child.spawn.at == "4ep" else 0).items():
            assert torch.equal(start[name], x)
        assert held(store, child).summary["steps"] == 24
        # What is measured is on its own labels, not on its parent's.
        outputs = torch.func.functional_call(
            child.net.build(0), held(store, child).state(24), (split.inputs,)
        )
        error = (outputs.argmax(1) != split.targets).double().mean()
        measured = held(store, child).summary["final"]["train"]["error"]
        assert measured == pytest.approx(float(error), abs=1e-6)
    assert prepare(children[0]).member.targets is None
    assert not torch.equal(prepare(parents[0]).member.targets, split.targets)


def test_a_child_with_other_labels_is_the_plain_loops():
    """In float64, from the parent's state, together with another and alone."""
    spec = load_spec(ADVERSARIAL)
    children = [run for run in spec.runs if run.spawn and run.spawn.at == "4ep"]
    split = data.load(SET)["train"]
    wide = Split(split.inputs.double(), split.targets)
    rule = lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)  # noqa: E731 (for both loops)
    members, ends = [], []
    for child in children:
        seed = child.seed
        noisy = noisy_labels(split.targets, 1.0, 10, seed)
        net = child.net.build(seed).double()
        options = {"steps": 24, "batch": 20, "make": rule}
        start = plain_loop(net, wide, seed=seed, targets=lambda _, y=noisy: y, **options)
        start = {name: x.clone() for name, x in start.items()}
        found = prepare(child, parents=lambda *_, state=start: (state, {})).member
        assert found.origin.step == found.origin.count == 0 and found.targets is None
        members.append(replace(found, model=child.net.build(seed).double()))
        ends.append(plain_loop(net, wide, seed=seed_of(seed, "child", 0), **options))
    together = training.train_together(members, wide)
    for member, run, expected in zip(members, together, ends, strict=True):
        (alone,) = training.train_together([member], wide)
        for name, x in expected.items():
            torch.testing.assert_close(run.final[name], x, rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(alone.final[name], x, rtol=1e-9, atol=1e-11)


def test_some_layers_go_through_a_spec_and_the_store(store):
    spec = load_spec(PARTIAL)
    children = [run for run in spec.runs if run.spawn is not None]
    assert len(children) == 3 * 2 * 2
    assert {c.spawn.layers for c in children} == {("fc1",), ("fc1", "fc2"), ()}
    done = populate(spec.runs, store, machine=MACHINE)
    assert len(done.trained) == 14 and not done.failures
    for child in children:
        start, trained = held(store, child).state(0), held(store, child.parent).state(24)
        fresh = child.net.build(seed_of(child.seed, "child", child.spawn.seed)).state_dict()
        for name, x in start.items():
            taken = name.split(".")[0] in child.spawn.layers
            assert torch.equal(x, (trained if taken else fresh)[name])
        assert not torch.equal(trained["fc1.weight"], fresh["fc1.weight"])
        assert held(store, child).summary["steps"] == 24


def test_children_with_some_layers_go_on_from_a_snapshot_bit_for_bit(store):
    spec = load_spec(PARTIAL, ["spawn.layers=['fc1']"])
    populate(spec.runs, store, machine=MACHINE)
    children = [run for run in spec.runs if run.spawn is not None]
    look = lambda parent, step, _: (store.find(parent.hash).state(step), {})  # noqa: E731 (a name for a short function that is read in place)
    split, taken = data.load(SET)["train"], []

    def made():
        return [prepare(child, parents=look).member for child in children]

    whole = training.train_together(made(), split, snapshot=taken.append, snapshot_seconds=0.0)
    for snapshot in taken[::7]:
        again = training.train_together(made(), split, resume=snapshot)
        for a, b in zip(whole, again, strict=True):
            assert all(torch.equal(b.final[name], x) for name, x in a.final.items())
            assert all(torch.equal(b.states[0][name], x) for name, x in a.initial.items())


def test_a_layer_is_taken_with_its_buffers_and_what_is_tied_to_it():
    net = {"kind": "transformer", "options": {"vocabulary": 8, "length": 4}}
    spawn = {"at": "0it", "seed": 1, "optimiser": "reset", "length": "full"}
    values = config(2, spawn="0it").defining() | {"net": net}
    whole = RunConfig.from_dict(values | {"spawn": spawn})
    model = whole.net.build(2)
    state = {name: torch.zeros_like(x) for name, x in model.state_dict().items()}
    (tied,) = ties(model.state_dict())
    child = RunConfig.from_dict(values | {"spawn": spawn | {"layers": [tied[1]]}})
    start = prepare(child, parents=lambda *_: (state, {})).member.origin.state
    zero = {name for name, x in start.items() if not x.any()}
    fresh = whole.net.build(seed_of(2, "child", 1)).state_dict()
    assert set(tied) <= zero and zero - set(tied) == {n for n, x in fresh.items() if not x.any()}


def test_a_net_with_a_seed_of_its_own_has_fresh_layers_of_that_seed():
    spawn = SpawnConfig(at="0it", seed=1, optimiser="reset", length="full", layers=())
    child = replace(config(2, spawn="0it", net__seed=5), spawn=spawn)
    start = prepare(child).member.origin.state
    for name, x in child.net.build(0).state_dict().items():
        assert torch.equal(start[name], x)


def test_a_time_of_the_parent_is_in_the_parents_epochs():
    """Forty samples of a parent, a hundred and twenty of its child: epochs of 2 and of 6 steps."""
    own = {"set": SET}
    child = config(0, data="digits?train=40&test=60", spawn="8it")
    spawn = SpawnConfig(at="3ep", seed=0, optimiser="reset", length="full", data=DataConfig(**own))
    child = replace(child, spawn=spawn)
    asked = []

    def parents(parent, step, remembers):
        asked.append((step, remembers))
        return child.net.build(0).state_dict(), {}

    made = prepare(child, parents=parents)
    assert asked == [(6, False)]
    assert len(made.data) == 120 and made.key == (child.trained_on.set, "labels")
    run = training.train_together([made.member], made.data)[0]
    assert run.planned == 24 and not run.slots
    # What the parent keeps for it may be later than all of a shorter child.
    short = replace(child, data=DataConfig(set=SET), spawn=replace(spawn, data=child.data))
    made = prepare(short)
    assert training.train_together([made.member], made.data)[0].planned == 8


def test_a_layer_that_the_network_has_not_is_refused():
    spawn = SpawnConfig(at="0it", seed=1, optimiser="reset", length="full", layers=("fc3",))
    with pytest.raises(UnknownName, match="fc1"):
        prepare(replace(config(2, spawn="0it"), spawn=spawn))


@pytest.mark.parametrize("own", [{"data": DataConfig(set=SET)}, {"layers": ("fc1",)}])
def test_such_children_begin_anew(own):
    for words in ({}, {"length": "full"}, {"optimiser": "reset"}):
        with pytest.raises(UsageError, match="of its own has"):
            SpawnConfig(at="1ep", seed=0, **own, **words)
        with pytest.raises(UsageError, match="of its own has"):
            Children(at="1ep", **own, **words)
    SpawnConfig(at="1ep", seed=0, length="full", optimiser="reset", **own)


def test_what_cannot_be_of_a_child_is_told_with_its_place():
    broken = ADVERSARIAL.replace(f'data = {{ set = "{SET}" }}', 'data = { set = "digit" }')
    with pytest.raises(SpecError, match=r"spawn.data.set: .*Did you mean 'digits'"):
        load_spec(broken)
    with pytest.raises(SpecError, match=r"spawn.data: .*has length=.*Got length='fixed'"):
        load_spec(ADVERSARIAL.replace('length = "full"', ""))
    late = ADVERSARIAL.replace("batch_size = 20\n", 'batch_size = 20\nkeep = { at = ["20it"] }\n')
    short = late.replace(f'data = {{ set = "{SET}" }}', 'data = { set = "digits?train=40" }')
    load_spec(late)
    with pytest.raises(SpecError, match=r"training.keep.at: .*within the run"):
        load_spec(short)


def test_layers_in_any_order_are_the_same_child():
    words = {"at": "1ep", "seed": 0, "optimiser": "reset", "length": "full"}
    a, b = (
        replace(config(0, spawn="1ep"), spawn=SpawnConfig(layers=layers, **words))
        for layers in (("fc2", "fc1"), ["fc1", "fc2", "fc1"])
    )
    assert a == b and a.hash == b.hash
    assert RunConfig.from_dict(a.defining()) == RunConfig.from_dict(a.full()) == a
    assert a.name != config(0, spawn="1ep").name and "only-fc1-fc2" in a.name


def test_a_child_s_own_data_are_described_and_counted():
    spec = load_spec(ADVERSARIAL)
    shown = {value["path"]: value["value"] for value in describe(spec)["values"]}
    assert shown["spawn.data.set"] == DataConfig(set=SET).set and shown["spawn.layers"] is None
    assert "spawn.data.label_noise" in shown
    assert plan_summary(spec)["steps"] == 6 * 24
    fewer = load_spec(
        ADVERSARIAL.replace(f'data = {{ set = "{SET}"', 'data = { set = "digits?train=40"')
    )
    assert plan_summary(fewer)["steps"] == 2 * 24 + 4 * 8
