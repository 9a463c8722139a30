import sys

import pytest

from ridgeline.data import load
from ridgeline.errors import DataError, MissingExtra, SpecError
from ridgeline.study.checks import SAMPLES
from ridgeline.study.config import RunConfig
from ridgeline.study.describe import describe, plan_summary
from ridgeline.study.spec import load_spec
from ridgeline.training import SGD, Adam
from study import pins
from study.pins import SPECS

TINY = """
name = "tiny"
[net]
widths = [64, 8, 10]
[data]
set = "digits"
[training]
length = "2ep"
"""


def refused(text, *args, **options):
    with pytest.raises(SpecError) as found:
        load_spec(text, *args, **options)
    return found.value


# --- reading -----------------------------------------------------------------------------------


def test_the_least_spec():
    spec = load_spec(TINY)
    assert (spec.name, len(spec.runs), spec.path) == ("tiny", 1, None)
    assert spec.runs[0].training.optimiser == SGD(learning_rate=0.1)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_example_can_be_read_built_described_and_planned(path):
    spec = load_spec(path)
    assert spec.path == path and spec.about
    assert len({run.hash for run in spec.runs}) == len(spec.runs)
    for net in {run.net.kind: run.net for run in spec.runs}.values():
        net.build(0)
    planned = plan_summary(spec)
    assert planned["runs"] == len(spec.runs) and planned["bytes"] > 0
    assert spec.name in str(describe(spec)) and spec.name in str(planned)


def test_the_examples_show_what_specs_can_say():
    assert {p.stem for p in SPECS} >= {
        *("digits", "fashion", "spawn", "grid", "autoencoder", "lstm", "resnet20-cifar10")
    }


def test_seeds_are_a_number_or_a_list_and_may_be_given_by_the_caller():
    seeds = lambda spec: [run.seed for run in spec.runs]  # noqa: E731 (a name for a short function that is read in place)
    assert seeds(load_spec("seeds = 3" + TINY)) == [0, 1, 2]
    assert seeds(load_spec("seeds = [4, 2, 4]" + TINY)) == [4, 2]
    assert seeds(load_spec("seeds = 3" + TINY, seeds=2)) == [0, 1]
    assert seeds(load_spec("seeds = 3" + TINY, seeds=(7,))) == [7]
    assert seeds(load_spec(TINY, ["seeds=2"])) == [0, 1]


def test_none_is_a_word_where_nothing_may_stand():
    spec = load_spec(TINY + 'assess = "none"\nclip = "none"', ["net.norm=none"])
    assert spec.runs[0].training.assess is None
    assert spec.runs[0].hash == load_spec(TINY + 'assess = "none"').runs[0].hash
    assert "It must be a whole number" in str(refused(TINY, ["training.batch_size=none"]))


