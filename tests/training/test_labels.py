"""Labels of any whole type, labels beyond the outputs, and losses by other names."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from ridgeline import rng, training
from ridgeline.errors import DataError, UnknownName
from ridgeline.nets import fcn
from ridgeline.training import SGD, Member, Recipe

X = torch.randn(40, 5, generator=rng.stream(0, "labels"))
Y = torch.arange(40) % 3
RECIPE = Recipe(length="2ep", batch_size=16, optimiser=SGD(learning_rate=0.1))


def same(a, b):
    return all(torch.equal(x, b[name]) for name, x in a.items())


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_labels_of_any_whole_type_train_as_int64_does(kind):
    net = fcn(5, 8, 3, seed=0)
    found = training.train(net, (X, Y.to(kind)), RECIPE, test=(X, Y.to(kind)))
    wanted = training.train(net, (X, Y), RECIPE, test=(X, Y))
    assert same(found.final, wanted.final)
    assert found.measured == wanted.measured


def test_bool_labels_are_two_classes():
    net = fcn(5, 8, 2, seed=0)
    found = training.train(net, (X, Y > 0), RECIPE, test=(X, Y > 0))
    wanted = training.train(net, (X, (Y > 0).long()), RECIPE, test=(X, (Y > 0).long()))
    assert same(found.final, wanted.final)
    assert found.measured == wanted.measured


@pytest.mark.parametrize(
    "data",
    [
        TensorDataset(X, Y),
        DataLoader(TensorDataset(X, Y), 7),
        [(X[:30], Y[:30]), (X[30:], Y[30:])],
        (X.numpy(), Y.numpy()),
    ],
    ids=lambda data: type(data).__name__,
)
def test_data_in_everyday_forms_train_as_their_arrays_do(data):
    net = fcn(5, 8, 3, seed=0)
    found = training.train(net, data, RECIPE, test=data)
    wanted = training.train(net, (X, Y), RECIPE, test=(X, Y))
    assert same(found.final, wanted.final)
    assert found.measured == wanted.measured


@pytest.mark.parametrize("seeds", [1, 3])
def test_labels_beyond_the_outputs_are_refused_before_the_first_step(seeds):
    labels = Y.clone()
    labels[-1] = 7
    members = [Member(fcn(5, 8, 3, seed=s), RECIPE, seed=s) for s in range(seeds)]
    with pytest.raises(DataError) as caught:
        training.train_together(members, (X, labels))
    said = str(caught.value)
    assert (
        "Labels of a model with 3 outputs are 0 to 2. Got label 7 at sample 39 (1 in all)" in said
    )
    assert "the same classes" in said


def test_labels_beyond_the_outputs_among_the_test_data_are_refused_too():
    with pytest.raises(DataError, match="Got label 4 at sample 0"):
        training.train(fcn(5, 8, 3, seed=0), (X, Y), RECIPE, test=(X, Y + 4))


def test_the_ignored_label_is_no_label_beyond_the_outputs():
    labels = Y.clone()
    labels[:5] = -100
    training.train(fcn(5, 8, 3, seed=0), (X, labels), RECIPE)


@pytest.mark.parametrize(("other", "name"), [("mse", "squared_error"), ("ce", "cross_entropy")])
def test_other_names_of_a_loss_are_the_same_recipe(other, name):
    assert Recipe(length="1ep", loss=other) == Recipe(length="1ep", loss=name)


def test_a_loss_of_my_own_may_be_named():
    net = nn.Linear(5, 3)
    named = Recipe(length="2ep", batch_size=16, loss="torch.nn:CrossEntropyLoss")
    given = Recipe(length="2ep", batch_size=16, loss=nn.CrossEntropyLoss())
    assert same(training.train(net, (X, Y), named).final, training.train(net, (X, Y), given).final)


def test_an_unknown_loss_says_how_to_name_ones_own():
    with pytest.raises(UnknownName, match="Or name one of yours: MOD:FUNC"):
        Recipe(length="1ep", loss="focal")
