"""Lim et al. 2024 at its smallest scale, and what its scales declare."""

import math

import pytest
import torch
import torch.nn.functional as F

from ridgeline.charts import Table
from ridgeline.errors import UsageError
from ridgeline.frame import Frame
from ridgeline.rng import stream
from ridgeline.studies import catalogue, lim2024
from ridgeline.study.bench import Bench
from ridgeline.study.reproduction import missing, needed
from ridgeline.study.subjects import Subject

NAME = "lim2024"
COUNTS = {"smoke": 6, "laptop": 30, "paper": 300}


def drawn(count: int) -> list[tuple[float, float, float, str]]:
    """Hyper-parameters at random, as the scales have them written out.

    Their laws are those of the released code (metanet_data/grid_runs/make_hparams.py): rate
    0.5 * 10^-U(0, 2), decay 10^-U(1, 5), smoothing U(0, 0.2), 10 to 40 epochs.

    Args:
        count: How many; the first of a longer list are those of a shorter one.

    Returns:
        Learning rate, weight decay, label smoothing, each to four digits, and length.
    """
    draws = stream(0, "lim2024", "hyper-parameters")
    rows = []
    for _ in range(count):
        a, b, c, d = torch.rand(4, generator=draws, dtype=torch.float64).tolist()
        numbers = (0.5 * 10 ** (-2 * a), 10 ** -(1 + 4 * b), 0.2 * c)
        rows.append((*(float(f"{x:.4g}") for x in numbers), f"{10 + int(31 * d)}ep"))
    return rows


def test_the_item_is_measured_and_every_claim_has_a_verdict(found):
    (answer,) = found.answers
    assert not found.failures
    assert answer.left_out == ""
    assert [v.claim.id for v in answer.verdicts] == [f"S1{letter}" for letter in "abcd"]
    assert all(v.measured.n == 6 for v in answer.verdicts)  # draws, each with both kinds
    rows = answer.tables[0].rows
    assert [row[:3] for row in rows] == [["standard", 6, 0], ["W-asymmetric", 6, 0]]
    assert len(answer.charts[0].panels[0].series[0].x) == 25


def test_diverged_runs_are_left_out_and_counted(found, store, monkeypatch):
    lost = {run.hash for run in found.scale.populations["draws"].runs[7:9]}
    monkeypatch.setattr(Subject, "diverged", property(lambda subject: subject.hash in lost))
    (item,) = lim2024.PAPER.items
    rows = item.measure(Bench(found.scale, store))
    (table,) = (one for one in item.shown(rows) if isinstance(one, Table))
    assert [row[:3] for row in table.rows] == [
        ["standard", 6, 0],
        ["W-asymmetric", 6, 2],
    ]
    for claim in item.claims:  # pairs: the draws at which neither kind diverged
        cases = claim.test.cases(rows)
        assert {len(values) for values in cases.values()} == {4}
        assert [draw[-2] for draw in cases["more_group"]] == [0, 3, 4, 5]


def test_a_scale_without_one_of_the_kinds_says_so(found, store, monkeypatch):
    bench = Bench(found.scale, store)
    plain = bench.runs("draws")[:6]
    monkeypatch.setattr(bench, "runs", lambda *_: plain)
    with pytest.raises(UsageError, match="no sound run with masked_fcn"):
        lim2024.symmetric_or_not(bench)


def test_the_loss_is_the_one_that_was_minimised(found, store):
    (run, *_) = Bench(found.scale, store).runs("draws")
    share = run.at("training.label_smoothing")
    assert share > 0
    outputs = torch.randn(5, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(5)
    logs = F.log_softmax(outputs, 1)
    expected = -(1 - share) * logs[torch.arange(5), targets] - share * logs.mean(1)
    torch.testing.assert_close(lim2024.smoothed(run)(outputs, targets), expected)


def test_both_kinds_share_their_hyper_parameters_and_start_apart(found):
    runs = found.scale.populations["draws"].runs
    plain, masked = runs[:6], runs[6:]
    assert {run.net.kind for run in plain} == {"fcn"}
    assert {run.net.kind for run in masked} == {"masked_fcn"}
    assert [run.training for run in plain] == [run.training for run in masked]
    assert [run.net.seed for run in plain] == list(range(6))


def test_draws_are_of_the_stated_laws():
    rates, decays, smoothings, lengths = zip(*drawn(2000), strict=True)
    laws = {
        "rate": ([math.log10(0.5 / x) for x in rates], 0, 2),
        "decay": ([-math.log10(x) for x in decays], 1, 5),
        "smoothing": (smoothings, 0, 0.2),
        "epochs": ([int(x.removesuffix("ep")) for x in lengths], 10, 40),
    }
    for name, (values, low, high) in laws.items():
        assert low - 1e-3 <= min(values) and max(values) <= high + 1e-3, name
        middle = sum(values) / len(values)
        assert abs(middle - (low + high) / 2) < 0.03 * (high - low), name  # error 0.0065 of it
    assert set(laws["epochs"][0]) == set(range(10, 41))
    assert drawn(5) == drawn(30)[:5]


@pytest.mark.parametrize("name", COUNTS)
def test_scales_have_the_draws_written_out(name):
    paper, scale = catalogue.paper("lim2024"), catalogue.scale("lim2024", name)
    assert [item.name for item in paper.items if missing(item, scale)] == []
    runs = needed(paper.items, scale)
    assert len(runs) == 2 * COUNTS[name]
    assert scale.setting("points") == 25
    for part in (runs[: COUNTS[name]], runs[COUNTS[name] :]):
        written = [
            (
                run.training.optimiser.learning_rate,
                run.training.optimiser.weight_decay,
                run.training.label_smoothing,
                run.training.length,
            )
            for run in part
        ]
        assert written == drawn(COUNTS[name])
    runs[-1].net.build(0)


def frame_of(arms):
    """Rows of planted measures: kind to draw to its step, and the other measures by it."""
    return Frame.of(
        {
            "networks": kind,
            "draw": (draw,),
            "step": step,
            "monotone": step <= 0,
            "local": 0.5 - step / 100,
            "overall": 0.6 - step / 100,
        }
        for kind, of in arms.items()
        for draw, step in of.items()
    )


def test_claims_are_that_the_asymmetric_score_better():
    better, worse = dict.fromkeys(range(8), -0.1), dict.fromkeys(range(8), 0.1)
    (item,) = lim2024.PAPER.items
    for plain, held, outcome in ((worse, better, "holds"), (better, worse, "fails")):
        rows = frame_of({"standard": plain, "W-asymmetric": held})
        assert {claim.decide(rows, "").outcome for claim in item.claims} == {outcome}


def test_kinds_are_compared_draw_by_draw():
    # Draws differ by far more than kinds do; the second kind lacks the first draw.
    arms = {
        "standard": {draw: draw + 0.01 for draw in range(8)},
        "W-asymmetric": {draw: float(draw) for draw in range(1, 8)},
    }
    (claim, *_) = lim2024.PAPER.items[0].claims
    found = claim.decide(frame_of(arms), "").measured
    assert (found.outcome, found.n) == ("holds", 7)
    assert found.estimate == pytest.approx(0.01)
