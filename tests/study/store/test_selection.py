"""Choosing runs by what is known of them."""

from types import SimpleNamespace

import pytest

from ridgeline.errors import UnknownName, UsageError
from ridgeline.study.store.selection import fields, ordered, select


def run(name, rate=0.1, kind="fcn", error=None, **more):
    return SimpleNamespace(
        identity=SimpleNamespace(name=name, hash=f"{name}0"),
        full={"net": {"kind": kind, "widths": [4, 2]}, "rate": rate} | more,
        summary={"final": {"error": error}, "diverged": False},
    )


RUNS = [run("a", 0.1, error=0.3), run("b", 0.5, "vgg", 0.1), run("c", 0.9)]


def names(found):
    return "".join(r.identity.name for r in found)


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        ([], "abc"), (["rate>=0.5"], "bc"), (["rate>0.5"], "c"), (["rate<=0.5"], "ab"),
        (["rate<0.5"], "a"), (["rate=0.5"], "b"), (["rate!=0.5"], "ac"), (["net.kind=vgg"], "b"),
        (["net.kind = fcn ", "rate>0.2"], "c"), (["final.error<0.2"], "b"),
        (["diverged=false"], "abc"),
        (["name=a"], "a"), (["hash=b0"], "b"), (["net.widths=[4, 2]"], "abc"),
        (["final.error!=0.3"], "b"),
    ],
)  # fmt: skip
def test_all_conditions_hold(conditions, kept):
    assert names(select(RUNS, conditions)) == kept


def test_numbers_that_are_names_are_compared_as_text():
    assert names(select([run("a", mark="1"), run("b", mark="2")], ["mark=2"])) == "b"


@pytest.mark.parametrize("condition", ["rate", "rate~3", "=3", "a b=3"])
def test_what_is_no_condition_is_refused(condition):
    with pytest.raises(UsageError, match="a field, a comparison and a value") as caught:
        select(RUNS, [condition])
    assert caught.value.got == repr(condition) and "net.kind=fcn" in caught.value.remedy


def test_an_unknown_field_lists_those_known_and_no_runs_know_none():
    with pytest.raises(UnknownName, match=r"field of runs.*'rat'.*rate"):
        select(RUNS, ["rat=1"])
    assert select([], ["rat=1"]) == []
    with pytest.raises(UnknownName):
        ordered(RUNS, "rat")


def test_kinds_that_do_not_compare_are_refused():
    with pytest.raises(UsageError, match="compares values of one kind") as caught:
        select(RUNS, ["rate<fast"])
    assert caught.value.got == "'rate<fast' of 0.1"


def test_runs_are_sorted_up_or_down_and_those_without_come_last():
    assert names(ordered(RUNS, "rate")) == "abc" and names(ordered(RUNS, "-rate")) == "cba"
    assert names(ordered(RUNS, "final.error")) == "bac"
    assert names(ordered(RUNS, "-final.error")) == "abc"


def test_texts_among_numbers_are_sorted_as_text():
    held = [run("a", size=10), run("b", size="9"), run("c", size=2)]
    assert names(ordered(held, "size")) == "acb"


def test_fields_are_dotted():
    found = fields(RUNS[0])
    assert found["net.kind"] == "fcn" and found["final.error"] == 0.3 and found["name"] == "a"
