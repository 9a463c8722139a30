"""Which split strategies look at."""

from argparse import Namespace
from types import SimpleNamespace

import pytest

from ridgeline.cli.matching import fitting
from ridgeline.errors import UsageError


def setting(*splits):
    data = SimpleNamespace(name="mine", splits=dict.fromkeys(splits))
    return SimpleNamespace(data=data, objective=lambda _, name, samples: (name, samples))


@pytest.mark.parametrize(
    ("splits", "taken"),
    [(("test", "train"), "train"), (("val", "train", "test"), "train"), (("mine",), "mine")],
)
def test_strategies_look_at_training_data_wherever_they_are_listed(splits, taken):
    assert fitting(Namespace(samples=5), setting(*splits), "--repair") == (taken, 5)


def test_of_several_splits_without_training_data_none_is_guessed():
    with pytest.raises(UsageError) as caught:
        fitting(Namespace(samples=5), setting("test", "val"), "--by activations")
    said = str(caught.value)
    assert "--by activations looks at the split called train" in said
    assert "Got splits test, val of mine. Call the one to look at `train`" in said
