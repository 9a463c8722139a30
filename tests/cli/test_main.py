"""How a refusal of the library is told on the command line."""

import pytest

from ridgeline.cli import options
from ridgeline.cli.main import main
from ridgeline.errors import Argument, Remedy, SpecError, UsageError, Verb

WORDS = ["profile", "a", "b", "--model", "nets:build", "--data", "digits"]


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        (Remedy("Allow it with {}.", Argument("overwrite", True)), "Allow it with --overwrite."),
        (Remedy("Take {}.", Argument("weights", "tokens")), "Take --mean-over tokens."),
        (Remedy("Give it: {}.", Argument("points", 51)), "Give it: --points 51."),
        (Remedy("Use `{}` here.", Argument("strategy", "loop")), "Use `--strategy loop` here."),
        (Remedy("At {}.", Argument("data_root", "DIR", "root=DIR")), "At --data-root DIR."),
        (Remedy("Use {}.", Argument("method", "turning")), "Use method='turning'."),
        (Remedy("See `{}`.", Verb("inspect", "rl.inspect")), "See `ridgeline inspect`."),
        (
            Remedy("See `{}`.", Verb("reproduce", "x", (Argument("list", "a/ITEM"),))),
            "See `ridgeline reproduce --list a/ITEM`.",
        ),
        ("Words with points=5 stay.", "Words with points=5 stay."),
    ],
)
def test_a_remedy_names_the_option_where_the_command_has_it(monkeypatch, capsys, remedy, said):
    def refused(chosen):
        raise UsageError("A rule.", got="points=3", remedy=remedy)

    monkeypatch.setattr(options, "run", refused)
    assert main(WORDS) == 2
    assert capsys.readouterr().err == f"ridgeline: A rule. Got points=3. {said}\n"


def test_a_mean_over_tokens_is_not_the_weights_of_a_merge(monkeypatch, capsys):
    remedy = Remedy("Use {}, or {}.", Argument("weights", "tokens"), Argument("weights", 0.5))

    def refused(chosen):
        raise UsageError("A rule.", got="a", remedy=remedy)

    monkeypatch.setattr(options, "run", refused)
    words = ["merge", "a", "b", "--model", "nets:build", "--out", "c", "--data", "digits"]
    assert main(words) == 2
    said = "Use --mean-over tokens, or --weights 0.5."
    assert capsys.readouterr().err == f"ridgeline: A rule. Got a. {said}\n"


def test_each_problem_of_a_spec_is_told_in_the_commands_words(monkeypatch, capsys):
    remedy = Remedy("Add it, or {}.", Argument("strategy", "loop"))

    def refused(chosen):
        one, other = UsageError("One.", remedy=remedy), UsageError("Two.", got="b")
        raise SpecError([("a", one), ("b", other)], where="x.toml")

    monkeypatch.setattr(options, "run", refused)
    assert main(WORDS) == 2
    err = capsys.readouterr().err
    assert "a: One. Add it, or --strategy loop." in err and "b: Two. Got b." in err
