import pytest
import torch

from ridgeline.errors import StoreError
from ridgeline.study.store import Identity, Store, query


def test_an_empty_store_has_empty_tables(tmp_path):
    store = Store(tmp_path)
    assert store.query("select count(*) as n from runs").to_pylist() == [{"n": 0}]
    assert store.query("select * from logs").num_rows == 0


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    for seed in range(3):
        log = {"epoch": [1.0, 2.0], "loss": [seed + 0.5, seed + 0.25]}
        made.publish(
            Identity(f"run-{seed}", f"{seed:016x}"),
            config={},
            full={
                "seed": seed,
                "net": {"kind": "fcn", "widths": [4, 2 + seed]},
                "training": {"optimiser": {"learning_rate": 0.1 * (seed + 1)}},
                "mixed": 1 if seed else "one",
                **({"spawn": {"at": "1ep"}} if seed else {}),
            },
            provenance={"host": "here"},
            states={"step-00000000": {"w": torch.zeros(2)}},
            log=log | ({"test_loss": [1.0, 2.0]} if seed else {}),
            summary={"final": {"test": {"error": 0.1 * seed}}, "diverged": seed == 2},
        )
    return made


def test_fields_are_columns(store):
    found = store.query(
        "select name, net_widths, training_optimiser_learning_rate as rate, spawn_at, mixed, "
        "summary_final_test_error as error from runs where not summary_diverged order by rate"
    ).to_pylist()
    assert [row["name"] for row in found] == ["run-0", "run-1"]
    assert [row["net_widths"] for row in found] == ["[4, 2]", "[4, 3]"]
    assert [row["spawn_at"] for row in found] == [None, "1ep"]
    assert [row["mixed"] for row in found] == ["one", "1"]
    assert [row["error"] for row in found] == [0.0, 0.1]


def test_logs_of_different_columns_are_one_table(store):
    found = store.query(
        "select name, min(loss) as best, max(test_loss) as test from logs join runs using (name) "
        "group by name order by name"
    ).to_pylist()
    assert [row["best"] for row in found] == [0.25, 1.25, 2.25]
    assert [row["test"] for row in found] == [None, 2.0, 2.0]


@pytest.mark.parametrize(
    "sql",
    [
        "drop table runs",
        "select 1; select 2",
        "copy runs to 'x.csv'",
        "selec name from runs",
        "select nonsense from runs",
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "",
    ],
)
def test_what_is_not_one_question_is_refused(store, sql, tmp_path):
    with pytest.raises(StoreError):
        store.query(sql)
    assert not (tmp_path / "x.csv").exists()


def test_nested_fields_are_flattened():
    assert query.flat({"a": {"b": {"c": 1}}, "d": [1, 2]}) == {"a_b_c": 1, "d": "[1, 2]"}
    assert query.flat({"net": {"options": {"width": 3}}}, joint=".") == {"net.width": 3}
