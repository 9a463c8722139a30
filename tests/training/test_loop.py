import copy
import math

import pytest
import torch
from torch.nn import functional

from ridgeline import rng, training
from ridgeline.errors import DataError, ForwardFailed, UsageError
from ridgeline.nets import fcn, resnet20, transformer
from ridgeline.training import SGD, Adam, Constant, Cosine, Keep, Recipe

COUNT, BATCH = 70, 16  # five batches an epoch, the last of six samples


def problem(dtype=torch.float32):
    draws = rng.stream(0, "problem")
    inputs = torch.randn(COUNT, 6, generator=draws, dtype=torch.float64)
    return inputs.to(dtype), (inputs @ torch.randn(6, 3, generator=draws).double()).argmax(1)


def train(net, inputs, targets, *, epochs, watch=None, seed=0, **options):
    """`training.train` with the numbers of a recipe as keywords."""
    return training.train(net, (inputs, targets), recipe(epochs, **options), seed=seed, watch=watch)


def recipe(
    epochs,
    *,
    loss="cross_entropy",
    batch_size=128,
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=0.0,
    optimizer="sgd",
    schedule="constant",
    checkpoints=(),
):
    numbers = {"learning_rate": learning_rate, "weight_decay": weight_decay}
    rule = SGD(momentum=momentum, **numbers) if optimizer == "sgd" else Adam(**numbers)
    return Recipe(
        length=f"{epochs}ep",
        batch_size=batch_size,
        optimiser=rule,
        schedule=Constant() if schedule == "constant" else Cosine(),
        loss=loss,
        keep=Keep(at=[f"{step}it" for step in checkpoints]),
    )


def order(epoch, seed=0):
    return torch.randperm(COUNT, generator=rng.stream(seed, "order", epoch)).split(BATCH)


