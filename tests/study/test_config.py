import copy
import pickle
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import UnknownName, UsageError
from ridgeline.study.config import DataConfig, NetConfig, RunConfig, SkewConfig, SpawnConfig
from ridgeline.training import (
    EMA,
    L1,
    SGD,
    SWA,
    Adam,
    AdamW,
    Augment,
    Constant,
    Cosine,
    Grafted,
    Keep,
    Library,
    Radius,
    Recipe,
    Relabel,
    Steps,
)
from study.pins import configs, run

LAW = settings(deadline=None, max_examples=80, derandomize=True)

rates = st.sampled_from([1, 0.1, 0.25, 1e-3])
times = st.builds("{}ep{}it".format, st.integers(0, 3), st.integers(0, 3))
options = st.fixed_dictionaries(
    {"widths": st.sampled_from([[4, 2], (4, 3, 2)])},
    optional={
        "bias": st.booleans(),
        "scale": st.sampled_from([1, 1.0, 2]),
        "norm": st.sampled_from([None, "batch"]),
    },
)
rules = (
    st.builds(SGD, learning_rate=rates, momentum=st.sampled_from([0, 0.0, 0.9]))
    | st.builds(Adam, learning_rate=rates, weight_decay=st.sampled_from([0, 0.01]))
    | st.builds(AdamW, learning_rate=rates, weight_decay=st.sampled_from([0, 0.01]))
    | st.builds(
        Library,
        learning_rate=rates,
        name=st.just("a:B"),
        options=st.sampled_from([None, {"x": 1, "a": [2]}]),
    )
)
recipes = st.builds(
    Recipe,
    length=st.sampled_from(["5ep", "05ep", "50it", "5ep1it"]),
    batch_size=st.sampled_from([32, 128]),
    optimiser=rules,
    schedule=st.builds(Constant)
    | st.builds(Cosine, floor=st.sampled_from([0, 0.5]))
    | st.builds(Steps, at=st.lists(times, max_size=2)),
    clip=st.sampled_from([None, 1, 1.0]),
    augment=st.none() | st.builds(Augment, noise=st.sampled_from([0, 0.5])),
    average=st.none() | st.builds(EMA) | st.builds(SWA),
    penalty=st.none()
    | st.builds(L1, strength=st.sampled_from([0, 0.5]))
    | st.builds(Radius, radius=st.sampled_from([1, 2.5]), strength=st.just(1)),
    relabel=st.none()
    | st.builds(Relabel, share=st.sampled_from([0, 1, 0.5]), until=st.none() | st.just("01ep")),
    keep=st.builds(Keep, at=st.lists(times, max_size=3), geometric=st.sampled_from([0, 4])),
)
whole = st.builds(
    RunConfig,
    net=st.builds(NetConfig, options=options, seed=st.sampled_from([None, 0, 1])),
    data=st.builds(
        DataConfig,
        set=st.sampled_from(
            ["digits", "mnist?train=50&seed=1", "mnist?seed=1&train=50", "my:data"]
        ),
        label_noise=st.sampled_from([0, 0.0, 0.1]),
        noise_seed=st.sampled_from([None, 0]),
        skew=st.none() | st.builds(SkewConfig, part=st.sampled_from(["a", "b"])),
    ),
    training=recipes,
    seed=st.integers(0, 2),
    spawn=st.none()
    | st.builds(
        SpawnConfig, at=times, seed=st.integers(0, 1), length=st.sampled_from(["fixed", "full"])
    )
    | st.builds(
        SpawnConfig,
        at=times,
        seed=st.integers(0, 1),
        length=st.just("full"),
        optimiser=st.just("reset"),
        data=st.none() | st.builds(DataConfig, set=st.sampled_from(["digits", "my:data"])),
        layers=st.none()
        | st.lists(st.sampled_from(["fc1", "fc2", "a.very.long.name.of.a_layer"]), max_size=3),
    ),
)


@LAW
@given(whole)
def test_a_config_comes_back_from_its_definition_and_from_its_full_values(config):
    assert RunConfig.from_dict(config.full()) == config == RunConfig.from_dict(config.defining())
    assert RunConfig.from_full(config.full()).full() == config.full()
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config


@LAW
@given(a=whole, b=whole)
def test_hashes_are_equal_for_equal_configs_and_for_no_others(a, b):
    assert (a.hash == b.hash) == (a == b)


