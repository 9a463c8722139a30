"""A made-up paper, asked whole: shared runs, resumption, and what is left out."""

import numpy as np
import pytest

from ridgeline.errors import UnknownName, UsageError
from ridgeline.frame import every, mean
from ridgeline.frame.show import Summary
from ridgeline.paths import Line, Path
from ridgeline.study.claims import Claim
from ridgeline.study.keys import versioned
from ridgeline.study.papers import Item, Paper
from ridgeline.study.reproduction import missing, needed, reproduce
from ridgeline.study.scales import load_scale
from ridgeline.study.store import Store
from ridgeline.study.subjects import Subject

SCALE = """
paper = "nobody1999"
seeds = 5
[measure]
points = 5
[base.net]
kind = "fcn"
widths = [64, 8, 10]
[base.data]
set = "digits?train=200&test=100"
[base.training]
length = "3ep"
batch_size = 50
[populations.plain]
[populations.pair.grid]
"net.bias" = [true, false]
[populations.noisy]
data = { label_noise = 0.5 }
"""
CALLS: list[str] = []


@versioned("backwards", "1")
def backwards(subject: Subject) -> Path:
    CALLS.append(subject.hash)
    return Line(subject.final, subject.initial)


def falls(bench):
    return bench.lines(bench.frame("plain"), backwards).derive(
        drop=lambda profile: profile.curve().mean[-1] - profile.curve().mean[0],
        fell=lambda drop: drop > 0,
        asked=lambda fell: None,
    )


def refuses(bench):
    raise UsageError("This is refused.", got="it")


def breaks(bench):
    bench.profiles(bench.runs("plain")[:2], backwards)
    raise KeyboardInterrupt


def item(name, measure, populations=("plain",)):
    claims = (
        Claim(id="N1", text="It falls", place="p. 1", test=mean("drop", "drop") > 0),
        Claim(id="N2", text="Always", place="p. 1", test=every("fell", "drop")),
        Claim(id="N3", text="Never asked", place="p. 2", test=every("asked", "x", optional=True)),
    )
    return Item(
        name=name,
        id=name.upper(),
        title=name,
        asks="?",
        measure=measure,
        populations=populations,
        show=(Summary("Drops", by={"seed": "seed"}, of={"drop": "drop"}),),
        claims=claims,
    )


def paper(*items):
    spare = item("spare", falls, ("plain", "pair", "noisy"))
    return Paper(name="nobody1999", title="T", authors="N", where="nowhere", items=(*items, spare))


def ask(scale, store, *items):
    return reproduce(paper(*items), scale, store, items=items)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


def test_claims_are_decided_and_nothing_is_done_twice(store):
    scale = load_scale(SCALE)
    found = ask(scale, store, item("falls", falls))
    (answer,) = found.answers
    assert [v.outcome for v in answer.verdicts] == ["holds", "holds"]
    assert found.count("holds") == 2
    assert len(CALLS) == 5
    again = ask(scale, store, item("falls", falls))
    assert again.rows() == found.rows()
    assert len(CALLS) == 5
    assert again.population is not None
    assert not again.population.trained


def test_a_killed_reproduction_goes_on(tmp_path):
    store, scale = Store(tmp_path), load_scale(SCALE)
    with pytest.raises(KeyboardInterrupt):
        ask(scale, store, item("breaks", breaks))
    assert len(CALLS) == 2
    ask(scale, store, item("falls", falls))
    assert len(CALLS) == 5
    assert len(set(CALLS)) == 5


def test_items_that_cannot_be_measured_stop_no_other(store):
    scale = load_scale(SCALE)
    lacks = item("lacks", falls, ("plain", "nowhere"))
    found = ask(scale, store, item("refuses", refuses), lacks, item("falls", falls))
    first, second, third = found.answers
    assert "This is refused" in first.left_out
    assert "no population nowhere" in second.left_out
    assert third.verdicts


def test_only_what_items_need_is_trained():
    scale = load_scale(SCALE)
    plain, pair = item("a", falls), item("b", falls, ("plain", "pair"))
    assert len(needed([plain], scale)) == 5
    assert len(needed([plain, pair], scale)) == 10  # those with biases are the plain ones
    assert missing(item("c", falls, ("nowhere", "pair")), scale) == ["nowhere"]


def test_subjects_know_their_data_and_their_config(store):
    scale = load_scale(SCALE, seeds=1)

    def look(bench):
        (plain,), (noisy,) = bench.runs("plain"), bench.runs("noisy")
        assert plain.at("net.widths") == [64, 8, 10]
        assert plain.at("training.optimiser.learning_rate") == 0.1
        with pytest.raises(UnknownName, match="momentum"):
            plain.at("training.optimiser.momentun")
        same = (noisy.train.targets == plain.train.targets).float().mean()
        assert 0.4 < same < 0.7  # half of the labels are drawn, a tenth of those hit
        # What was trained on gives the loss that is in the summary.
        final = bench.profile(noisy, backwards).curve().mean[0]
        assert final == pytest.approx(noisy.loss, rel=1e-5)
        test = bench.profile(plain, backwards, splits=("test",)).curve("error").mean[0]
        assert test == pytest.approx(plain.test_error, abs=1e-6)
        assert bench.runs("pair", {"net.bias": False})[0].at("net.bias") is False
        with pytest.raises(UnknownName, match="population"):
            bench.runs("plane")
        return bench.frame("plain").derive(drop=0.0, fell=True, asked=None)

    needs = ("plain", "noisy", "pair")
    (answer,) = ask(scale, store, item("look", look, needs)).answers
    assert not answer.left_out


def test_a_paper_finds_items_by_name_and_identifier():
    one = paper(item("falls", falls))
    assert one.item("falls") is one.item("FALLS")
    with pytest.raises(UnknownName, match="falls"):
        one.item("fals")


def test_bands_are_means_and_deviations():
    from ridgeline.charts import Series, band

    made = band("x", [0, 1], [[1.0, 2.0], [3.0, 2.0]])
    np.testing.assert_allclose(made.y, [2, 2])
    np.testing.assert_allclose(made.high - made.y, [np.sqrt(2), 0])
    with pytest.raises(UsageError, match="as many values"):
        Series(label="x", x=[0, 1], y=[1.0])
