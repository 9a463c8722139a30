"""The study on the page "Ask your own question": three claims in a folder of their own."""

import json
import re
from pathlib import Path

import pytest

from ridgeline.cli.main import main
from ridgeline.errors import UnknownName, UsageError
from ridgeline.studies import catalogue
from ridgeline.study.plan import Machine
from ridgeline.study.reproduction import reproduce
from ridgeline.study.store import Store
from whole import check_whole

PAGE = (Path(__file__).parents[2] / "docs" / "ask.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder that the page describes."""
    folder = tmp_path_factory.mktemp("own") / "rates_2026"
    folder.mkdir()
    (toml,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (folder / "smoke.toml").write_text(toml, encoding="utf-8")
    (folder / "__init__.py").write_text(code, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def asked(study):
    store = Store(study.parent / "runs")
    scale = catalogue.scale(str(study), "smoke")
    machine = Machine(workers=1, threads=1, together=16)
    return reproduce(catalogue.paper(str(study)), scale, store, machine=machine)


def test_it_is_about_sixty_lines(study):
    assert len((study / "__init__.py").read_text().splitlines()) <= 75


def test_every_claim_is_decided_or_says_why(asked):
    check_whole(asked, ["R1"])
    assert [verdict.outcome for verdict in asked.verdicts][:2] == ["holds", "holds"]
    (answer,) = asked.answers
    assert [chart.name for chart in answer.charts] == ["lines", "far"]
    assert len(answer.tables[0].rows) == 3
    assert len(answer.rows) == 18


def test_the_command_line_takes_its_folder(study, asked, capsys):
    store = str(study.parent / "runs")
    assert (
        main(["reproduce", f"{study}/rates", "--scale", "smoke", "--store", store, "--json"]) == 0
    )
    (told,) = json.loads(capsys.readouterr().out)["papers"]
    assert [row["claim"] for row in told["verdicts"]] == ["R1a", "R1b", "R1c"]
    assert main(["reproduce", "--list", str(study)]) == 0
    assert "rates_2026/rates (R1)" in capsys.readouterr().out


def test_a_folder_that_is_no_study_is_told(tmp_path):
    with pytest.raises(UnknownName, match="Or give the folder of a study of your own"):
        catalogue.paper(str(tmp_path))
    (tmp_path / "smoke.toml").write_text('paper = "x"')
    with pytest.raises(UsageError, match="is a Python package"):
        catalogue.paper(str(tmp_path))
    (tmp_path / "__init__.py").write_text("PAPER = 3")
    with pytest.raises(UsageError, match="under the folder's name"):
        catalogue.paper(str(tmp_path))


def test_a_study_that_comes_along_is_found_by_its_folder():
    assert catalogue.parted("tao2024/scale-paths") == ("tao2024", "scale-paths")
    assert catalogue.parted("nobody1999") == ("nobody1999", "")
    for name in catalogue.PAPERS:
        assert catalogue.paper(name).name == name
        assert "smoke" in catalogue.scales(name)