@LAW
@given(whole)
def test_names_are_short_and_safe_for_file_systems(config):
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,79}", config.name)
    assert re.fullmatch(r"[0-9a-f]{16}", config.hash)


@LAW
@given(config=whole, deep=st.booleans())
def test_the_order_of_keys_never_matters(config, deep):
    def turned(values):
        return {k: turned(v) if isinstance(v, dict) else v for k, v in reversed(values.items())}

    assert RunConfig.from_dict(turned(config.full())).hash == config.hash


ANEW = {"optimiser": "reset", "length": "full"}
STEP = SGD(learning_rate=0.1)
DIFFERENCES = [
    {"seed": 1},
    {"net": NetConfig(options={"widths": [4, 4, 2]})},
    {"net": NetConfig(options={"widths": [4, 3, 2], "bias": False})},
    {"net": NetConfig(options={"widths": [4, 3, 2]}, seed=0)},
    {"data": DataConfig(set="mnist")},
    {"data": DataConfig(set="digits", label_noise=0.1)},
    {"data": DataConfig(set="digits", label_noise=0.1, noise_seed=0)},
    {"data": DataConfig(set="digits", targets="inputs")},
    {"data": DataConfig(set="digits", skew=SkewConfig(part="a"))},
    {"data": DataConfig(set="digits", skew=SkewConfig(part="b"))},
    {"training": Recipe(length="3ep")},
    {"training": Recipe(length="2it")},
    {"training": Recipe(length="2ep", batch_size=64)},
    {"training": Recipe(length="2ep", optimiser=SGD(learning_rate=0.2))},
    {"training": Recipe(length="2ep", optimiser=Adam(learning_rate=0.1, weight_decay=0.01))},
    {"training": Recipe(length="2ep", optimiser=AdamW(learning_rate=0.1))},
    {"training": Recipe(length="2ep", average=EMA())},
    {"training": Recipe(length="2ep", average=SWA())},
    {"spawn": SpawnConfig(at="1ep", seed=0)},
    {"spawn": SpawnConfig(at="1ep", seed=1)},
    {"spawn": SpawnConfig(at="1it", seed=0)},
    {"spawn": SpawnConfig(at="1ep", seed=0, optimiser="reset")},
    {"spawn": SpawnConfig(at="1ep", seed=0, length="full")},
    {"spawn": SpawnConfig(at="1ep", seed=0, augment=Augment())},
    {"training": Recipe(length="2ep", penalty=Radius(radius=1, strength=1))},
    {"training": Recipe(length="2ep", penalty=Radius(radius=2, strength=1))},
    {"training": Recipe(length="2ep", penalty=L1(strength=1))},
    {"training": Recipe(length="2ep", relabel=Relabel(share=1))},
    {"training": Recipe(length="2ep", relabel=Relabel(share=1, until="1ep"))},
    {"training": Recipe(length="2ep", relabel=Relabel(share=1, since="1ep"))},
    {"training": Recipe(length="2ep", relabel=Relabel(share=1, seed=0))},
    {
        "training": Recipe(
            length="2ep", optimiser=Grafted(length=STEP, direction=Adam(learning_rate=0.1))
        )
    },
    {
        "training": Recipe(
            length="2ep", optimiser=Grafted(length=Adam(learning_rate=0.1), direction=STEP)
        )
    },
    {"spawn": SpawnConfig(at="1ep", seed=0, **ANEW)},
    {"spawn": SpawnConfig(at="1ep", seed=0, **ANEW, data=DataConfig(set="digits"))},
    {"spawn": SpawnConfig(at="1ep", seed=0, **ANEW, layers=("fc1",))},
    {"spawn": SpawnConfig(at="1ep", seed=0, **ANEW, layers=())},
]


def test_each_difference_has_a_hash_of_its_own():
    hashes = [run(**change).hash for change in ({}, *DIFFERENCES)]
    assert len(set(hashes)) == len(hashes)


def test_a_name_tells_what_matters():
    assert configs()["everything"].name == (
        "fcn-4-3-2-scale-0.5-sgd-0.1-digits-noise0.1-part-a-seed0-at1ep-child1"
    )
    assert run(NetConfig(kind="my.nets:deep", options={"x": "../../" * 40}), seed=3).name.endswith(
        "-seed3"
    )


