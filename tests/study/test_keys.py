import dataclasses

import numpy as np
import pytest

from ridgeline.errors import UsageError
from ridgeline.study.keys import Key, Version, version_of, versioned

ASKED = Key(
    name="barrier",
    version="1",
    runs=("a", "b"),
    line={"name": "to the end", "t": [0, 0.5, 1]},
    objective={"splits": ["train"]},
    options={"points": 3, "draws": 2},
)


@pytest.mark.parametrize(
    "other",
    [
        {"name": "plateau"},
        {"version": "2"},
        {"runs": ("b", "a")},
        {"runs": ("a",)},
        {"line": {"name": "to the end", "t": [0, 0.25, 1]}},
        {"line": None},
        {"objective": {"splits": ["test"]}},
        {"options": {"points": 4, "draws": 2}},
        {"options": {"points": 3}},
    ],
    ids=str,
)
def test_each_part_tells_one_measurement_from_another(other):
    assert dataclasses.replace(ASKED, **other).digest != ASKED.digest


def test_the_same_asked_in_another_writing_is_the_same():
    same = Key(
        options={"draws": np.int64(2), "points": 3.0},
        objective={"splits": ("train",)},
        line={"t": (0.0, np.float64(0.5), 1), "name": "to the end"},
        runs=["a", "b"],
        version="1",
        name="barrier",
    )
    assert same.digest == ASKED.digest
    assert same.text == ASKED.text


def test_a_key_is_what_it_was_in_stores_that_are_there():
    assert ASKED.text == (
        '{"line":{"name":"to the end","t":[0,0.5,1]},"name":"barrier",'
        '"objective":{"splits":["train"]},"options":{"draws":2,"points":3},"runs":["a","b"],'
        '"version":"1"}'
    )
    assert ASKED.digest == "fe82541700a01c1a"


def kind(x):
    """Name a case without its address in memory, which differs from worker to worker."""
    return type(x).__name__


@pytest.mark.parametrize("bad", [lambda x: x, float("nan"), {1: 2}, object()], ids=kind)
def test_what_has_no_json_form_is_refused(bad):
    with pytest.raises(UsageError, match="options"):
        Key(name="barrier", version="1", options={"points": bad})


def test_a_function_keeps_its_name_version_and_options_and_is_otherwise_as_it_was():
    @versioned("twice", "3", by=2)
    def twice(x):
        return 2 * x

    assert version_of(twice) == Version("twice", "3", {"by": 2})
    assert version_of(twice).plain() == {"name": "twice", "version": "3", "options": {"by": 2}}
    assert twice(4) == 8 and twice.__name__ == "twice"


def test_a_function_without_a_version_is_refused():
    def bare(): ...

    with pytest.raises(UsageError) as caught:
        version_of(bare)
    assert "has a name and a version" in caught.value.rule
    assert "bare without one" in caught.value.got
    assert '@versioned("its name", "1")' in caught.value.remedy


@pytest.mark.parametrize(
    ("other", "rule"),
    [
        ({"version": 1}, "version is a text"),
        ({"version": ""}, "version is a text"),
        ({"name": None}, "name is a text"),
        ({"runs": "abc"}, "`runs` are several"),
        ({"runs": (1, 2)}, "identifies a run is a text"),
    ],
    ids=str,
)
def test_a_part_of_another_kind_is_refused(other, rule):
    with pytest.raises(UsageError, match=rule):
        dataclasses.replace(ASKED, **other)


def test_what_cannot_carry_a_version_is_refused():
    with pytest.raises(UsageError, match=r"built-in function len.*function of your own"):
        versioned("length", "1")(len)
