"""A trained run, asked: whose seed, which data, which loss."""

from types import SimpleNamespace

import pytest
import torch

from ridgeline import data
from ridgeline.data.corruption import noisy_labels, skewed
from ridgeline.errors import DataError, UnknownName
from ridgeline.objective import cross_entropy, squared_error
from ridgeline.study.members import Sources
from ridgeline.study.subjects import Subject
from study.tiny import config

SET = "digits?train=120&test=60"


def subject(made=None, **stored):
    """A run as a store gives it, without a store."""
    held = {
        "provenance": {},
        "summary": {"diverged": False, "final": {"train": {"loss": 0.25}, "test": {"error": 0.5}}},
        "identity": SimpleNamespace(folder="name-hash"),
        "steps": [0, 5],
        "state": lambda which: {"which": which},
    }
    return Subject(made or config(3), SimpleNamespace(**(held | stored)), Sources())


def weights(model):
    return model.state_dict()["fc1.weight"]


def test_its_network_is_of_its_own_seed_or_of_another_that_is_asked_for():
    run = subject(config(3))
    assert run.seed == 3
    assert torch.equal(weights(run.model()), weights(config(3).net.build(3)))
    assert torch.equal(weights(run.model(5)), weights(config(3).net.build(5)))
    assert torch.equal(weights(run.model(0)), weights(config(3).net.build(0)))
    assert not torch.equal(weights(run.model()), weights(run.model(5)))


def test_a_networks_own_seed_wins_over_the_runs_and_another_over_both():
    run = subject(config(3, net__seed=8))
    assert torch.equal(weights(run.model()), weights(config().net.build(8)))
    assert torch.equal(weights(run.model(3)), weights(config().net.build(3)))


def test_numbers_are_those_stored_and_none_is_nan():
    run = subject()
    assert (run.loss, run.test_error) == (0.25, 0.5)
    assert not run.diverged
    lost = subject(summary={"diverged": True, "final": {"train": {"loss": None}}})
    assert lost.diverged
    assert lost.loss != lost.loss and lost.test_error != lost.test_error


def test_states_are_the_first_the_last_and_those_of_a_step():
    run = subject()
    assert run.initial == {"which": "first"}
    assert run.final == {"which": "last"}
    assert run.state(5) == {"which": 5}
    assert run.steps == [0, 5]


def test_it_trained_on_labels_as_they_were_moved_and_samples_as_they_were_chosen():
    labels = data.load(SET)["train"].targets
    noisy = subject(config(1, data__label_noise=0.3))
    assert torch.equal(noisy.train.targets, noisy_labels(labels, 0.3, 10, 1))
    assert torch.equal(noisy.test.targets, data.load(SET)["test"].targets)
    part = subject(config(0, data__skew={"part": "b", "share": 0.8, "seed": 4}))
    assert torch.equal(part.train.targets, labels[skewed(labels, 0.8, 4)[1]])
    assert len(part.train.inputs) == len(part.train.targets) < 120


def test_an_objective_is_of_the_training_split_unless_another_is_named():
    run = subject()
    assert len(run.objective()) == 120
    assert len(run.objective("test")) == 60
    assert len(run.objective(data.load(SET)["test"])) == 60
    assert run.objective("test").calibration_data is not None
    assert torch.equal(run.objective("test").calibration_data.inputs, run.train.inputs)
    assert list(run.objective().metrics) == ["loss", "error"]
    assert list(run.objective(metrics={"more": squared_like}).metrics) == ["loss", "error", "more"]


def squared_like(outputs, targets):
    return outputs.square().mean(1)


def test_its_loss_is_that_it_was_trained_towards():
    assert subject().loss_function is cross_entropy
    other = config(0, training__loss="squared_error", data__targets="inputs",
                   widths=(64, 8, 64))  # fmt: skip
    run = subject(other)
    assert run.loss_function is squared_error
    assert list(run.objective().metrics) == ["loss"]
    own = subject(config(0, training__loss="study.test_subjects:squared_like"))
    assert own.loss_function.__name__ == "squared_like"


def test_data_that_changed_since_are_refused_and_others_not():
    print_ = subject()._prepared.fingerprint
    subject().check_data()
    subject(provenance={"data": print_}).check_data()
    said = rf"that it was trained on.*digits.*fingerprint {print_[:12]}.*trained on 0123.*name-hash"
    with pytest.raises(DataError, match=said):
        subject(provenance={"data": "0123"}).check_data()
    assert subject(provenance={"data": "0123"}).identity == f"{config(3).hash} 0123"


def test_values_of_its_config_go_by_dotted_paths():
    assert subject().at("training.batch_size") == 20
    assert subject().at("seed") == 3
    with pytest.raises(UnknownName):
        subject().at("training.batch")