def assert_equal(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def reference_sgd(net, inputs, targets, momentum, decay, cosine):
    """Twenty steps as the textbook writes them."""
    velocity = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    for step in range(20):
        batch = order(step // 5)[step % 5]
        net.zero_grad()
        functional.cross_entropy(net(inputs[batch]), targets[batch]).backward()
        rate = 0.1 * (0.5 * (1 + math.cos(math.pi * step / 20)) if cosine else 1)
        for name, p in net.named_parameters():
            velocity[name] = momentum * velocity[name] + p.grad + decay * p.data
            p.data = p.data - rate * velocity[name]
    return net.state_dict()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_twenty_steps_equal_a_reference_written_by_hand(momentum, decay, schedule):
    net = fcn(6, 8, 3, activation="tanh").double()
    inputs, targets = problem(torch.float64)
    run = train(
        net,
        inputs,
        targets,
        epochs=4,
        batch_size=BATCH,
        momentum=momentum,
        weight_decay=decay,
        schedule=schedule,
    )
    expected = reference_sgd(
        copy.deepcopy(net), inputs, targets, momentum, decay, schedule == "cosine"
    )
    assert run.steps == 20
    for name, tensor in expected.items():
        torch.testing.assert_close(run.final[name], tensor, atol=1e-13, rtol=0)


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_twenty_steps_equal_the_optimisers_of_torch(optimizer, decay):
    # Before BatchNorm a bias has no gradient but rounding, which Adam makes steps of.
    net = fcn(6, 8, 3, norm="batch" if optimizer == "sgd" else None).double()
    inputs, targets = problem(torch.float64)
    run = train(
        net,
        inputs,
        targets,
        epochs=4,
        batch_size=BATCH,
        learning_rate=0.02,
        optimizer=optimizer,
        weight_decay=decay,
    )
    options = {"lr": 0.02, "weight_decay": decay}
    theirs = (
        torch.optim.SGD(net.parameters(), momentum=0.9, **options)
        if optimizer == "sgd"
        else torch.optim.Adam(net.parameters(), **options)
    )
    for step in range(20):
        batch = order(step // 5)[step % 5]
        theirs.zero_grad()
        functional.cross_entropy(net(inputs[batch]), targets[batch]).backward()
        theirs.step()
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(run.final[name], tensor, atol=1e-12, rtol=1e-12)


def fingerprint(net):
    """All that a run could disturb."""
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    return (
        {name: x.detach().clone() for name, x in tensors.items()},
        {name: (id(x), x.requires_grad, x.grad is None) for name, x in tensors.items()},
        [m.training for m in net.modules()],
        torch.get_rng_state(),
        torch.is_grad_enabled(),
    )


def assert_untouched(before, net):
    after = fingerprint(net)
    assert_equal(before[0], after[0])
    assert before[1:3] == after[1:3]
    assert torch.equal(before[3], after[3])
    assert before[4] == after[4]


def noisy():
    """A network with everything to disturb: buffers, a frozen layer, dropout, mixed modes."""
    net = fcn(6, 8, 8, 3, norm="batch")
    net.act1 = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Dropout(0.3))
    net.fc2.requires_grad_(False)
    net.norm1.eval()
    return net


def test_several_inputs_are_refused_in_words():
    x, y = problem()
    with pytest.raises(
        DataError, match=r"trained here on one tensor of inputs and of targets\. Got 2 inputs"
    ):
        train(fcn(6, 4, 3), (x, x), y, epochs=1, batch_size=BATCH)


def test_the_callers_network_is_untouched():
    net = noisy()
    before = fingerprint(net)
    with torch.no_grad():
        run = train(net, *problem(), epochs=2, batch_size=BATCH)
    assert_untouched(before, net)
    assert_equal(run.initial, before[0])
    assert not torch.equal(run.final["fc1.weight"], run.initial["fc1.weight"])
    assert torch.equal(run.final["fc2.weight"], run.initial["fc2.weight"])


def test_the_callers_network_is_untouched_after_an_interruption():
    net = noisy()
    before = fingerprint(net)

    def interrupt(status):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(net, *problem(), epochs=2, batch_size=BATCH, watch=interrupt)
    assert_untouched(before, net)


def test_a_failing_loss_is_named_and_leaves_no_trace():
    net = noisy()
    before = fingerprint(net)
    calls = []

    def loss(outputs, targets):
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError("planted")
        return functional.cross_entropy(outputs, targets)

    message = r"The loss raised while training\. Got ZeroDivisionError: planted"
    with pytest.raises(ForwardFailed, match=message):
        train(net, *problem(), epochs=2, batch_size=BATCH, loss=loss)
    assert_untouched(before, net)


def test_a_failing_network_is_named():
    with pytest.raises(ForwardFailed, match="The model raised while training"):
        train(fcn(5, 3), *problem(), epochs=1)


def test_a_run_is_its_seed_whatever_the_global_generator_holds():
    runs = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        runs.append(train(noisy(), *problem(), epochs=3, batch_size=BATCH, seed=7))
    assert_equal(runs[0].final, runs[1].final)
    for name in runs[0].log.keys() - {"seconds"}:
        assert str(runs[0].log[name]) == str(runs[1].log[name])  # NaN for NaN
    other = train(noisy(), *problem(), epochs=3, batch_size=BATCH, seed=8)
    assert not torch.equal(other.final["fc1.weight"], runs[0].final["fc1.weight"])


def test_checkpoints_always_hold_the_ends_and_never_steer():
    plain = train(fcn(6, 3), *problem(), epochs=2, batch_size=BATCH)
    run = train(fcn(6, 3), *problem(), epochs=2, batch_size=BATCH, checkpoints=[7, 5, 5])
    assert sorted(run.states) == [0, 5, 7, 10]
    assert sorted(plain.states) == [0, 10]
    assert run.states[0] is run.initial
    assert run.states[10] is run.final
    assert_equal(run.final, plain.final)
    half = train(fcn(6, 3), *problem(), epochs=1, batch_size=BATCH)
    assert_equal(run.states[5], half.final)


def test_the_log_is_the_mean_over_samples_as_their_batches_met_them():
    net = fcn(6, 3).double()
    inputs, targets = problem(torch.float64)
    run = train(net, inputs, targets, epochs=1, batch_size=BATCH, learning_rate=0.0)
    outputs = net(inputs).detach()
    assert run.log["epoch"] == [1.0]
    assert run.log["loss"][0] == pytest.approx(float(functional.cross_entropy(outputs, targets)))
    assert run.log["error"][0] == pytest.approx(
        float((outputs.argmax(1) != targets).double().mean())
    )


def test_progress_is_told_at_the_end():
    seen = []
    run = train(fcn(6, 3), *problem(), epochs=2, batch_size=50, watch=seen.append)
    assert (seen[-1].step, seen[-1].planned, seen[-1].epoch) == (4, 4, 2.0)
    assert seen[-1].loss == [run.log["loss"][-1]]
    assert seen[-1].finished == ["done"]
    assert seen[-1].rate > 0


def test_a_divergent_run_is_recorded():
    inputs, _ = problem()
    run = train(
        fcn(6, 6),
        inputs,
        inputs,
        loss=functional.mse_loss,
        epochs=50,
        batch_size=BATCH,
        learning_rate=1e4,
        checkpoints=[2, 249],
    )
    assert run.diverged
    assert 2 < run.steps < 250
    assert sorted(run.states) == [0, 2, run.steps]
    assert not math.isfinite(run.log["loss"][-1])
    assert all(math.isfinite(value) for value in run.log["loss"][:-1])


def test_a_last_step_into_infinity_is_divergence_too():
    inputs, _ = problem()
    steep = lambda outputs, targets: (outputs - targets).square().mean() * 1e30  # noqa: E731 (a name for a short function that is read in place)
    run = train(
        fcn(6, 6), inputs, inputs, loss=steep, epochs=1, batch_size=COUNT, learning_rate=1e30
    )
    assert run.steps == 1
    assert run.diverged


def test_regression_learns_a_planted_linear_map():
    inputs, _ = problem(torch.float64)
    planted = fcn(6, 2, seed=9).double()
    run = train(
        fcn(6, 2).double(),
        inputs,
        planted(inputs).detach(),
        loss=lambda outputs, targets: (outputs - targets).square().sum(1),
        epochs=150,
        batch_size=BATCH,
        learning_rate=0.05,
    )
    torch.testing.assert_close(run.final["fc1.weight"], planted.fc1.weight.detach())
    assert all(math.isnan(value) for value in run.log["error"])


def test_classes_are_learned_with_either_rule():
    for optimizer, rate in (("sgd", 0.1), ("adam", 0.01)):
        run = train(
            fcn(6, 32, 3),
            *problem(),
            epochs=60,
            batch_size=BATCH,
            learning_rate=rate,
            optimizer=optimizer,
            schedule="cosine",
        )
        assert run.log["error"][-1] == 0
        assert not run.diverged


def test_sequences_and_tied_weights_train():
    tokens = torch.arange(8).repeat(24, 1).add(torch.arange(24)[:, None]) % 11
    run = train(
        transformer(11, 8, width=16, heads=2, depth=1),
        tokens[:, :-1],
        tokens[:, 1:],
        epochs=40,
        batch_size=8,
        learning_rate=0.01,
        optimizer="adam",
    )
    assert run.final["head.weight"] is run.final["token.weight"]
    assert run.log["error"][-1] < 0.1


def test_images_train():
    images = torch.randn(12, 3, 8, 8, generator=rng.stream(0, "images"))
    run = train(resnet20(width=4), images, torch.arange(12) % 10, epochs=2, batch_size=6)
    assert int(run.final["bn1.num_batches_tracked"]) == 4
    assert not run.diverged


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": -1.0},
        {"learning_rate": math.nan},
        {"momentum": 1.0},
        {"weight_decay": math.inf},
        {"checkpoints": [-1]},
        {"checkpoints": [2]},
    ],
)
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(UsageError):
        train(fcn(6, 3), *problem(), **{"epochs": 1, **options})


def test_a_network_with_nothing_to_train_is_refused():
    with pytest.raises(UsageError, match="needs a gradient"):
        train(fcn(6, 3).requires_grad_(False), *problem(), epochs=1)


def test_data_that_do_not_fit_are_refused():
    inputs, targets = problem()
    with pytest.raises(DataError, match="70 inputs and 69 targets"):
        train(fcn(6, 3), inputs, targets[:-1], epochs=1)
    with pytest.raises(DataError, match="at least one sample"):
        train(fcn(6, 3), inputs[:0], targets[:0], epochs=1)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_parameter_that_the_loss_does_not_reach_stays(optimizer):
    net = fcn(6, 3)
    net.register_parameter("spare", torch.nn.Parameter(torch.ones(2)))
    run = train(net, *problem(), epochs=1, optimizer=optimizer, weight_decay=0.1)
    assert torch.equal(run.final["spare"], torch.ones(2))
