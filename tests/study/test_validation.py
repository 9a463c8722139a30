"""Values that do not fit are told with their path and the remedy."""

import sys

import pytest

from ridgeline.errors import MissingExtra, SpecError
from ridgeline.study.config import RunConfig
from ridgeline.study.spec import load_spec
from study import pins

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


def test_none_is_a_word_where_nothing_may_stand():
    spec = load_spec(TINY + 'assess = "none"\nclip = "none"', ["net.norm=none"])
    assert spec.runs[0].training.assess is None
    assert spec.runs[0].hash == load_spec(TINY + 'assess = "none"').runs[0].hash
    assert "It must be a whole number" in str(refused(TINY, ["training.batch_size=none"]))


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


def test_without_pydantic_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(MissingExtra, match=r"ridgeline\[study\]"):
        load_spec(TINY)


def test_a_config_that_is_read_again_names_the_extra_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(MissingExtra, match=r"ridgeline\[study\]"):
        RunConfig.from_dict(pins.run().full())
