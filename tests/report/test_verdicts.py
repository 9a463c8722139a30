import io
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from report import samples
from ridgeline.frame import Asked, questions
from ridgeline.frame.demands import Mean, Measured
from ridgeline.report import (
    Page,
    Section,
    render_verdicts,
    verdict_card,
    verdict_table,
    verdicts_markdown,
    write_page,
)
from ridgeline.report.estimates import estimate_words, interval_svg, threshold
from ridgeline.report.verdicts import tally
from ridgeline.study.claims import Claim, Verdict

OUTCOMES = [v.outcome for v in samples.verdicts()]


def verdict(cases, side="above", at=0.0, **more):
    asked = Asked(Mean("x", side, at), lambda cases: cases)  # type: ignore[arg-type]  # wrong on purpose
    about = {"id": "A1", "text": "A <b> | claim.", "place": "sec. 1", "test": asked}
    return Claim(**{**about, **more}).decide(cases, "smoke")  # type: ignore[arg-type]  # wrong on purpose


def printed(verdicts, *, fancy, width=110):
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8" if fancy else "ascii")
    render_verdicts(verdicts, Console(file=file, width=width, force_terminal=fancy))
    file.flush()
    return file.buffer.getvalue().decode()


def test_the_samples_have_every_outcome():
    assert set(OUTCOMES) == {"holds", "fails", "undecided"}


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.8333, 0.613, 0.95), "0.83 [0.61, 0.95]"),
        ((123.4, 100.0, 150.0), "123 [100, 150]"),
        ((2e-5, 1.9e-5, 2.1e-5), "2e-05 [1.9e-05, 2.1e-05]"),
        ((1.0, 1.0, 1.0), "1 [1, 1]"),
        ((-0.001, -0.2, 0.1), "0.00 [-0.20, 0.10]"),
        ((0.25, math.nan, math.nan), "0.25"),
        ((0.25, None, None), "0.25"),
        ((math.nan, math.nan, math.nan), "-"),
        ((None, None, None), "-"),
    ],
)
def test_estimates_in_words(numbers, text):
    assert estimate_words(*numbers) == text


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e4), st.floats(1e-3, 1e4))
def test_the_interval_that_is_written_is_the_one_measured(middle, below, above):
    low, high = middle - below, middle + above
    numbers = [float(v) for v in re.findall(r"-?\d[\d.e+-]*", estimate_words(middle, low, high))]
    assert numbers == pytest.approx([middle, low, high], abs=0.06 * (high - low))


def test_outcomes_are_counted():
    assert tally(["holds"] * 7 + ["fails"] * 2 + ["undecided"]) == "7 hold, 2 fail, 1 undecided"
    assert tally(["holds", "fails"]) == "1 holds, 1 fails"
    assert tally([]) == "no claims"
    card = verdict_card(samples.verdicts())
    assert (card.value, card.note) == (tally(OUTCOMES), "of 10, at scale laptop")


def test_a_table_says_all():
    table = verdict_table([verdict([1, 2, 3, 4, 5.0]), verdict([1.0, 2.0])])
    first, second = table.records()
    assert first["claim"] == "A1" and first["source"] == "paper" and first["verdict"] == "holds"
    assert first["what was tested"] == "mean x above 0" and first["n"] == 5
    assert first["95 % interval"].startswith("[") and second["95 % interval"] == "-"
    assert second["verdict"] == "undecided" and table.note == "A1: n = 2, at least 5 wanted."


def test_markdown_is_a_table_of_every_row():
    rows = [v.row() for v in samples.verdicts()] + [verdict([1.0], source="memory").row()]
    text = verdicts_markdown("A *title*", rows, "ridgeline reproduce x", "Measured on digits.")
    assert text.startswith("# A \\*title\\*\n\nMeasured on digits.\n\nMade by:")
    assert "```console\n$ ridgeline reproduce x\n```" in text
    assert tally([*OUTCOMES, "undecided"]) in text and "95 %" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "| claim | what was tested | estimate [interval] | n | verdict |"
    assert len(lines) == 2 + len(rows)
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 6 for line in lines)
    assert "A \\<b> \\| claim." in lines[-1] and "1 (smoke)" in lines[-1]
    assert "*memory*: recalled, not checked" in text and "*derived*" in text
    assert json.loads(json.dumps(rows)) == rows  # as they come back from a file
    assert text == verdicts_markdown(
        "A *title*", rows, "ridgeline reproduce x", "Measured on digits."
    )


