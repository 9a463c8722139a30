"""Messages have three parts: the rule, what was received, what to do."""

import ast
import pickle
import re
from pathlib import Path

import pytest

from ridgeline import errors


def test_a_message_is_rule_then_received_then_remedy():
    error = errors.UsageError("Widths are positive.", got="-3", remedy="Use 1 or more.")
    assert str(error) == "Widths are positive. Got -3. Use 1 or more."
    assert (error.rule, error.got, error.remedy) == (
        "Widths are positive.",
        "-3",
        "Use 1 or more.",
    )


def test_what_was_received_ends_in_one_full_stop():
    assert str(errors.UsageError("Rule.", got="a thing.")) == "Rule. Got a thing."


def test_a_long_account_stands_on_lines_of_its_own():
    error = errors.DataError("Rule.", got="one\ntwo", remedy="Do it.")
    assert str(error) == "Rule.\nGot:\none\ntwo\nDo it."


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.UsageError, ValueError),
        (errors.GridError, ValueError),
        (errors.DataError, ValueError),
        (errors.CheckpointError, ValueError),
        (errors.OutputError, OSError),
        (errors.NoLayerIndex, ValueError),
    ],
)
def test_every_error_is_ours_and_the_builtin_that_a_caller_expects(kind, builtin):
    assert isinstance(kind("Rule."), errors.RidgelineError)
    assert isinstance(kind("Rule."), builtin)
    assert str(kind("Rule.", remedy="Go.")) == "Rule. Go."


def test_a_thing_of_the_wrong_kind_is_named_as_it_was_given():
    wrong = lambda value: str(errors.WrongKind("Rule.", value, name="by", remedy="Go."))  # noqa: E731 (a name for a short function that is read in place)
    assert wrong("ties") == "Rule. Got by = 'ties'. Go."
    assert wrong(3) == "Rule. Got by of type int. Go."
    assert wrong(int) == "Rule. Got by the class int. Make one: int(...)."


def test_a_state_mismatch_is_a_diff():
    error = errors.StateMismatch(
        missing={"fc1.bias": (4,)},
        extra={"fc2.bias": ()},
        changed={"fc1.weight": ((4, 5), (6, 5)), "fc3.weight": ("float32", "float16")},
    )
    assert str(error).splitlines() == [
        "a and b must have the same tensors.",
        "Got:",
        "differences (- only in a, + only in b, ! different)",
        "  - fc1.bias (4,)",
        "  + fc2.bias ()",
        "  ! fc1.weight (4, 5) -> (6, 5)",
        "  ! fc3.weight float32 -> float16",
        "Check that both come from the same architecture, and that a wrapper's prefix "
        "(module., _orig_mod., model.) was resolved by giving the model.",
    ]


def test_a_long_diff_shows_ten_lines_and_counts_the_rest():
    error = errors.StateMismatch(missing={f"w{i}": (i,) for i in range(13)}, a="this", b="that")
    lines = str(error).splitlines()
    assert "only in this" in lines[2] and "only in that" in lines[2]
    assert lines[3] == "  - w0 (0,)" and lines[12] == "  - w9 (9,)"
    assert lines[13] == "  ... and 3 more"


def test_ten_differences_are_all_shown():
    text = str(errors.StateMismatch(missing={f"w{i}": (i,) for i in range(10)}))
    assert "w9" in text and "more" not in text


def test_non_finite_tensors_are_named_and_counted():
    text = str(errors.NonFinite("b", {"fc.weight": (2, 1)}))
    assert text.startswith(
        "Every value of b must be finite. Got fc.weight (2 NaN, 1 infinite). The run"
    )
    many = str(errors.NonFinite("b", {f"w{i}": (1, 0) for i in range(12)}))
    assert "w9 (" in many and "w10" not in many and " and 2 more" in many


def test_an_unknown_name_is_told_the_nearest_first_and_all():
    text = str(errors.UnknownName("metric", "eror", ["loss", "accuracy", "error"]))
    assert text == (
        "A metric must be one that is known. Got 'eror'. "
        "Did you mean 'error'? Known: error, loss, accuracy."
    )


def test_an_unknown_name_like_no_other_gets_no_guess():
    text = str(errors.UnknownName("metric", "zzz", ["loss"], remedy="Or pass a callable."))
    assert "Did you mean" not in text and text.endswith("Known: loss. Or pass a callable.")
    assert "Known: none." in str(errors.UnknownName("split", "train", []))


def test_an_unknown_name_reads_as_a_sentence_though_it_is_a_lookup_error():
    error = errors.UnknownName("metric", "x", ["loss"])
    assert isinstance(error, LookupError) and not str(error).startswith('"')


def test_a_failure_of_the_users_code_says_what_and_where():
    text = str(errors.ForwardFailed("The model", "evaluating t = 0.5", KeyError("hidden")))
    assert text.startswith(
        "The model raised while evaluating t = 0.5. Got KeyError: 'hidden'. The traceback above"
    )


def test_a_missing_extra_gives_the_command():
    error = errors.MissingExtra("rich", "cli", "The command line")
    assert isinstance(error, ImportError)
    assert str(error).endswith("python -m pip install 'ridgeline[cli]'")


def test_a_refused_objective_names_the_culprit():
    text = str(errors.NotDeterministic("Dropout at 'drop'", "Turn it off."))
    assert text == (
        "An objective must give the same value each time. Got Dropout at 'drop'. Turn it off."
    )


def test_an_error_with_a_rule_alone_survives_a_process_boundary():
    error = pickle.loads(pickle.dumps(errors.GridError("Rule.")))
    assert isinstance(error, errors.GridError) and str(error) == "Rule."


@pytest.mark.parametrize("name", errors.__all__)
def test_every_public_error_has_a_docstring(name):
    assert getattr(errors, name).__doc__


def test_a_remedy_is_in_pythons_words_and_in_those_of_a_surface():
    remedy = errors.Remedy(
        "Pass {}, or see `{}`.",
        errors.Argument("extrapolate", True),
        errors.Verb("inspect", "rl.inspect"),
    )
    error = errors.GridError("A rule.", got="2", remedy=remedy)
    assert str(error) == "A rule. Got 2. Pass extrapolate=True, or see `rl.inspect`."
    said = error.worded(lambda part: part.name.upper())
    assert said == "A rule. Got 2. Pass EXTRAPOLATE, or see `INSPECT`."


def test_a_remedy_keeps_its_parts_across_a_process_boundary():
    error = errors.UsageError("Rule.", remedy=errors.Remedy("Use {}.", errors.Argument("t", 0.5)))
    back = pickle.loads(pickle.dumps(error))
    assert str(back) == "Rule. Use t=0.5." and back.worded(lambda part: "it") == "Rule. Use it."


def test_a_remedy_in_plain_words_is_the_same_everywhere():
    error = errors.UsageError("Rule.", got="x", remedy="Use points=5.")
    assert error.worded(lambda part: "?") == str(error) == "Rule. Got x. Use points=5."


def test_no_message_of_the_library_names_an_option():
    """Every surface calls arguments its own way: see `ridgeline.errors.Remedy`."""
    root = Path(errors.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        if {"cli", "studies"} & set(path.relative_to(root).parts):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        spoken = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                flags = re.findall(r"(?<![\w-])--[a-z][\w-]+", node.value)
                if flags and id(node) not in spoken and " " in node.value:
                    found.append((path.name, node.lineno, flags))
    assert found == []


def test_a_name_that_is_no_text_is_refused_like_any_other():
    refused = errors.UnknownName("split", 0, ["train", "test"])
    assert refused.got == "0" and refused.remedy == "Known: train, test."