def test_overrides_take_the_place_of_values_as_toml_or_as_text():
    spec = load_spec(
        TINY,
        [
            "training.length=5ep",
            "training.batch_size = 64",
            "net.widths=[64, 10]",
            'data.set="mnist1d"',
            "training.optimiser={kind='adam', learning_rate=1e-3}",
            "training.keep.geometric=4",
        ],
    )
    config = spec.runs[0]
    assert (config.training.length, config.training.batch_size) == ("5ep", 64)
    assert config.net.options == {"widths": [64, 10]} and config.data.set == "mnist1d"
    assert config.training.optimiser == Adam(learning_rate=1e-3)
    assert config.training.keep.geometric == 4


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "path", "said"),
    [
        ("lenght = '3ep'", "training.lenght", r"Got 'lenght'\. Did you mean 'length'\?"),
        ("batch_size = 1.5", "training.batch_size", r"It must be a whole number\. Got 1\.5\."),
        ("batch_size = true", "training.batch_size", r"a whole number\. Got True\."),
        ("batch_size = 0", "training.batch_size", r"must be at least 1\. Got 0\."),
        ("clip = '1'", "training.clip", r"It must be a number\. Got '1'\."),
        ("loss = 'crossentropy'", "training.loss", "Did you mean 'cross_entropy'"),
        ("loss = 3", "training.loss", "text in quotes"),
        ("schedule = { kind = 'cosin' }", "training.schedule", "Did you mean 'cosine'"),
        ("schedule = { floor = 0.1 }", "training.schedule", "says its `kind`.*Got floor"),
        ("schedule = 'cosine'", "training.schedule", r"It must be a table\. Got 'cosine'"),
        ("schedule = { kind = 'cosine', warm_up = '3' }", "training.schedule.warm_up", "a unit"),
        ("keep = { at = ['1ep', '5'] }", "training.keep.at[1]", r"has a unit.*Got '5'\."),
        ("keep = { at = ['1ep', 5] }", "training.keep.at[1]", "text in quotes"),
        ("keep = { every = '5' }", "training.keep.every", "has a unit"),
        ("keep = { at = ['9ep'] }", "training.keep.at", "at its end, 2ep, at the latest"),
        ("average = { decay = 0.5 }", "training.average", "one of: ema, swa"),
        ("average = { kind = 'swa', start = '3ep' }", "training.average.start", "at the latest"),
        ("optimiser = { kind = 'sgd' }", "training.optimiser.learning_rate", "must be given"),
        (
            "optimiser = { kind = 'sgd', learning_rate = nan }",
            "training.optimiser.learning_rate",
            "must be finite",
        ),
        (
            "optimiser = { kind = 'sgd', learning_rate = 0.1, nesterow = true }",
            "training.optimiser.nesterow",
            "Did you mean 'nesterov'",
        ),
        (
            "schedule = { kind = 'cosine', floor = nan }",
            "training.schedule.floor",
            r"`floor` must be finite",
        ),
        ("[net2]", "net2", "Did you mean 'net'"),
        ("[data.skew]\npart = 'c'", "data.skew.part", "Known: a, b"),
        ("[data.skew]\npart = 'a'\nshare = 2", "data.skew.share", "from 0 to 1"),
        ("[spawn]\nat = '1'", "spawn.at", "has a unit"),
        ("[spawn]\nat = '1ep'\nwhen = 1", "spawn.when", "Known:.* children"),
        ("[spawn]\nat = []", "spawn.at", "at least one time"),
        ("[spawn]\nat = '3ep'", "spawn.at", "at the latest"),
        ("[spawn]\nat = ['25it']", "spawn.at", "12 steps an epoch"),
        ("[spawn]\nat = '1ep'\nchildren = 0", "spawn.children", "at least 1"),
    ],
)
def test_a_wrong_line_is_told_with_its_path_and_the_remedy(line, path, said):
    error = refused(TINY + line)
    assert [place for place, _ in error.problems] == [path]
    assert error.args[0].startswith("the spec" + (f", {path}: " if path else ": "))
    with pytest.raises(SpecError, match=said):
        load_spec(TINY + line)
    for jargon in ("pydantic", "https:", "validation", "tagged", "union", "input_value"):
        assert jargon not in str(error)


@pytest.mark.parametrize(
    ("override", "path", "said"),
    [
        ("net.widht=[3]", "net.widht", "Did you mean 'widths'"),
        ("net.kind=fnc", "net.kind", "Did you mean 'fcn'"),
        ("net.seed=a", "net.seed", "a whole number"),
        ("net.widths=2024-01-01", "net", "must be text"),
        ("net.kind=[1]", "net.kind", "text in quotes"),
        ("net=3", "net", r"It must be a table\. Got 3"),
        ("data.set=digit", "data.set", "Did you mean 'digits'"),
        ("data.set='digits?trian=5'", "data.set", "Did you mean 'train'"),
        ("data.set='digits?train=x'", "data.set", "are whole numbers"),
        ("data.label_noise=1.5", "data.label_noise", "from 0 to 1"),
        ("data.targets=label", "data.targets", "Did you mean 'labels'"),
        ("seeds=0", "seeds", "at least 1"),
        ("seeds=[0,'1']", "seeds[1]", "a whole number"),
        ("seeds=many", "seeds", "a whole number or a list"),
    ],
)
def test_a_wrong_override_is_told_with_its_path(override, path, said):
    error = refused(TINY, [override])
    assert [place for place, _ in error.problems] == [path]
    with pytest.raises(SpecError, match=said):
        load_spec(TINY, [override])


def test_all_problems_are_told_at_once_but_ten_at_most():
    lines = "\n".join(f"wrong{i} = 0" for i in range(12))
    error = refused(TINY + lines)
    assert len(error.problems) == 12
    assert "the spec has 12 values" in str(error) and "... and 2 more" in str(error)
    assert str(error).count("\n") == 12


def test_a_message_in_full():
    error = refused(TINY + "optimiser = { kind = 'sgd', learning_rate = 0.1, momentun = 0.9 }")
    assert str(error) == (
        "the spec, training.optimiser.momentun: A key must be one that is known. Got 'momentun'. "
        "Did you mean 'momentum'? Known: momentum, learning_rate, weight_decay, kind, nesterov."
    )


def test_a_torn_file_is_told_by_line_and_column(tmp_path):
    path = tmp_path / "torn.toml"
    path.write_text('name = "x"\n[net\nkind = 1\n')
    with pytest.raises(SpecError, match=r"torn\.toml: line 2, column 5: .*Got `\[net`"):
        load_spec(path)
    path.write_text('name = "x"\n[net')
    with pytest.raises(SpecError, match=r"torn\.toml"):
        load_spec(path)


