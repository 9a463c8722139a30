"""How a refusal of the library is told on the command line."""

import pytest

from ridgeline.cli import options
from ridgeline.cli.main import main
from ridgeline.errors import UsageError

WORDS = ["profile", "a", "b", "--model", "nets:build", "--data", "digits"]


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        ("Allow it with overwrite=True.", "Allow it with --overwrite."),
        ("Ask for weights='tokens'.", "Ask for --mean-over tokens."),
        ("Give it: points=51.", "Give it: --points 51."),
        ("Use `statistics='keep'` here.", "Use `--statistics keep` here."),
        ("Use method='turning', which needs none.", "Use method='turning', which needs none."),
        ("Give --overwrite (overwrite=True).", "Give --overwrite (overwrite=True)."),
        ("Write name?train=1&seed=1.", "Write name?train=1&seed=1."),
        ("Write training.points=5.", "Write training.points=5."),
    ],
)
def test_a_remedy_names_the_option_where_the_command_has_it(monkeypatch, capsys, remedy, said):
    def refused(chosen):
        raise UsageError("A rule.", got="points=3", remedy=remedy)

    monkeypatch.setattr(options, "run", refused)
    assert main(WORDS) == 2
    assert capsys.readouterr().err == f"ridgeline: A rule. Got points=3. {said}\n"


def test_a_mean_over_tokens_is_not_the_weights_of_a_merge(monkeypatch, capsys):
    def refused(chosen):
        raise UsageError("A rule.", got="a", remedy="Use weights='tokens', or weights=0.5.")

    monkeypatch.setattr(options, "run", refused)
    words = ["merge", "a", "b", "--model", "nets:build", "--out", "c", "--data", "digits"]
    assert main(words) == 2
    said = "Use --mean-over tokens, or --weights 0.5."
    assert capsys.readouterr().err == f"ridgeline: A rule. Got a. {said}\n"
