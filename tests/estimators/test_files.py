"""Estimators in files, and what is not read."""

import bz2
import gzip
import json
import lzma
import pickle
import zlib

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression

import ridgeline as rl
from ridgeline.errors import CheckpointError, UsageError

SMALL = {"trees": 3, "epochs": 2, "random_state": 0}
X = np.random.default_rng(0).normal(size=(30, 4))
Y = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize("labels", [["no", "yes"], [3, 7], [False, True], [1.0, 2.0]])
@pytest.mark.parametrize("scaling", ["standard", "quantile", "none"])
def test_a_classifier_comes_back_as_it_was(tmp_path, labels, scaling):
    table = pa.table({f"x{i}": column for i, column in enumerate(X.T)})
    made = rl.SoftTreeClassifier(**SMALL, scaling=scaling).fit(table, np.array(labels)[Y])
    path = rl.save_estimator(made, tmp_path / "a.safetensors")
    back = rl.load_estimator(path)
    assert (back.predict_proba(table) == made.predict_proba(table)).all()
    assert back.classes_.dtype == made.classes_.dtype
    assert (back.predict(table) == made.predict(table)).all()
    assert back.feature_names_in_.tolist() == made.feature_names_in_.tolist()
    assert back.get_params() == made.get_params()
    assert (back.n_iter_, back.validation_losses_) == (2, [])


@pytest.mark.parametrize("targets", [X[:, 0], X[:, :2]])
def test_a_regressor_too(tmp_path, targets):
    made = rl.SoftTreeRegressor(**SMALL, kind="perfect").fit(X, 5 + targets)
    back = rl.load_estimator(rl.save_estimator(made, tmp_path / "a.safetensors"))
    assert (back.predict(X) == made.predict(X)).all()


@pytest.fixture
def saved(tmp_path):
    return rl.save_estimator(rl.SoftTreeClassifier(**SMALL).fit(X, Y), tmp_path / "a.safetensors")


PACKED = {
    "as it is": bytes,
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("name", ["a.joblib", "a.pkl", "a.safetensors"])
@pytest.mark.parametrize("packed", PACKED)
def test_pickles_are_refused_unread_whatever_their_name(tmp_path, name, packed):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("it was read",))

    (tmp_path / name).write_bytes(PACKED[packed](pickle.dumps(Trap())))
    with pytest.raises(CheckpointError, match=r"executes nothing.*rl\.save_estimator"):
        rl.load_estimator(tmp_path / name)


def test_what_is_no_file_of_an_estimator(tmp_path, saved):
    with pytest.raises(CheckpointError, match="must be there"):
        rl.load_estimator(tmp_path / "b.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(saved.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="must be whole"):
        rl.load_estimator(tmp_path / "torn.safetensors")
    plain = rl.save({"weight": torch.ones(2)}, tmp_path / "plain.safetensors")
    with pytest.raises(CheckpointError, match=r"says so under 'ridgeline\.estimator'"):
        rl.load_estimator(plain)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda about: about["network"].update(trees=10**9), "tensors of shapes"),
        (lambda about: about["network"].update(depth=10**9), "where there are 2 splits"),
        (lambda about: about["params"].update(shape=3), "unexpected keyword"),
        (lambda about: about.pop("classes"), "classes"),
        (lambda about: about.update(version=2), "of version 1. Got version 2"),
        (lambda about: about.update(kind="Pipeline"), "says so under"),
    ],
)
def test_a_file_that_was_changed_is_told(tmp_path, saved, change, said):
    with saved.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        about = json.loads(json.loads(file.read(length))["__metadata__"]["ridgeline.estimator"])
    change(about)
    other = tmp_path / "b.safetensors"
    save_file(load_file(saved), other, metadata={"ridgeline.estimator": json.dumps(about)})
    with pytest.raises(CheckpointError, match=said):
        rl.load_estimator(other)


def test_what_is_not_saved(tmp_path, saved):
    with pytest.raises(UsageError, match="is a SoftTreeClassifier or a SoftTreeRegressor"):
        rl.save_estimator(LogisticRegression(), tmp_path / "b.safetensors")
    with pytest.raises(UsageError, match=r"is fitted\. Got a SoftTreeClassifier that is not"):
        rl.save_estimator(rl.SoftTreeClassifier(), tmp_path / "b.safetensors")
    with pytest.raises(rl.errors.OutputError):
        rl.save_estimator(rl.load_estimator(saved), saved)
