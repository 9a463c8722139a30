import json
import subprocess
import sys
from dataclasses import dataclass, fields, make_dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import SpecError, UsageError
from ridgeline.study import validation
from ridgeline.study.canonical import (
    DURATIONS,
    canonical,
    choices,
    digest,
    hints,
    is_duration,
    plain,
    text_of,
)
from ridgeline.study.config import NetConfig, RunConfig
from ridgeline.study.defaults import moved_defaults
from ridgeline.study.grid import Children
from ridgeline.training import SGD, Adam, Cosine, Grafted, Keep, Recipe, Steps
from study.pins import FILE, configs, run

LAW = settings(deadline=None, max_examples=60, derandomize=True)
PINNED = json.loads(FILE.read_text())
MOVED = """
The hash of a committed config changed, so every run in every store is orphaned.
- A new field: give it a default that eliminates its effect; then no hash changes.
- A default that moved: put it back. Defaults are frozen facts; say a better value in specs.
- A renamed or retyped field: keep the old one.
Only if none of this is possible, raise canonical.FORMAT, and say so in the changelog."""
UNPINNED = "Not pinned yet: run `python tests/study/pins.py` and commit hashes.json."


# --- the hash law -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", configs())
def test_committed_configs_keep_their_hash_and_meaning(name):
    config = configs()[name]
    assert name in PINNED, UNPINNED
    then = PINNED[name]
    assert config.hash == then["hash"], MOVED
    assert config.defining() == then["defining"], MOVED
    assert moved_defaults(then["full"], then["defining"]) == {}, MOVED
    assert RunConfig.from_dict(then["full"]).hash == then["hash"]


def test_no_pinned_config_is_forgotten():
    assert set(PINNED) == set(configs())


def test_a_new_field_at_its_default_changes_no_hash():
    new = ("novelty", float, 0.0)
    wider = make_dataclass("Wider", [new], bases=(SGD,), frozen=True, kw_only=True)
    old, same, other = (
        SGD(learning_rate=0.2),
        wider(learning_rate=0.2),
        wider(novelty=1.0, learning_rate=0.2),
    )
    assert plain(same, full=False) == plain(old, full=False)
    assert plain(other, full=False) == plain(old, full=False) | {"novelty": 1.0}


def test_a_new_field_of_a_nested_part_changes_no_hash():
    @dataclass(frozen=True, kw_only=True)
    class Outer:
        inner: Keep

    wider = make_dataclass("Wider", [("novelty", int, 3)], bases=(Keep,), frozen=True, kw_only=True)
    old, new = Outer(inner=Keep(geometric=4)), Outer(inner=wider(geometric=4))
    assert digest(plain(old, full=False)) == digest(plain(new, full=False))


def test_a_moved_default_is_found_by_what_was_stored():
    then = run()
    stored = then.full()
    stored["training"]["batch_size"] = 64  # the default of long ago
    stored["net"]["options"]["activation"] = "tanh"
    del stored["training"]["clip"]  # did not exist then
    assert moved_defaults(stored, then.defining()) == {
        "training.batch_size": (64, 128),
        "net.options.activation": ("tanh", "relu"),
    }
    rebuilt_then = RunConfig.from_full(stored)
    assert rebuilt_then.training.batch_size == 64 and rebuilt_then.hash != then.hash


def test_a_value_that_was_given_is_no_moved_default():
    given = run(training=Recipe(length="2ep", batch_size=64))
    assert moved_defaults(given.full(), given.defining()) == {}


def test_hashes_are_the_same_in_another_process():
    code = "from study.pins import configs; print(configs()['everything'].hash)"
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=FILE.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == PINNED["everything"]["hash"]


def test_nothing_of_the_machine_is_part_of_a_config():
    parts = [
        RunConfig,
        *(t for f in fields(RunConfig) for t in choices(hints(RunConfig)[f.name]).values()),
    ]
    names = {f.name for part in parts for f in fields(part)}
    assert not names & {
        "device",
        "workers",
        "threads",
        "together",
        "folder",
        "store",
        "root",
        "name",
    }


# --- the canonical form ------------------------------------------------------------------------


def everything():
    """Every dataclass that can be in a config."""
    found, todo = set(), [RunConfig, Children]
    while todo:
        part = todo.pop()
        if part not in found:
            found.add(part)
            todo += [t for f in fields(part) for t in choices(hints(part)[f.name]).values()]
    return found


def test_every_field_of_text_is_known_to_be_a_duration_or_not():
    bare = {"kind", "set", "loss", "name"}
    for part in everything():
        for field in fields(part):
            hint = hints(part)[field.name]
            if hint in (str, str | None, tuple[str, ...]):
                assert (field.name in bare) != is_duration(field.name, hint), (part, field.name)
    assert not bare & DURATIONS


def test_defaults_are_canonical():
    for part in everything() - {RunConfig, Children}:
        required = {
            "learning_rate": 0.1,
            "name": "a:b",
            "part": "a",
            "set": "digits",
            "length": "1ep",
        }
        required |= {"at": "1ep", "seed": 0, "options": {"widths": [4, 2]}}
        required |= {"share": 0.5, "radius": 1.0, "strength": 0.5}
        if part is Grafted:
            required |= {"length": SGD(learning_rate=0.1), "direction": Adam(learning_rate=0.1)}
        given = {
            f.name: required[f.name]
            for f in fields(part)
            if f.name in required and (f.default is f.default_factory or part is NetConfig)
        }
        made = part(**given)
        assert plain(canonical(made, part), full=True) == plain(made, full=True)


