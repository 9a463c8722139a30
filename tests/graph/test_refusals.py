"""Words on a network that cannot be traced."""

import logging

import pytest
import torch

from ridgeline.errors import NotTraceable, UsageError
from ridgeline.graph.refusals import LOGGERS, quiet, refusing


def refused(raised, inputs=None):
    with pytest.raises(NotTraceable) as told, refusing(inputs):
        raise raised
    return told.value


def test_a_tuple_that_was_taken_apart_is_the_reason_where_the_call_did_not_fit():
    said = refused(TypeError("takes 2 positional arguments but 3 were given"), (1, 2))
    assert "forward=lambda model, example: model(example)" in said.remedy


def test_without_one_the_remedy_is_to_check_the_call():
    said = refused(TypeError("takes 2 positional arguments but 3 were given"), torch.zeros(2))
    assert said.rule == "The network could not be traced."
    assert "Check that the model takes the example as it is given" in said.remedy


def test_a_value_that_was_asked_for_is_told_as_that():
    said = refused(RuntimeError("cannot call .item() on a fake tensor\nand more"))
    assert "branches on values" in said.rule
    assert "torch.where" in said.remedy
    assert "RuntimeError: cannot call .item() on a fake tensor" in said.got
    assert "and more" not in said.got


def test_the_users_own_line_is_named():
    said = refused(ValueError("no"))
    assert said.got.startswith("test_refusals.py, line ")
    assert "`raise raised`" in said.got


def test_what_is_in_words_already_passes():
    with pytest.raises(UsageError, match="as it is"), refusing():
        raise UsageError("as it is")


def test_torchs_log_is_silent_within_and_as_it_was_after(caplog):
    logger = logging.getLogger(LOGGERS[0])
    before = logger.level
    with quiet():
        assert not logger.isEnabledFor(logging.CRITICAL)
    assert logger.level == before
    with pytest.raises(ValueError, match="out"), quiet():
        raise ValueError("out")
    assert logger.level == before
