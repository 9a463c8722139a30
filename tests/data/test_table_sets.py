"""Tables as data sets: splits, scalings, targets, and sets that have a name."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import csv

from ridgeline import data
from ridgeline.data import openml, r_sets, table_sets
from ridgeline.data.scaling import fit_scaling
from ridgeline.errors import DataError, UnknownName, UsageError
from ridgeline.rng import stream
from ridgeline.study.checks import problems_in
from ridgeline.study.config import DataConfig, NetConfig, RunConfig
from ridgeline.study.members import prepare
from ridgeline.training import Keep, Recipe


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    draws = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("tables") / "small.csv"
    x = np.exp(draws.normal(size=(40, 2)))
    labels = np.where(x[:, 0] > 1, "yes", "no")
    csv.write_csv(pa.table({"u": x[:, 0], "size": x[:, 1], "label": labels}), path)
    return path


def test_a_file_is_halves_scaled_by_the_training_rows(file):
    found = data.load(str(file))
    assert {name: tuple(s.inputs.shape) for name, s in found.splits.items()} == {
        "train": (20, 2),
        "test": (20, 2),
    }
    assert found.classes == 2
    assert "classes no, yes" in found.description
    plain = data.load(f"{file}?scaling=none")
    rows = plain["train"].inputs.double().numpy()
    scaling = fit_scaling("quantile", rows)
    for split in ("train", "test"):
        wanted = scaling(plain[split].inputs.double().numpy())
        np.testing.assert_allclose(found[split].inputs, wanted, atol=1e-4)
        assert found[split].inputs.dtype == torch.float32
    labels = (plain["test"].inputs[:, 0] > 1).long()  # no, yes: in the order of the words
    assert torch.equal(found["test"].targets, labels)


def test_rows_are_asked_for_and_chosen_by_the_seed(file):
    few = data.load(f"{file}?train=5&test=3&seed=1&scaling=none")
    assert (len(few["train"]), len(few["test"])) == (5, 3)
    assert len(data.load(f"{file}?test=3")["train"]) == 37
    again = data.load(f"{file}?train=5&test=3&seed=1&scaling=none")
    other = data.load(f"{file}?train=5&test=3&scaling=none")
    assert few.fingerprint == again.fingerprint != other.fingerprint
    rows = torch.cat([few["train"].inputs, few["test"].inputs])
    assert len(rows.unique(dim=0)) == 8
    with pytest.raises(DataError, match=r"together at most 40\. Got train=30, test=20"):
        data.load(f"{file}?train=30&test=20")


def test_values_are_floats_and_many_whole_numbers_are_values(file, tmp_path):
    found = data.load(f"{file}?target=size&categorical=one-hot")
    assert found.classes is None
    assert found["train"].targets.dtype == torch.float32
    path = tmp_path / "counts.csv"
    csv.write_csv(pa.table({"u": np.arange(500.0), "n": np.arange(500) % 25}), path)
    assert data.load(str(path)).classes is None
    assert data.load(f"{path}?task=classes").classes == 25
    csv.write_csv(pa.table({"u": np.arange(50.0), "n": np.arange(50) % 3}), path)
    assert data.load(str(path)).classes == 3
    with pytest.raises(DataError, match="words in the target 'label'"):
        data.load(f"{file}?task=values")


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("wine?test=8", 170),
        ("wine?train=5", 5),
        ("openml-pol", 5041),
        ("own.csv?train=7", 7),
        ("own.csv?test=7", None),
        ("r-sonar", None),
    ],
)
def test_training_rows_are_known_before_reading_where_they_can_be(spec, wanted):
    assert table_sets.training_rows(spec) == wanted


def test_one_class_is_refused(tmp_path):
    csv.write_csv(pa.table({"u": [1.0, 2.0], "y": ["a", "a"]}), tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"two classes or more\. Got 'a' in all rows of 'y'"):
        data.load(str(tmp_path / "a.csv"))


def test_a_class_that_was_not_seen_is_refused(tmp_path):
    path = tmp_path / "rare.csv"
    csv.write_csv(pa.table({"u": np.arange(31.0), "y": ["a", "b"] * 15 + ["c"]}), path)
    tested = {s for s in range(8) if 30 in data_order(31, s)[16:]}
    assert 0 < len(tested) < 8
    for seed in tested:
        with pytest.raises(DataError, match=r"'c' in none of 16 rows.*another seed"):
            data.load(f"{path}?seed={seed}")
    for seed in set(range(8)) - tested:
        assert data.load(f"{path}?seed={seed}").classes == 3


def data_order(rows, seed):
    return torch.randperm(rows, generator=stream(seed, "table")).tolist()


def test_a_plus_is_one_and_percent_stands_for_others(tmp_path):
    path = tmp_path / "a.csv"
    csv.write_csv(pa.table({"c++": [0, 1] * 9, "r & d": np.arange(18) + 0.5}), path)
    assert data.load(f"{path}?target=c++").classes == 2
    assert data.load(f"{path}?target=r %26 d").classes is None


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ("targt=u", UnknownName, "Did you mean 'target'"),
        ("scaling=quantiles", UnknownName, "Did you mean 'quantile'"),
        ("train=many", UsageError, "`train` is a whole number"),
        ("seed=1&seed=2", UsageError, "given once"),
    ],
)
def test_options_that_are_not_understood_are_told_before_and_when_it_is_read(
    file, options, kind, said
):
    with pytest.raises(kind, match=said):
        data.load(f"{file}?{options}")
    problem = table_sets.problem_of(f"{file}?{options}")
    assert isinstance(problem, kind)


@pytest.mark.parametrize("name", ["breast-cancer", "wine", "digits-parity", "diabetes", "clusters"])
def test_tables_that_come_with_scikit_learn(name):
    found = data.load(f"{name}?scaling=none")
    rows = sum(len(split) for split in found.splits.values())
    width = found["train"].inputs.shape[1]
    assert table_sets.training_rows(name) == len(found["train"])
    assert f"{rows:,} rows of {width} numbers" in data.known()[name].replace("1797", "1,797")
    classes = f", {found.classes} classes" if found.classes else "values"
    assert classes in data.known()[name]


def test_a_spec_trains_soft_trees_on_a_table(file):
    net = NetConfig(kind="soft_trees", options={"features": 2, "outputs": 2, "trees": 3})
    chosen = DataConfig(set=str(file))
    run = RunConfig(net=net, data=chosen, training=Recipe(length="2it"), seed=0)
    member, split, test, _, _ = vars(prepare(run)).values()
    assert member.model(split.inputs).shape == (20, 2)
    assert len(test) == 20


def test_a_spec_of_a_table_is_refused_where_it_stands():
    net = NetConfig(kind="soft_trees", options={"features": 13, "outputs": 3})
    recipe = Recipe(length="2ep", keep=Keep(at=("1ep",)))
    run = RunConfig(net=net, data=DataConfig(set="wine?tset=8"), training=recipe, seed=0)
    ((path, refused),) = problems_in(run)
    assert path == "data.set"
    assert "Did you mean 'test'" in str(refused)


# --- OpenML ----------------------------------------------------------------------------------

ARFF = """% this is how OpenML writes it
@RELATION electricity

