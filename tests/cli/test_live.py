"""How far a population is, in lines and as a table."""

import math
from types import SimpleNamespace

import pytest

from ridgeline.cli import live
from ridgeline.cli.live import Lines, Table, shortened
from ridgeline.study.executors import Failure

FAILURE = Failure(task="a", kind="ValueError", text="no", traceback="")


def said(step=5, planned=10, **more):
    about = {
        "step": step, "planned": planned, "loss": [0.5, 0.25], "error": [0.1, 0.1],
        "test_error": [math.nan, math.nan], "learning_rate": [0.1, 0.01], "rate": 2.0,
        "finished": ["", ""],
    }  # fmt: skip
    return about | more


@pytest.mark.parametrize(
    ("names", "want"),
    [
        (["fcn-a-1", "fcn-a-2"], ["1", "2"]), (["fcn-ab", "fcn-ac"], ["ab", "ac"]),
        (["alone-1"], ["alone-1"]), (["a", "b"], ["a", "b"]), ([], []),
        (["x-1", "x-1-2"], ["1", "1-2"]),
    ],
)  # fmt: skip
def test_words_that_all_begin_with_are_left_out(names, want):
    assert list(shortened(names).values()) == want


def test_some_runs_in_a_few_words():
    lines = Lines()
    lines.short = {"fcn-1": "1"}
    assert lines.group(["fcn-1"]) == "1" and lines.group(["fcn-1", "b", "c"]) == "1 and 2 more"
    assert lines.group(["unknown"]) == "unknown"


@pytest.fixture
def told(capsys):
    def told():
        return capsys.readouterr().err.splitlines()

    return told


def plan(*reasons):
    return SimpleNamespace(reasons=reasons, groups=[SimpleNamespace(runs=["h1", "h2"])])


def test_the_plan_counts_what_is_there_and_says_why_only_if_something_is_missing(told):
    Lines().planned(plan("in one stack"), {"h1": "r-1", "h2": "r-2"}, 1)
    assert told() == ["2 runs: 1 in the store, 1 to train", "  in one stack"]
    Lines().planned(plan("in one stack"), {"h1": "r-1"}, 1)
    assert told() == ["1 run: 1 in the store, 0 to train"]


def test_progress_says_ranges_and_time_left(told):
    Lines().progress(["a", "b"], said())
    (line,) = told()
    assert line == (
        "a and 1 more: step 5 of 10, loss 0.25 to 0.5, error 0.1, test error -, "
        "rate 0.01 to 0.1, 2 steps/s, 2.5 s left"
    )


def test_progress_is_told_now_and_then_and_at_the_end(told, monkeypatch):
    clock = iter([0.0, 1.0, 4.9, 5.0, 6.0, 7.0])
    monkeypatch.setattr(live.time, "monotonic", lambda: next(clock))
    lines = Lines()
    for step in (1, 2, 3, 4):
        lines.progress(["a"], said(step))
    assert [line.split()[2] for line in told()] == ["1", "4"]
    lines.progress(["a"], said(10))
    lines.progress(["a"], said(6, finished=["diverged", "done"]))
    end, stopped = told()
    assert "step 10 of 10" in end and stopped.endswith(", 1 diverged")


def test_a_failure_is_told_and_an_end_is_not(told):
    lines = Lines()
    lines.ended(["a"], None)
    lines.ended(["a", "b"], FAILURE)
    assert told() == ["a and 1 more: failed: ValueError: no"]


def test_waiting_is_told_once_for_the_same_runs(told):
    lines = Lines()
    for names in (["a"], ["a"], ["b"]):
        lines.waiting(names, "pid 3 on host")
    assert told() == [f"{n}: waiting, pid 3 on host is at work on it" for n in "ab"]


def cells(table):
    drawn = table.draw()
    return [[str(c) for c in column._cells] for column in drawn.columns], drawn.caption


def test_the_table_has_a_row_for_each_run_and_counts_states(capsys):
    table = Table()
    table.planned(plan(), {"h1": "r-1", "h2": "r-2"}, 0)
    columns, caption = cells(table)
    assert columns[0] == ["1", "2"] and columns[-1] == ["waiting", "waiting"]
    assert caption == "2 waiting"
    table.progress(["r-2"], said(loss=[0.5], error=[0.1], test_error=[0.2], learning_rate=[0.1]))
    columns, caption = cells(table)
    assert [c[0] for c in columns] == ["2", "5/10", "0.5", "0.1", "0.2", "0.1", "2", "2.5 s"]
    assert caption == "1 running, 1 waiting"


def test_runs_that_ended_say_where_they_are():
    table = Table()
    table.ended(["r-1"], None)
    assert table.rows["r-1"].state == "in the store"
    table.ended(["r-1"], FAILURE)
    assert table.rows["r-1"].state == "failed"
    table.waiting(["r-1"], "pid 3")
    assert cells(table)[1] == "1 failed; r-1: waiting, pid 3 is at work on it"


def test_a_run_that_finished_says_how():
    table = Table()
    table.progress(["a", "b"], said(finished=["diverged", ""], rate=0.0))
    columns, caption = cells(table)
    assert columns[-1] == ["-", "diverged"] and caption == "1 running, 1 diverged"