def test_markdown_without_claims():
    assert "No claim was measured." in verdicts_markdown("T", [], "c", "")


def test_plain_text_where_it_is_piped():
    text = printed(samples.verdicts(), fancy=False)
    assert text.isascii() and "\x1b" not in text
    assert "0.92 [0.62, 1.00]" in text and "W10a" in text
    assert f"{tally(OUTCOMES)} at scale laptop; intervals are of 95 %" in text


def test_signs_and_colours_on_a_terminal():
    text = printed(samples.verdicts(), fancy=True)
    assert all(sign in text for sign in "✓✗?") and "\x1b[" in text
    assert "A1" in printed([verdict([1.0], text="[red]")], fancy=True)
    assert "no claims" in printed([], fancy=True)


def test_thresholds():
    found = [threshold(v) for v in samples.verdicts()]
    assert found[0] == (0.5, "above") and found[1] == (0.05, "below")
    assert found[5] == (1.0, "reach")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), st.floats(-10, 10))
def test_everything_is_within_the_picture(cases, at):
    svg = interval_svg(verdict(cases, at=at))
    for name, value in re.findall(r' (x1|x2|cx|x|width)="([^"]*)"', svg):
        assert 0 <= float(value) <= 220, name
    assert svg.count("<circle") == 1 and svg.count('class="limit"') == 1


def test_without_an_estimate_there_is_no_picture():
    assert interval_svg(verdict([math.nan])) == ""


def test_order_in_the_picture_is_that_of_the_numbers():
    svg = interval_svg(verdict(np.array([1.0, 1.2, 0.8, 1.1, 0.9]), at=0.2))
    low, high = map(float, re.search(r'x1="([\d.]+)" x2="([\d.]+)"[^>]*class="span"', svg).groups())  # type: ignore[union-attr]  # wrong on purpose
    limit = float(re.search(r'x1="([\d.]+)"[^>]*class="limit"', svg)[1])  # type: ignore[index]  # wrong on purpose
    dot = float(re.search(r'cx="([\d.]+)"', svg)[1])  # type: ignore[index]  # wrong on purpose
    assert limit < low < dot < high


@pytest.mark.slow
def test_a_page_shows_claims_beside_what_the_paper_reports(plain_surface, tmp_path):
    page = samples.page(plain_surface)
    path = write_page(page, tmp_path / "out", formats=["svg"])
    text = path.read_text(encoding="utf-8")
    assert text.count('data-test="claim"') == 10 and text.count('data-test="reported"') == 2
    assert "The paper reports" in text and "W1a" in text and tally(OUTCOMES) in text
    for outcome, sign in {"holds": "✓", "fails": "✗", "undecided": "?"}.items():
        badge = f'class="badge {outcome}"><span aria-hidden="true">{sign}</span> {outcome}'
        assert text.count(badge) == OUTCOMES.count(outcome)
    saved = (path.parent / "tables" / "verdicts.csv").read_text(encoding="utf-8").splitlines()
    assert saved[0].startswith("section,claim,text,place,source,test,verdict,estimate,low,high")
    assert len(saved) == 11
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(set(ids)) == len(ids)


def test_what_a_claim_says_is_escaped():
    text = Page("T", "L", [Section("S", verdicts=[verdict([1.0])], reported="<i>")]).html()
    assert "A &lt;b&gt; | claim." in text and "&lt;i&gt;" in text and "<i>" not in text
    assert "<script" not in text


def test_a_question_to_rows_shows_its_threshold():
    asked = questions.mean("barrier", "barrier (nats)") > 0.5
    claim = Claim(id="A", text="", place="", test=asked)
    verdict = Verdict(claim, Measured("holds", 0.9, 0.7, 1.1, 12), "laptop")
    assert threshold(verdict) == (0.5, "above")
    assert 'class="limit"' in interval_svg(verdict) and 'class="claimed"' in interval_svg(verdict)
    every = Claim(id="B", text="", place="", test=questions.every("so", "is so"))
    assert threshold(Verdict(every, Measured("holds", 1.0, 0.7, 1.0, 12), "laptop")) == (1, "reach")
