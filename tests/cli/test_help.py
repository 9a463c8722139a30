"""What every verb says of its options: a text that changes only by intent.

``COLUMNS=100 ridgeline VERB --help > tests/cli/help/VERB.txt`` writes one anew.
"""

import argparse
import sys
from pathlib import Path

import pytest

from ridgeline.cli.main import parser

TEXTS = Path(__file__).parent / "help"
VERBS = sorted(file.stem for file in TEXTS.glob("*.txt"))


def verbs():
    """Each verb's parser by its name, and the whole one as ``ridgeline``."""
    whole = parser()
    (action,) = (a for a in whole._actions if isinstance(a, argparse._SubParsersAction))
    return {"ridgeline": whole, **action.choices}


def test_every_verb_has_a_text():
    assert sorted(verbs()) == VERBS


@pytest.mark.skipif(
    sys.version_info[:2] not in ((3, 11), (3, 12)), reason="argparse breaks lines otherwise"
)
@pytest.mark.parametrize("verb", VERBS)
def test_help_says_what_it_said(verb, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert verbs()[verb].format_help() == (TEXTS / f"{verb}.txt").read_text(encoding="utf-8")