def test_a_byte_order_mark_is_no_part_of_a_spec(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TINY.replace("\n", "\r\n").encode())
    assert load_spec(path).runs == load_spec("\ufeff" + TINY).runs == load_spec(TINY).runs


def test_a_spec_in_utf_16_is_told_what_it_is(tmp_path):
    (tmp_path / "windows.toml").write_text(TINY, encoding="utf-16")
    with pytest.raises(DataError, match=r"Got the byte order mark of UTF-16.*Save it as UTF-8"):
        load_spec(tmp_path / "windows.toml")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "digits.toml").write_text(TINY)
    with pytest.raises(DataError, match=r"No such file.*Beside it: .*digits\.toml"):
        load_spec(tmp_path / "digit.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        load_spec(tmp_path / "bytes.toml")


@pytest.mark.parametrize("text", ["training.length", "=3", "grid=3", "a b=1", "net..kind=1"])
def test_an_override_of_another_form_is_refused(text):
    assert "Write training.length=5ep" in str(refused(TINY, [text]))


def test_without_pydantic_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(MissingExtra, match=r"ridgeline\[study\]"):
        load_spec(TINY)


def test_a_config_that_is_read_again_names_the_extra_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(MissingExtra, match=r"ridgeline\[study\]"):
        RunConfig.from_dict(pins.run().full())


# --- what is said of a spec ----------------------------------------------------------------------


def test_every_value_tells_where_it_comes_from_and_what_it_means():
    text = TINY + 'schedule = { kind = "cosine" }\noptimiser = { kind = "sgd" }\n'
    text += '[spawn]\nat = "1ep"\n'
    text += '[grid]\n"training.optimiser.learning_rate" = [0.1, 0.2]\n"net.bias" = [true, false]'
    about = describe(load_spec(text, ["training.batch_size=64", "net.bias=false"]))
    source = {value["path"]: value["source"] for value in about["values"]}
    assert source["training.schedule.kind"] == source["net.widths"] == "file"
    assert source["training.batch_size"] == source["net.bias"] == "override"
    assert source["training.optimiser.learning_rate"] == "grid"
    assert source["training.keep.spawn"] == "spawn"
    assert source["training.clip"] == source["net.kind"] == source["spawn.optimiser"] == "default"
    meaning = {value["path"]: value["meaning"] for value in about["values"]}
    assert meaning["training.clip"].startswith("Largest Euclidean norm")
    assert meaning["training.schedule.warm_up"] == "A duration."
    assert (about["parents"], about["children"]) == (2, 4)
    assert [axis["values"] for axis in about["axes"]] == [[0.1, 0.2]]


def test_a_description_prints_as_lines():
    lines = str(describe(load_spec("seeds = 2" + TINY))).splitlines()
    assert lines[:2] == ["tiny", "2 runs"]
    assert "[training]" in lines
    batch = next(line for line in lines if line.startswith("batch_size = 128"))
    assert batch.split(maxsplit=4)[3:] == [
        "default",
        "Samples of a step; the last of an epoch has what is left.",
    ]


def test_a_plan_counts_steps_states_and_bytes():
    text = TINY.replace('"2ep"', '"2ep"\nkeep = { at = ["5it"] }\naverage = { kind = "ema" }')
    text += "optimiser = { kind = 'sgd', learning_rate = 0.1, momentum = 0.9 }\n"
    text += '[spawn]\nat = ["1ep"]\nchildren = 2\n'
    planned = plan_summary(load_spec(text))
    parameters = 64 * 8 + 8 + 8 * 10 + 10
    assert planned["nets"][0]["parameters"] == parameters
    assert planned["steps"] == 24 + 2 * 12  # 1437 samples in batches of 128
    parent, child = 4 + 1, 2 + 1  # steps 0, 5, 12, 24; steps 12, 24; and averages
    assert planned["states"] == parent + 2 * child
    assert planned["bytes"] == 4 * parameters * (parent + 2 * child + 1)
    assert "610 parameters" in str(planned) and "KiB" in str(planned)


def test_what_depends_on_unknown_data_is_said_to_be_unknown():
    spec = load_spec(TINY, ["data.set=my_data:build"])
    assert plan_summary(spec)["steps"] is None
    assert "not known" in str(plan_summary(spec))
    assert plan_summary(spec, samples={"my_data:build": 256})["steps"] == 4


@pytest.mark.parametrize("name", ["digits", "mnist1d"])
def test_the_sizes_of_data_sets_are_what_they_are(name):
    assert len(load(name)["train"]) == SAMPLES[name]