@pytest.mark.parametrize(
    ("written", "same"),
    [
        (Recipe(length="020ep"), Recipe(length="20ep0it")),
        (
            Recipe(length="2ep", optimiser=SGD(learning_rate=1)),
            Recipe(length="2ep", optimiser=SGD(learning_rate=1.0)),
        ),
        (Recipe(length="2ep", optimiser=SGD(learning_rate=0.1)), Recipe(length="2ep")),
        (
            Recipe(length="2ep", optimiser=SGD(learning_rate=1e-1, weight_decay=-0.0)),
            Recipe(length="2ep"),
        ),
        (
            Recipe(length="2ep", optimiser=SGD(learning_rate=np.float64(0.5))),
            Recipe(length="2ep", optimiser=SGD(learning_rate=0.5)),
        ),
        (
            Recipe(length="2ep", keep=Keep(at=("2ep", "1ep", "01ep"))),
            Recipe(length="2ep", keep=Keep(at=("1ep", "2ep"))),
        ),
        (Recipe(length="2ep", keep=Keep(at=["1ep"])), Recipe(length="2ep", keep=Keep(at=("1ep",)))),
        (
            Recipe(length="2ep", schedule=Steps(at=["2ep", "1ep"])),
            Recipe(length="2ep", schedule=Steps(at=("1ep", "2ep"))),
        ),
    ],
)
def test_other_words_for_the_same_are_the_same(written, same):
    a, b = run(training=written), run(training=same)
    assert a == b and a.hash == b.hash and hash(a) == hash(b)
    assert a.full() == b.full()


def test_a_rate_that_falls_twice_at_one_time_is_not_one_that_falls_once():
    once, twice = (Recipe(length="2ep", schedule=Steps(at=("1ep",) * n)) for n in (1, 2))
    assert run(training=once).hash != run(training=twice).hash


@pytest.mark.parametrize(
    "wrong", [float("nan"), float("inf"), {1: 2}, {"a": object()}, [lambda: 0], {"a": 1 + 2j}]
)
def test_what_has_no_json_form_is_refused(wrong):
    with pytest.raises(UsageError):
        NetConfig(kind="my:net", options={"x": wrong})


def test_a_loss_that_is_a_function_cannot_be_kept():
    with pytest.raises(UsageError, match=r"`training\.loss` must be text.*rebuilt from its text"):
        run(training=Recipe(length="2ep", loss=lambda outputs, targets: outputs.sum()))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@LAW
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_canonical_text_forgets_the_order_of_keys_and_survives_json(values):
    turned = dict(reversed(values.items()))
    assert text_of(values) == text_of(turned) == text_of(json.loads(json.dumps(values)))


@LAW
@given(a=JSON, b=JSON)
def test_canonical_texts_are_equal_only_for_equal_values(a, b):
    if text_of(a) == text_of(b):
        assert a == b


# --- rebuilding --------------------------------------------------------------------------------


def test_every_problem_is_told_with_its_place():
    values = run(training=Recipe(length="2ep", optimiser=Adam(learning_rate=0.1))).defining()
    values["training"]["optimiser"] |= {"momentum": 0.9}
    values["training"]["schedule"] = {"kind": "cosin"}
    values["data"] = {"targets": "labels"}
    with pytest.raises(SpecError) as refused:
        RunConfig.from_dict(values)
    assert [path for path, _ in refused.value.problems] == [
        "data.set",
        "training.optimiser.momentum",
        "training.schedule",
    ]
    assert "Did you mean 'cosine'?" in str(refused.value)


def test_types_and_ranges_are_told_at_once():
    values = run().defining()
    values["training"] |= {"batch_size": "many"}
    values["training"]["optimiser"] = {"kind": "sgd", "learning_rate": -1.0}
    values["data"] = {"set": "digits", "label_noise": 2.0}
    values["seed"] = True
    with pytest.raises(SpecError) as refused:
        RunConfig.from_dict(values)
    told = {path: error.got for path, error in refused.value.problems}
    assert told == {
        "training.batch_size": "'many'",
        "training.optimiser.learning_rate": "-1.0",
        "data.label_noise": "2.0",
        "seed": "True",
    }


def test_each_part_is_made_once(monkeypatch):
    """A config is validated in one pass, not checked as a table and built a second time."""
    made = []
    check = Recipe.__post_init__
    monkeypatch.setattr(Recipe, "__post_init__", lambda self: made.append(1) or check(self))
    validation.made(Recipe, {"length": "2ep", "keep": {"every": "1ep"}})
    assert made == [1]


def test_what_is_no_table_is_refused():
    with pytest.raises(SpecError, match=r"It must be a table\. Got 3\."):
        validation.made(RunConfig, 3)
    with pytest.raises(SpecError, match=r"net: It must be a table\. Got 3\."):
        RunConfig.from_dict({**run().defining(), "net": 3})


def test_a_value_out_of_range_is_told_with_its_place():
    values = run().defining()
    values["training"]["optimiser"] = {"kind": "sgd", "learning_rate": -1.0}
    with pytest.raises(
        SpecError, match=r"^the config, training\.optimiser\.learning_rate: .*Got -1"
    ):
        RunConfig.from_dict(values)


@LAW
@given(floor=st.floats(0, 1), warm=st.integers(0, 9), full=st.booleans())
def test_a_part_comes_back_from_its_plain_values(floor, warm, full):
    made = canonical(Cosine(floor=floor, warm_up=f"{warm}ep"), Cosine)
    assert validation.made(Cosine, plain(made, full=full)) == made
