"""``align`` and ``merge`` of estimators in files, on a table in a file."""

import json

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch
from sklearn.datasets import load_breast_cancer

import ridgeline as rl
from ridgeline.cli.main import main
from ridgeline.estimators import SoftTreeClassifier, load_estimator, save_estimator


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    x, target = load_breast_cancer(return_X_y=True)
    x, y = x[:300, :5], np.where(target[:300] == 1, "benign", "malignant")
    columns = {"other": np.arange(300.0), **dict(zip("edcba", x.T[::-1], strict=True)), "kind": y}
    pyarrow.csv.write_csv(pyarrow.table(columns), folder / "table.csv")
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "table.parquet")
    for k, name in enumerate("pqr"):
        fitted = SoftTreeClassifier(trees=5, epochs=3, random_state=k).fit(x[k::3], y[k::3])
        fitted.feature_names_in_ = np.array([*"abcde"], dtype=object)
        save_estimator(fitted, folder / f"{name}.safetensors")
    return folder, x, y


def estimator(path):
    """Read, without the names of columns: arrays have none."""
    found = load_estimator(path)
    del found.feature_names_in_
    return found


def paths(files, names):
    return [str(files[0] / f"{n}.safetensors") for n in names]


def test_align_writes_what_the_second_predicts_and_scores_the_line(files, tmp_path, capsys):
    folder, x, y = files
    out = str(tmp_path / "q.safetensors")
    data = ["--data", str(folder / "table.parquet"), "--target", "kind"]
    assert main(["align", *paths(files, "pq"), *data, "--out", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    p, q = map(estimator, paths(files, "pq"))
    found = estimator(out)
    np.testing.assert_allclose(found.predict_proba(x), q.predict_proba(x), atol=1e-9)
    want = {"halfway": rl.merge([p, q]), "halfway, aligned": rl.merge([p, rl.align(p, q)])}
    for name, one in want.items():
        assert told["scores"][name] == pytest.approx(one.score(x, y))
    assert told["measure"] == "accuracy"


@pytest.mark.parametrize(
    ("names", "more"),
    [
        ("pq", ["--align"]),
        ("pq", ["--align", "--align-by", "activations", "--weights", "3,1"]),
        ("pqr", ["--align"]),
        ("pqr", ["--align", "--align-many", "reference"]),
        ("pqr", []),
    ],
)
def test_merge_takes_two_and_more(files, tmp_path, capsys, names, more):
    folder, x, y = files
    out = str(tmp_path / "merged.safetensors")
    data = ["--data", str(folder / "table.csv")]
    assert main(["merge", *paths(files, names), *data, *more, "--out", out]) == 0
    said = capsys.readouterr().out
    found = estimator(out)
    assert f"merged: accuracy {found.score(x, y):.4f}" in said
    if not more:
        want = rl.merge(list(map(estimator, paths(files, names))))
        assert found.score(x, y) == want.score(x, y)


@pytest.mark.parametrize(
    ("verb", "more", "words"),
    [
        ("align", ["--model", "nets:build"], "bring their network"),
        ("align", ["--by", "annealing"], "by weights or by activations"),
        ("align", ["--by", "activations"], "looks at data"),
        ("align", ["--target", "kind"], "--target is a column of --data"),
        ("merge", ["--by", "ties", "--json"], "merged to their mean"),
        ("merge", [], "neither --out nor --data"),
    ],
)
def test_options_that_do_not_go_with_estimators_are_refused(files, capsys, verb, more, words):
    assert main([verb, *paths(files, "pq"), *more]) == 2
    assert words in capsys.readouterr().err


def test_a_table_of_other_columns_is_refused_by_name(files, tmp_path, capsys):
    other = str(tmp_path / "other.csv")
    columns = {"a": [1.0, 2.0], "kind": ["benign", "malignant"]}
    pyarrow.csv.write_csv(pyarrow.table(columns), other)
    assert main(["align", *paths(files, "pq"), "--data", other]) == 3
    assert "without 'b'" in capsys.readouterr().err


def test_an_estimator_and_a_checkpoint_are_refused(files, tmp_path, capsys):
    rl.save({"w": torch.zeros(2)}, tmp_path / "w.safetensors")
    given = [*paths(files, "p"), str(tmp_path / "w.safetensors")]
    assert main(["align", *given]) == 2
    assert "Estimators go with estimators" in capsys.readouterr().err
    assert main(["align", given[1], given[1]]) == 2
    assert "no --model" in capsys.readouterr().err