# --- networks ----------------------------------------------------------------------------------


def test_a_network_has_the_weights_of_the_runs_seed_or_of_its_own():
    def first(net, seed):
        return next(iter(net.build(seed).state_dict().values()))

    free, held = (NetConfig(options={"widths": [4, 3]}, seed=seed) for seed in (None, 5))
    assert not torch.equal(first(free, 1), first(free, 2))
    assert torch.equal(first(held, 1), first(held, 2))
    assert torch.equal(first(held, 1), first(free, 5))


def test_options_at_their_default_are_left_out_and_shown_in_full():
    net = NetConfig(options={"widths": (4, 3), "scale": 1, "bias": True, "norm": None})
    assert net == NetConfig(options={"widths": [4, 3]})
    assert net.options == {"widths": [4, 3]}
    assert net.complete()["activation"] == "relu"


def test_options_of_ones_own_network_are_kept_and_its_code_is_not_run():
    net = NetConfig(kind="no_such_module:net", options={"width": 3})
    assert run(net).full()["net"]["options"] == {"width": 3}
    assert len(run(net).hash) == 16


def test_unknown_kinds_and_options_are_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'fcn'"):
        NetConfig(kind="fnc", options={"widths": [4, 3]})
    with pytest.raises(UnknownName, match="Did you mean 'activation'"):
        NetConfig(options={"widths": [4, 3], "activations": "relu"})
    with pytest.raises(UsageError, match="`widths` must be given"):
        NetConfig()
    with pytest.raises(UsageError, match="field of its own"):
        NetConfig(kind="my:net", options={"seed": 3})


# --- data --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "same"),
    [
        (" digits ", "digits"),
        ("mnist?train=50&seed=0", "mnist?train=50"),
        ("mnist?seed=0", "mnist"),
        ("mnist?train=50&test=9&seed=1", "mnist?seed=1&test=9&train=50"),
        ("my:data('a?b=1')", "my:data('a?b=1')"),
    ],
)
def test_a_data_set_is_written_in_one_way(written, same):
    assert DataConfig(set=written).set == same


def test_without_noise_its_seed_says_nothing():
    assert DataConfig(set="digits", noise_seed=3) == DataConfig(set="digits")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: DataConfig(set="digits", label_noise=1.1),
        lambda: DataConfig(set="digits", label_noise=float("nan")),
        lambda: DataConfig(set="digits", label_noise=0.1, targets="inputs"),
        lambda: SkewConfig(part="a", share=-0.1),
        lambda: SpawnConfig(at="5", seed=0),
        lambda: SpawnConfig(at="5ep", seed=-1),
        lambda: run(seed=-1),
        lambda: run(seed=True),
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(UsageError):
        wrong()


# --- children ----------------------------------------------------------------------------------


def test_a_childs_parent_keeps_what_it_starts_from():
    child = run(spawn=SpawnConfig(at="01ep", seed=2))
    assert child.parent is not None
    assert child.parent.spawn is None and child.parent.parent is None
    assert child.parent.training.keep.spawn == ("1ep",)
    assert child.parent == run(training=Recipe(length="2ep", keep=Keep(spawn=("1ep",))))
    assert child.hash != child.parent.hash


def test_a_childs_hash_covers_its_parent():
    spawn = SpawnConfig(at="1ep", seed=0)
    hashes = {run(spawn=spawn, seed=seed).hash for seed in range(5)}
    assert len(hashes) == 5


def test_children_at_several_times_have_one_parent():
    keep = Keep(spawn=("2ep", "0it"))
    a, b = (
        run(training=Recipe(length="2ep", keep=keep), spawn=SpawnConfig(at=at, seed=0))
        for at in ("0it", "2ep")
    )
    assert a.parent == b.parent


def test_a_child_may_have_augmentation_of_its_own():
    parents = Recipe(length="2ep", augment=Augment(flip=True))
    plain, own, none = (
        run(training=parents, spawn=SpawnConfig(at="1ep", seed=0, augment=augment))
        for augment in (None, Augment(noise=0.1), Augment())
    )
    assert plain.recipe.augment == Augment(flip=True)
    assert own.recipe.augment == Augment(noise=0.1) and own.parent.recipe.augment.flip
    assert none.recipe.augment == Augment()
