"""A member of a population equals the same run trained alone."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from ridgeline import nets, rng, training
from ridgeline.data import Split
from ridgeline.errors import DataError, NotStackable, StateMismatch, UsageError
from ridgeline.nets import fcn, resnet20, transformer
from ridgeline.training import EMA, SGD, SWA, Adam, Augment, Cosine, Keep, Member, Origin, Recipe
from zoo import Cnn

RECIPE = Recipe(
    length="50it", batch_size=16, optimiser=SGD(learning_rate=0.05, momentum=0.9), assess=None
)


def images(count, channels, size, classes=4):
    draws = rng.stream(0, "images")
    inputs = torch.randn(count, channels, size, size, generator=draws, dtype=torch.float64)
    return Split(inputs, torch.randint(classes, (count,), generator=draws))


def tokens():
    ids = torch.arange(8).repeat(24, 1).add(torch.arange(24)[:, None]) % 11
    return Split(ids[:, :-1], ids[:, 1:])


def draws_of(shape, classes):
    draws = rng.stream(0, "draws")
    inputs = torch.randn(45, *shape, generator=draws, dtype=torch.float64)
    return Split(inputs, torch.randint(classes, (45,), generator=draws))


def reconstruction():
    inputs = draws_of((6,), 3).inputs
    return Split(inputs, inputs)


NETS = {
    "fcn": (lambda s: fcn(6, 8, 8, 3, seed=s), lambda: draws_of((6,), 3)),
    "fcn, tanh, no biases": (
        lambda s: fcn(6, 8, 3, activation="tanh", bias=False, seed=s),
        lambda: draws_of((6,), 3),
    ),
    "BatchNorm": (lambda s: fcn(6, 8, 3, norm="batch", seed=s), lambda: draws_of((6,), 3)),
    "LayerNorm": (lambda s: fcn(6, 8, 3, norm="layer", seed=s), lambda: draws_of((6,), 3)),
    "convolutions, in-place": (lambda s: seeded(Cnn, s), lambda: images(45, 2, 6)),
    "ResNet-20": (lambda s: resnet20(4, width=2, seed=s), lambda: images(20, 3, 8)),
    "ResNet-18, LayerNorm": (
        lambda s: nets.resnet18(4, width=6, norm="layer", seed=s),
        lambda: images(20, 3, 8),
    ),
    "ResNet-20, Fixup": (
        lambda s: nets.resnet20(4, width=2, norm="fixup", seed=s),
        lambda: images(20, 3, 8),
    ),
    "VGG-11": (lambda s: nets.vgg11(4, width=0.05, seed=s), lambda: images(20, 3, 32)),
    "VGG-11, BatchNorm": (
        lambda s: nets.vgg11(4, width=0.05, norm="batch", seed=s),
        lambda: images(20, 3, 32),
    ),
    "LeNet": (lambda s: nets.lenet(4, size=16, seed=s), lambda: images(20, 1, 16)),
    "vision transformer": (
        lambda s: nets.vit(4, size=8, width=8, heads=2, depth=1, seed=s),
        lambda: images(20, 3, 8),
    ),
    "autoencoder": (lambda s: nets.autoencoder(6, 4, 2, seed=s), reconstruction),
    "transformer, tied": (lambda s: transformer(11, 8, 8, 2, 1, seed=s), tokens),
}


def seeded(kind, seed):
    with rng.untouched():
        torch.manual_seed(seed)
        return kind()


def assert_close(a, b, **tolerance):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], **tolerance)


def assert_members_equal_runs_alone(members, data, **options):
    together = training.train_together(members, data, **options)
    for member, run in zip(members, together, strict=True):
        (alone,) = training.train_together([member], data, **options)
        assert_close(run.final, alone.final, rtol=1e-9, atol=1e-11)
        assert run.states.keys() == alone.states.keys()
        assert (run.steps, run.diverged, run.stopped) == (
            alone.steps,
            alone.diverged,
            alone.stopped,
        )
        for name in run.log.keys() - {"seconds"}:
            assert run.log[name] == pytest.approx(alone.log[name], rel=1e-9, nan_ok=True)
    return together


DEEP = ("ResNet-18, LayerNorm", "ResNet-20", "ResNet-20, Fixup", "VGG-11", "VGG-11, BatchNorm")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in DEEP else ()) for n in NETS]
)
def test_twenty_steps_of_every_kind_of_network(name):
    make, data = NETS[name]
    recipe = replace(RECIPE, length="20it")
    if name == "autoencoder":
        recipe = replace(recipe, loss="squared_error")
    # Deep networks without norms amplify rounding where the rate is large.
    if "VGG" in name or "Fixup" in name:
        recipe = replace(recipe, optimiser=SGD(learning_rate=0.01, momentum=0.9))
    members = [Member(make(s).double(), recipe, seed=s) for s in range(3)]
    assert_members_equal_runs_alone(members, data())


def test_an_lstm_is_trained_one_at_a_time():
    data = draws_of((7,), 3)
    members = [Member(nets.lstm(hidden=5, classes=3, seed=s).double(), RECIPE) for s in range(2)]
    with pytest.raises(NotStackable, match="lstm"):
        training.train_together(members, data)
    runs = training.train_many(members, data)
    assert [run.together for run in runs] == [1, 1]
    assert runs[0].log["loss"][-1] < runs[0].log["loss"][0]


def test_everything_that_may_differ_between_members(planted):
    members = [
        Member(
            fcn(6, 8, 3, seed=s, scale=1 + s / 2).double(),
            replace(RECIPE, optimiser=SGD(learning_rate=0.01 * (s + 1), momentum=0.3 * s + 0.1)),
            seed=10 + s,
            rows=torch.randperm(45, generator=rng.stream(s, "rows"))[:40],
            targets=(planted.targets + s) % 3,
        )
        for s in range(3)
    ]
    assert_members_equal_runs_alone(members, planted)


@pytest.mark.parametrize(
    "changes",
    [
        {"clip": 0.5},
        {"label_smoothing": 0.1},
        {"schedule": Cosine(warm_up="5it")},
        {"augment": Augment(noise=0.3)},
        {"average": EMA(decay=0.9)},
        {"average": SWA(start="5it", every="7it")},
        {"keep": Keep(geometric=5, spawn=("2ep",))},
        pytest.param({"assess": "2ep"}, marks=pytest.mark.slow, id="assess"),
        {"optimiser": Adam(learning_rate=0.01, weight_decay=0.1)},
    ],
    ids=lambda changes: next(iter(changes), "") if isinstance(changes, dict) else None,
)
def test_every_field_of_a_recipe(changes, planted):
    recipe = replace(RECIPE, **changes)
    members = [Member(fcn(6, 8, 3, seed=s).double(), recipe, seed=s) for s in range(3)]
    runs = assert_members_equal_runs_alone(members, planted, test=planted)
    if recipe.average is not None:
        (alone,) = training.train_together(members[:1], planted)
        assert_close(runs[0].average, alone.average, rtol=1e-9, atol=1e-11)
        assert not torch.equal(runs[0].average["fc1.weight"], runs[0].final["fc1.weight"])


def test_images_are_augmented_each_by_its_own_draw():
    recipe = replace(RECIPE, length="5it", augment=Augment(crop=1, flip=True, reflect=True))
    members = [Member(seeded(Cnn, s).double(), recipe, seed=s) for s in range(2)]
    changed = assert_members_equal_runs_alone(members, images(45, 2, 6))
    plain = training.train(
        members[0].model, images(45, 2, 6), replace(recipe, augment=None), seed=0
    )
    assert not torch.allclose(changed[0].final["0.weight"], plain.final["0.weight"])


def test_clipping_is_torchs(planted):
    recipe = replace(RECIPE, length="1it", batch_size=45, clip=0.01)
    net = fcn(6, 8, 3).double()
    run = training.train(net, planted, recipe)
    nn.functional.cross_entropy(net(planted.inputs), planted.targets).backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.01)
    for name, p in net.named_parameters():
        torch.testing.assert_close(run.final[name], p.detach() - 0.05 * p.grad)


def test_averages_are_what_they_say(planted):
    keep = Keep(every="1it")
    recipe = replace(RECIPE, length="20it", keep=keep, average=SWA(start="6it", every="4it"))
    run = training.train(fcn(6, 3).double(), planted, recipe)
    held = [run.states[step]["fc1.weight"] for step in (6, 10, 14, 18)]
    torch.testing.assert_close(run.average["fc1.weight"], torch.stack(held).mean(0))
    run = training.train(fcn(6, 3).double(), planted, replace(recipe, average=EMA(decay=0.8)))
    expected = run.initial["fc1.weight"]
    for step in range(1, 21):
        expected = 0.8 * expected + 0.2 * run.states[step]["fc1.weight"]
    torch.testing.assert_close(run.average["fc1.weight"], expected)


def test_one_that_diverges_leaves_the_others_alone(planted):
    rates = [0.05, 1e9, 0.05, 1e9]
    members = [
        Member(
            fcn(6, 8, 3, activation="linear", seed=s).double(),
            replace(RECIPE, length="20it", loss=steep, optimiser=SGD(learning_rate=rate)),
            seed=s,
        )
        for s, rate in enumerate(rates)
    ]
    together = training.train_together(members, planted)
    assert [run.diverged for run in together] == [False, True, False, True]
    for i in (0, 2):
        (alone,) = training.train_together([members[i]], planted)
        assert_close(together[i].final, alone.final, rtol=1e-9, atol=1e-11)
        assert together[i].steps == 20
    for i in (1, 3):
        (alone,) = training.train_together([members[i]], planted)
        assert together[i].steps == alone.steps < 20
        assert not math.isfinite(together[i].log["loss"][-1])


def steep(outputs, targets):
    """A loss whose square makes large steps infinite soon."""
    wanted = nn.functional.one_hot(targets, 3)
    return (outputs - wanted).square().mean() * 2


def test_members_stop_when_they_have_learnt_enough(planted):
    rates = [0.3, 0.001, 0.1, 0.2, 0.25]
    members = [
        Member(
            fcn(6, 16, 3, seed=s).double(),
            replace(RECIPE, length="40ep", stop_below=0.2, optimiser=SGD(learning_rate=rate)),
            seed=s,
        )
        for s, rate in enumerate(rates)
    ]
    runs = assert_members_equal_runs_alone(members, planted)
    assert [run.stopped for run in runs] == [True, False, True, True, True]
    for run in runs:
        assert run.stopped == (run.log["loss"][-1] < 0.2)
        assert all(loss >= 0.2 for loss in run.log["loss"][:-1])
        assert run.measured["train"]["loss"] == pytest.approx(
            float(
                nn.functional.cross_entropy(
                    torch.func.functional_call(members[0].model, run.final, (planted.inputs,)),
                    planted.targets,
                )
            )
        )


def test_dropout_trains_alone_and_is_its_seed(planted):
    def make(seed):
        return nn.Sequential(fcn(6, 8, 8, seed=seed), nn.Dropout(0.5), nn.Linear(8, 3)).double()

    net = seeded(lambda: make(0), 0)
    runs = [training.train(net, planted, RECIPE, seed=s) for s in (1, 1, 2)]
    assert_close(runs[0].final, runs[1].final, rtol=0, atol=0)
    assert not torch.equal(runs[0].final["2.weight"], runs[2].final["2.weight"])
    with pytest.raises(NotStackable, match="together=1"):
        training.train_together([Member(net, RECIPE, seed=s) for s in (1, 2)], planted)
    many = training.train_many([Member(net, RECIPE, seed=s) for s in (1, 2)], planted)
    assert_close(many[0].final, runs[0].final, rtol=0, atol=0)
    assert_close(many[1].final, runs[2].final, rtol=0, atol=0)


def test_a_child_goes_on_where_its_parent_was(planted):
    recipe = replace(RECIPE, keep=Keep(spawn=("20it",)), schedule=Cosine())
    net = fcn(6, 8, 3).double()
    parent = training.train(net, planted, recipe, seed=3)
    origin = Origin(parent.states[20], parent.slots[20], step=20, count=20)
    same = training.train(net, planted, recipe, seed=3, origin=origin)
    assert_close(same.final, parent.final, rtol=0, atol=0)
    assert min(same.states) == 20
    assert same.steps == 50
    assert same.log["step"][-1] == 50
    other = training.train(net, planted, recipe, seed=4, origin=origin)
    assert not torch.equal(other.final["fc1.weight"], parent.final["fc1.weight"])
    assert_close(other.initial, parent.states[20], rtol=0, atol=0)
    children = [Member(net, recipe, seed=s, origin=origin) for s in (3, 4)]
    together = assert_members_equal_runs_alone(children, planted)
    assert_close(together[0].final, parent.final, rtol=1e-9, atol=1e-11)
    anew = training.train(net, planted, recipe, seed=3, origin=Origin(parent.states[20]))
    assert anew.steps == 50
    assert sorted(anew.states) == [0, 20, 50]


def test_many_are_sorted_into_stacks_and_come_back_in_order(planted):
    short = replace(RECIPE, length="12it")
    wide = replace(short, batch_size=8)
    members = [
        Member(fcn(6, 4 + 4 * (s % 2), 3, seed=s).double(), wide if s > 3 else short, seed=s)
        for s in range(6)
    ]
    kept = {}
    runs = training.train_many(
        members, planted, together=2, keeper=lambda i, step, state: kept.setdefault(i, state)
    )
    for i, (member, run) in enumerate(zip(members, runs, strict=True)):
        (alone,) = training.train_together([member], planted)
        assert_close(run.final, alone.final, rtol=1e-9, atol=1e-11)
        assert_close(kept[i], alone.initial, rtol=0, atol=0)


def test_what_is_measured_at_the_end_is_the_objectives(planted):
    from ridgeline import Objective

    recipe = replace(RECIPE, label_smoothing=0.2)
    net = fcn(6, 8, 3, norm="batch").double()
    run = training.train(net, planted, recipe, test=planted)
    objective = Objective(net, planted, statistics="keep")
    expected = {name: float(each.mean()) for name, each in objective(run.final).items()}
    assert run.measured["test"] == pytest.approx(expected)
    assert run.measured["train"] == run.measured["test"]
    assert run.log["test_loss"] == pytest.approx([math.nan] * 16 + [expected["loss"]], nan_ok=True)


def test_members_that_are_not_alike_are_refused(planted):
    a = Member(fcn(6, 3).double(), RECIPE)
    for b in (
        Member(fcn(6, 4, 3).double(), RECIPE),
        Member(fcn(6, 3).double(), replace(RECIPE, batch_size=8)),
        Member(fcn(6, 3).double(), RECIPE, rows=torch.arange(10)),
        Member(fcn(6, 3).double(), replace(RECIPE, optimiser=Adam(learning_rate=0.1))),
    ):
        with pytest.raises(UsageError, match="are alike"):
            training.train_together([a, b], planted)
    with pytest.raises(UsageError, match="at least one"):
        training.train_together([], planted)


def test_data_that_do_not_fit_are_refused(planted):
    with pytest.raises(DataError, match="as many as the samples"):
        training.train_together(
            [Member(fcn(6, 3).double(), RECIPE, targets=planted.targets[:3])], planted
        )
    with pytest.raises(StateMismatch):
        training.train(
            fcn(6, 3).double(), planted, RECIPE, origin=Origin(fcn(6, 4, 3).double().state_dict())
        )
    origin = Origin(fcn(6, 3).double().state_dict(), step=50)
    with pytest.raises(UsageError, match="before the end"):
        training.train(fcn(6, 3).double(), planted, RECIPE, origin=origin)


def test_a_network_that_cannot_be_traced_trains_all_the_same(planted):
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = fcn(6, 8, 3)

        def forward(self, x):
            return self.net(x if float(x.detach().sum()) > 0 else x.clone())

    net = Branching().double()
    run = training.train(net, planted, RECIPE)
    plain = training.train(net.net, planted, RECIPE)
    for name, x in plain.final.items():
        torch.testing.assert_close(run.final[f"net.{name}"], x)
    with pytest.raises(NotStackable):
        training.train_together([Member(net, RECIPE, seed=s) for s in (1, 2)], planted)


def test_order_and_draws_have_seeds_of_their_own(planted):
    """Children may differ in their noise alone."""
    recipe = replace(RECIPE, length="6it", augment=Augment(noise=0.5))
    net = fcn(6, 8, 3).double()
    pairs = [(1, None), (1, 1), (1, 2), (2, 1)]
    runs = [
        training.train_together([Member(net, recipe, seed=s, draws=d)], planted)[0]
        for s, d in pairs
    ]
    weights = [run.final["fc1.weight"] for run in runs]
    assert torch.equal(weights[0], weights[1])
    for i, j in ((1, 2), (1, 3), (2, 3)):
        assert not torch.equal(weights[i], weights[j])
    plain = replace(recipe, augment=None)
    same = [
        training.train_together([Member(net, plain, seed=1, draws=d)], planted)[0] for d in (1, 2)
    ]
    assert torch.equal(same[0].final["fc1.weight"], same[1].final["fc1.weight"])


class Scaled(nn.Module):
    """Does something that no tensor and no text of its own tells."""

    def __init__(self, alpha, seed):
        super().__init__()
        self.net, self.alpha = fcn(6, 8, 3, seed=seed), alpha

    def forward(self, x):
        return self.alpha * self.net(x)


def test_networks_that_differ_in_what_they_do_are_not_stacked(planted):
    members = [Member(Scaled(alpha, 0).double(), RECIPE) for alpha in (1.0, 3.0)]
    with pytest.raises(UsageError, match="are alike"):
        training.train_together(members, planted)
    runs = training.train_many(members, planted)
    for member, run in zip(members, runs, strict=True):
        (alone,) = training.train_together([member], planted)
        assert_close(run.final, alone.final, rtol=0, atol=0)
    heads = [nets.vit(4, size=8, width=8, heads=h, depth=1) for h in (1, 4)]
    keys = {training.likeness(Member(net, RECIPE), 20) for net in heads}
    assert len(keys) == 2
    same = [nets.vit(4, size=8, width=8, heads=2, depth=1, seed=s) for s in (1, 2)]
    assert len({training.likeness(Member(net, RECIPE), 20) for net in same}) == 1


@pytest.mark.parametrize("steps", [8, 40])
def test_what_a_network_draws_is_its_seed_however_it_draws(steps, planted):
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = fcn(6, 8, 3)

        def forward(self, x):
            return self.net(nn.functional.dropout(x, 0.3, self.training))

    recipe = replace(RECIPE, length=f"{steps}it")
    members, taken, runs = [Member(Functional().double(), recipe, seed=4)], [], []
    for noise in (1, 2):
        torch.manual_seed(noise)
        runs += training.train_together(
            members, planted, snapshot=taken.append, snapshot_seconds=0.0
        )
    assert_close(runs[0].final, runs[1].final, rtol=0, atol=0)
    (again,) = training.train_together(members, planted, resume=taken[4])
    assert_close(again.final, runs[0].final, rtol=0, atol=0)


def test_the_final_training_loss_is_of_what_was_trained_on(planted):
    noisy = (planted.targets + 1) % 3
    rows = torch.arange(10, 30)
    members = [
        Member(fcn(6, 8, 3, seed=s).double(), RECIPE, rows=rows, targets=targets)
        for s, targets in enumerate((noisy, planted.targets))
    ]
    for batch in (members, members[:1]):
        runs = training.train_together(batch, planted, test=planted)
        for member, run in zip(batch, runs, strict=True):
            outputs = torch.func.functional_call(member.model, run.final, (planted.inputs[rows],))
            wanted = member.targets[rows]
            loss = nn.functional.cross_entropy(outputs, wanted)
            assert run.measured["train"]["loss"] == pytest.approx(float(loss))
            error = (outputs.argmax(1) != wanted).double().mean()
            assert run.measured["train"]["error"] == pytest.approx(float(error))


def test_targets_to_be_ignored_do_not_count(planted):
    some = planted.targets.clone()
    some[:5] = -100
    run = training.train(fcn(6, 3).double(), (planted.inputs, some), RECIPE)
    assert not run.diverged
    model, kept = fcn(6, 3).double(), some != -100
    with torch.no_grad():
        outputs = torch.func.functional_call(model, run.final, (planted.inputs[kept],))
    assert run.measured["train"] == pytest.approx(
        {
            "loss": float(nn.functional.cross_entropy(outputs, some[kept])),
            "error": float((outputs.argmax(1) != some[kept]).double().mean()),
        }
    )
    own = Member(fcn(6, 3).double(), RECIPE, targets=some)
    (other,) = training.train_together([own], planted)
    assert_close(run.final, other.final, rtol=0, atol=0)


def test_the_logs_running_loss_is_a_mean_over_the_samples_that_count(planted):
    some = planted.targets.clone()
    some[:5] = -100
    still = replace(RECIPE, optimiser=SGD(learning_rate=1e-12), length="1ep", batch_size=7)
    model = fcn(6, 3).double()
    run = training.train(model, (planted.inputs, some), still)
    kept = some != -100
    with torch.no_grad():
        outputs = model(planted.inputs[kept])
    want = float(nn.functional.cross_entropy(outputs, some[kept]))
    assert run.log["loss"][-1] == pytest.approx(want, rel=1e-9)
    wrong = float((outputs.argmax(1) != some[kept]).double().mean())
    assert run.log["error"][-1] == pytest.approx(wrong)


def test_running_statistics_do_not_see_the_step_that_diverges(planted):
    inputs = planted.inputs.clone()
    recipe = replace(RECIPE, batch_size=45, length="30it")
    inputs[3, 2] = math.inf
    members = [Member(fcn(6, 8, 3, norm="batch", seed=s).double(), recipe) for s in range(2)]
    for run in training.train_together(members, (inputs, planted.targets)):
        assert run.diverged
        assert run.steps == 0
        assert_close(run.final, run.initial, rtol=0, atol=0)
