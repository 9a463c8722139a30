"""Options are those of the fields that they set, which are read without importing anything."""

import argparse
import dataclasses
import subprocess
import sys
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from ridgeline.cli.fields import REQUIRED, fields_of
from ridgeline.cli.ways import (
    MANY,
    MATCHES,
    MATCHING,
    MERGES,
    MERGING,
    Option,
    Way,
    add_options,
    check_options,
    given,
    listed,
)
from ridgeline.errors import UsageError

EVERY = {**MATCHING, **MANY, **MERGING}


@pytest.mark.parametrize("name", EVERY)
def test_what_is_read_is_what_the_class_has(name):
    made = EVERY[name].load()
    known = {f.name: f for f in dataclasses.fields(made)}
    read = EVERY[name].fields
    assert list(read) == list(known)
    hints = get_type_hints(made)
    for field, one in read.items():
        if one.kind is not None:
            default = known[field].default
            assert one.default == (REQUIRED if default is dataclasses.MISSING else default)
        if one.choices:
            assert get_origin(hints[field]) is Literal and get_args(hints[field]) == one.choices
        elif one.kind is not None:
            assert hints[field] in (one.kind, one.kind | None)


@pytest.mark.parametrize("name", EVERY)
def test_what_a_strategy_needs_besides_its_options_are_fields_of_it(name):
    way = EVERY[name]
    assert set(way.needs) <= set(way.fields)
    lacking = {field for field, one in way.fields.items() if one.default is REQUIRED}
    assert lacking <= set(way.needs)


def test_every_option_is_of_some_strategy():
    assert all(option.of({**MATCHING, **MANY}) for option in MATCHES)
    assert all(option.of(MERGING) for option in MERGES)


def test_reading_fields_imports_nothing():
    code = (
        "import sys; from ridgeline.cli.fields import fields_of\n"
        "assert fields_of('ridgeline.matching.sinkhorn:Sinkhorn')['kind'].choices\n"
        "assert not {'torch', 'numpy', 'ridgeline.matching'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def parsed(*words):
    made = argparse.ArgumentParser()
    add_options(made.add_argument_group("a"), MATCHES, MATCHING)
    return made, made.parse_args(words)


def test_an_option_has_type_choices_and_defaults_of_its_fields():
    made, chosen = parsed(
        "--minimise", "midpoint", "--steps", "7", "--final-temperature", "0.5", "--soft"
    )
    assert given(chosen, MATCHES) == {
        "kind": "midpoint",
        "steps": 7,
        "final_temperature": 0.5,
        "soft": True,
    }
    text = " ".join(made.format_help().split())
    assert "of weights and frank-wolfe: starts (default: 1 and 3)" in text
    assert "(default: 25000)" in text
    with pytest.raises(SystemExit):
        made.parse_args(["--minimise", "sums"])
    with pytest.raises(SystemExit):
        made.parse_args(["--steps", "7.5"])


def test_what_was_not_given_leaves_the_fields_defaults():
    _, chosen = parsed()
    assert given(chosen, MATCHES) == {}
    made = MATCHING["annealing"].make({"steps": 5, "restarts": 3}, stream="unused")
    assert (made.steps, made.initial_temperature) == (5, 25000.0)


def test_an_option_of_another_strategy_is_refused():
    _, chosen = parsed("--restarts", "2")
    takes = {option.dest: option.of(MATCHING) for option in MATCHES}
    check_options(chosen, takes, "frank-wolfe")
    with pytest.raises(UsageError) as caught:
        check_options(chosen, takes, "sinkhorn")
    assert str(caught.value) == (
        "--restarts is of weights, frank-wolfe. Got --restarts 2 with sinkhorn. Leave it out, or "
        "choose another strategy."
    )


def test_a_field_that_nobody_has_is_no_option():
    assert Option("nothing", "").of(MATCHING) == []


def test_names_in_words():
    assert listed(["a"]) == "a" and listed(["a", "b", "c"]) == "a, b and c"


def test_a_module_that_is_not_there_is_told():
    with pytest.raises(LookupError):
        fields_of("ridgeline.nowhere:Nothing")


def test_who_looks_at_data_and_who_rotates():
    assert [n for n, way in MATCHING.items() if way.looks] == [
        *("activations", "straight-through", "learned")
    ]
    assert [n for n, way in MATCHING.items() if way.rotates] == ["procrustes", "learned"]
    assert [n for n, way in MATCHING.items() if way.beyond] == [
        "rescaling",
        "procrustes",
        "learned",
    ]
    assert not Way("merging.strategies:Mean").looks


def test_only_the_options_of_the_chosen_verb_are_made():
    code = (
        "import sys, contextlib, io\n"
        "from ridgeline.cli.main import main, parser\n"
        "(verbs,) = (a for a in parser()._actions if hasattr(a, 'choices') and a.choices)\n"
        "assert all(v.fill is not None for v in verbs.choices.values())\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:\n"
        "    main(['--help'])\n"
        "assert 'merge' in said.getvalue()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
