"""None"""

import pytest

from ridgeline.data import load
from ridgeline.errors import DataError, SpecError
from ridgeline.study.checks import SAMPLES
from ridgeline.study.describe import describe, plan_summary
from ridgeline.study.spec import load_spec
from ridgeline.training import SGD, Adam
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


@pytest.mark.parametrize("name", ["digits", "mnist1d"])
def test_the_sizes_of_data_sets_are_what_they_are(name):
    assert len(load(name)["train"]) == SAMPLES[name]
