import pytest
import torch

from ridgeline import rng, training
from ridgeline.errors import MissingExtra, UsageError
from ridgeline.nets import fcn
from ridgeline.training import SGD, Adam, AdamW, Library, Member, Recipe, RMSProp

BATCH = 16
RULES = {
    "sgd": (SGD(learning_rate=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "momentum": (
        SGD(learning_rate=0.1, momentum=0.9, weight_decay=0.01),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    ),
    "nesterov": (
        SGD(learning_rate=0.1, momentum=0.8, nesterov=True, weight_decay=0.01),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.01),
    ),
    "adam": (
        Adam(learning_rate=0.01, beta1=0.8, beta2=0.99, epsilon=1e-6, weight_decay=0.1),
        lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.99), 1e-6, 0.1),
    ),
    "adamw": (
        AdamW(learning_rate=0.01, weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
    ),
    "rmsprop": (
        RMSProp(learning_rate=0.01, smoothing=0.9, weight_decay=0.1),
        lambda p: torch.optim.RMSprop(p, 0.01, 0.9, weight_decay=0.1),
    ),
    "rmsprop with momentum": (
        RMSProp(learning_rate=0.01, momentum=0.5),
        lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.5),
    ),
    "a library's": (
        Library(name="torch.optim:Adagrad", learning_rate=0.1, options={"eps": 1e-6}),
        lambda p: torch.optim.Adagrad(p, 0.1, eps=1e-6),
    ),
}


def theirs(net, make, data, steps, seed):
    """The plain loop with an optimiser of `torch.optim`."""
    optimiser = make(list(net.parameters()))
    per_epoch = -(-len(data) // BATCH)
    for step in range(steps):
        draws = rng.stream(seed, "order", step // per_epoch)
        batch = torch.randperm(len(data), generator=draws).split(BATCH)[step % per_epoch]
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(data.inputs[batch]), data.targets[batch]).backward()
        optimiser.step()
    return net.state_dict()


@pytest.mark.parametrize("name", RULES)
def test_thirty_steps_agree_with_torch(name, planted):
    rule, make = RULES[name]
    recipe = Recipe(length="30it", batch_size=BATCH, optimiser=rule)
    run = training.train(fcn(6, 8, 3, seed=1).double(), planted, recipe, seed=5)
    expected = theirs(fcn(6, 8, 3, seed=1).double(), make, planted, 30, 5)
    for name, x in expected.items():
        torch.testing.assert_close(run.final[name], x, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", [name for name in RULES if name != "a library's"])
def test_members_with_numbers_of_their_own_equal_runs_alone(name, planted):
    rule, _ = RULES[name]
    changed = type(rule)(**{**vars(rule), "learning_rate": 0.03, "weight_decay": 0.0})
    members = [
        Member(
            fcn(6, 8, 3, seed=s).double(),
            Recipe(length="30it", batch_size=BATCH, optimiser=changed if s % 2 else rule),
            seed=s,
        )
        for s in range(4)
    ]
    together = training.train_together(members, planted)
    for member, run in zip(members, together, strict=True):
        (alone,) = training.train_together([member], planted)
        for key, x in alone.final.items():
            torch.testing.assert_close(run.final[key], x, rtol=1e-9, atol=1e-12)


def test_shampoo_of_a_library_learns(planted):
    pytest.importorskip("pytorch_optimizer")
    rule = Library(name="pytorch_optimizer:Shampoo", learning_rate=0.1)
    recipe = Recipe(length="10ep", batch_size=BATCH, optimiser=rule)
    run = training.train(fcn(6, 8, 3).double(), planted, recipe)
    assert run.log["loss"][-1] < 0.7 * run.log["loss"][0]


def test_a_rate_of_zero_moves_nothing(planted):
    for rule, _ in RULES.values():
        if not isinstance(rule, Library):
            still = type(rule)(**{**vars(rule), "learning_rate": 0.0})
            run = training.train(fcn(6, 3).double(), planted, Recipe(length="5it", optimiser=still))
            assert all(torch.equal(run.final[name], x) for name, x in run.initial.items())


def test_numbers_out_of_range_are_refused():
    with pytest.raises(UsageError, match="`momentum` must be"):
        SGD(learning_rate=0.1, momentum=1.0)
    with pytest.raises(UsageError, match="`learning_rate` must be"):
        Adam(learning_rate=float("nan"))
    with pytest.raises(UsageError, match="`beta2` must be"):
        Adam(learning_rate=0.1, beta2=1.5)
    with pytest.raises(UsageError, match="Nesterov"):
        SGD(learning_rate=0.1, nesterov=True)


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("torch.optim.Adagrad", UsageError, "package:Class"),
        ("torch.optim:Adagrat", UsageError, "must have the class"),
        ("no_such_package:Adagrad", MissingExtra, "no_such_package"),
    ],
)
def test_a_library_that_cannot_be_is_refused(name, error, text, planted):
    rule = Library(name=name, learning_rate=0.1)
    with pytest.raises(error, match=text):
        training.train(fcn(6, 3).double(), planted, Recipe(length="1it", optimiser=rule))


def test_options_that_a_library_does_not_know_are_refused(planted):
    rule = Library(name="torch.optim:Adagrad", learning_rate=0.1, options={"epsilon": 1})
    with pytest.raises(UsageError, match="must accept its options"):
        training.train(fcn(6, 3).double(), planted, Recipe(length="1it", optimiser=rule))