@ATTRIBUTE date REAL
@ATTRIBUTE 'nsw price' REAL
@ATTRIBUTE class {DOWN,UP}

@DATA
0.1,1.5,UP
0.2,-0.5,DOWN
0.3,2e-3,UP
0.4,7,DOWN
"""


@pytest.mark.parametrize(
    "place", ["openml/44120.arff", "electricity.arff", "openml/44120/dataset.arff"]
)
def test_a_set_of_openml_is_read_as_it_is_sent(tmp_path, monkeypatch, place):
    monkeypatch.setitem(openml.BENCHMARK, "electricity", (44120, 4, 2))
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text(ARFF)
    found = data.load("openml-electricity?scaling=none&test=1", root=tmp_path)
    assert (len(found["train"]), found.classes) == (3, 2)
    assert "classes DOWN, UP" in found.description
    assert (found["train"].targets == (found["train"].inputs[:, 0] * 10).round() % 2).all()


def test_another_set_of_that_name_is_refused(tmp_path):
    (tmp_path / "44120.arff").write_text(ARFF)
    with pytest.raises(DataError, match=r"38474 rows of 7 columns.*Got 4 rows of 2.*number 44120"):
        data.load("openml-electricity", root=tmp_path)


def test_a_set_that_is_not_there_says_where_it_comes_from(tmp_path):
    with pytest.raises(DataError, match=r"openml\.org/d/44125 .*openml/44125\.arff"):
        data.load("openml-MagicTelescope", root=tmp_path)


def test_the_sixteen_sets_have_the_sizes_of_the_paper():
    assert len(openml.BENCHMARK) == 16
    assert len({number for number, _, _ in openml.BENCHMARK.values()}) == 16
    assert openml.BENCHMARK["MiniBooNE"] == (44128, 72998, 50)


# --- R ---------------------------------------------------------------------------------------

FAKE = """#!/bin/sh
for last; do :; done
printf 'u,"%s"\\n1,"a"\\n2,"b"\\n3,"a"\\n4,"b"\\n5,"a"\\n6,"b"\\n' "$6" > "$last"
"""


def test_r_writes_its_tables(tmp_path, monkeypatch):
    (tmp_path / "Rscript").write_text(FAKE)
    (tmp_path / "Rscript").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    made = r_sets.export(tmp_path / "r")
    assert [path.stem for path in made] == list(r_sets.SETS)
    assert (tmp_path / "r" / "spam.csv").read_text().startswith('u,"type"\n')
    found = data.load("r-spam?scaling=none&test=1", root=tmp_path)
    assert found.classes == 2


def test_without_r_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"no Rscript.*apt-get install r-cran-mlbench"):
        r_sets.export(tmp_path)
    with pytest.raises(DataError, match=r"r_sets\.export"):
        data.load("r-sonar", root=tmp_path)
    (tmp_path / "Rscript").write_text(
        "#!/bin/sh\necho there is no package called mlbench >&2\nexit 1\n"
    )
    (tmp_path / "Rscript").chmod(0o755)
    with pytest.raises(DataError, match="exit 1: there is no package called mlbench"):
        r_sets.export(tmp_path)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_itself_writes_them(tmp_path):
    try:
        r_sets.export(tmp_path / "r")
    except DataError as error:
        pytest.skip(str(error))
    for name, line in r_sets.known().items():
        found = data.load(f"{name}?scaling=none", root=tmp_path)
        rows = sum(len(split) for split in found.splits.values())
        width = found["train"].inputs.shape[1]
        assert f"{rows} rows of {width} numbers, {found.classes} classes" in line.replace(",0", "0")
