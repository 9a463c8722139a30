"""Loss and metrics as an objective asks for them: their own samples, weights and direction."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ridgeline as rl
from ridgeline.errors import DataError, ForwardFailed, NotDeterministic, UsageError, WrongKind
from ridgeline.objective import Objective, accuracy, cross_entropy, error, squared_error, top_k
from ridgeline.objective.declared import direction, sounds_higher

rng = torch.Generator().manual_seed(0)
X = torch.randn(40, 5, generator=rng)
Y = torch.randint(0, 4, (40,), generator=rng)
WORDS = torch.randn(12, 6, 5, generator=rng)
NEXT = torch.randint(0, 4, (12, 6), generator=rng)
LENGTHS = torch.tensor([0, 1, 2, 3, 4, 5, 6, 6, 2, 0, 1, 6])
PADDED = torch.where(torch.arange(6) < LENGTHS[:, None], NEXT, -100)


def linear(out=4, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Linear(5, out)


def line(model):
    other = {k: x + 0.5 for k, x in model.state_dict().items()}
    return rl.Line(model.state_dict(), other)


def states_of(model, path, points=3):
    """The same network at positions of the path, by a plain copy."""
    for t in np.linspace(0, 1, points):
        net = linear(model.out_features)
        net.load_state_dict(path(float(t)))
        yield net.requires_grad_(False)


# --- a number of its own -------------------------------------------------------------------------


def contrast(outputs, targets):
    """InfoNCE: each sample against all others of its batch."""
    return F.cross_entropy(outputs @ outputs.T, torch.arange(len(outputs)), reduction="none")


def hardest(outputs, targets):
    """The distance to the nearest sample of another class in the batch."""
    apart = torch.cdist(outputs, outputs)
    return apart.masked_fill(targets[:, None] == targets, 1e3).amin(1)


BATCHWISE = {
    "contrast": contrast,
    "hardest": hardest,
    "centred": lambda o, t: (o - o.mean(0)).square().mean(1),
    "scaled": lambda o, t: o.square().mean(1) / o.square().mean(),
    "broadcast": lambda o, t: (o[:, :1] - t.float()).square().mean(1),
    "ranked": lambda o, t: o[:, 0].argsort().argsort().float(),
    "shared": lambda o, t: F.cross_entropy(o, t).expand(len(t)),
}


@pytest.mark.parametrize("name", list(BATCHWISE))
def test_what_is_of_a_batch_is_refused_as_loss_and_as_metric(name):
    given = BATCHWISE[name]
    with pytest.raises(NotDeterministic, match=r"the loss, in which .* depends on its batch"):
        Objective(linear(), (X, Y), loss=given)
    with pytest.raises(NotDeterministic, match=rf"the metric '{name}'.*no mean over samples"):
        Objective(linear(), (X, Y), metrics={name: given})


def test_samples_in_the_order_of_classes_do_not_hide_it():
    order = Y.argsort()
    alike = lambda o, t: (t[:, None] != t).float().mean(1)  # noqa: E731 (0 among equal labels)
    with pytest.raises(NotDeterministic, match="depends on its batch"):
        Objective(linear(), (X[order].repeat(20, 1), Y[order].repeat_interleave(20)), loss=alike)


def test_what_raises_for_one_sample_alone_is_refused():
    def needs_two(outputs, targets):
        if len(outputs) < 2:
            raise ValueError("more than one, please")
        return outputs.square().mean(1)

    with pytest.raises(NotDeterministic, match=r"alone it raises ValueError: more than one"):
        Objective(linear(), (X, Y), metrics={"size": needs_two})


def test_what_draws_or_writes_is_refused():
    def writes(outputs, targets):
        targets[targets == 3] = 0
        return F.cross_entropy(outputs, targets, reduction="none")

    kept = Y.clone()
    with pytest.raises(NotDeterministic, match="the loss, which writes to the outputs or the tar"):
        Objective(linear(), (X, Y), loss=writes)
    assert torch.equal(Y, kept)
    with pytest.raises(NotDeterministic, match="'noise', which gives another number each time"):
        Objective(linear(), (X, Y), metrics={"noise": lambda o, t: torch.rand(len(t))})


def test_a_batch_of_one_that_squeezes_itself_is_no_fault():
    one = lambda o, t: F.mse_loss(o.squeeze(), t, reduction="none")  # noqa: E731
    model, y = linear(1), torch.randn(40, generator=rng)
    found = Objective(model, (X, y), loss=one)(model.state_dict())["loss"]
    with torch.no_grad():
        torch.testing.assert_close(found, (model(X)[:, 0] - y).square())


# --- what counts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", ["samples", "tokens"])
def test_a_sample_of_which_nothing_counts_is_left_out_everywhere(weights):
    model = linear()
    objective = Objective(
        model, (WORDS, PADDED), weights=weights, metrics=["error", "top5_error"][:1]
    )
    assert objective.left_out == 2
    assert "12 samples, 2 without a label that counts" in repr(objective)
    assert objective.provenance()["samples_left_out"] == 2
    assert objective.provenance()["weights"] == weights
    assert any("2 of 12 samples have no label that counts" in n for n in objective.notes)
    path = line(model)
    profile = rl.profile(path, objective, points=3)
    assert "over 10 samples, 2 more do not count" in str(profile)
    assert profile.provenance["splits"]["data"]["left_out"] == {"loss": 2, "error": 2}
    assert profile.provenance["splits"]["data"]["samples_evaluated"] == 12
    curve = profile.curve()
    assert (curve.n, curve.left_out, curve.population, curve.scope) == (10, 2, 12, "distribution")
    for k, net in enumerate(states_of(model, path)):
        values = F.cross_entropy(
            net(WORDS).flatten(0, 1).double(), PADDED.flatten(), reduction="none"
        ).view(12, 6)
        counts = (PADDED != -100).sum(1).double()
        live = counts > 0
        each = (values.sum(1) / counts)[live]
        w = counts[live] if weights == "tokens" else torch.ones(10).double()
        mean = float((w * each).sum() / w.sum())
        spread = w * (each - mean) / w.mean()
        assert curve.mean[k] == pytest.approx(mean, rel=1e-6)
        stderr = float((spread.square().sum() / 9 / 10).sqrt())
        assert curve.stderr[k] == pytest.approx(stderr, rel=1e-5)


def test_the_objectives_own_numbers_have_the_mean_and_error_of_the_curve():
    model = linear()
    for weights in ("samples", "tokens"):
        objective = Objective(model, (WORDS, PADDED), weights=weights)
        curve = rl.profile(line(model), objective, points=3).curve()
        values = objective(model.state_dict())["loss"].double()
        assert len(values) == 10
        assert float(values.mean()) == pytest.approx(curve.mean[0], rel=1e-6)
        assert float(values.std()) / 10**0.5 == pytest.approx(curve.stderr[0], rel=1e-5)


def test_the_mean_over_tokens_is_torchs_own():
    model = linear()
    found = Objective(model, (WORDS, PADDED), weights="tokens")(model.state_dict())["loss"]
    with torch.no_grad():
        want = F.cross_entropy(model(WORDS).flatten(0, 1), PADDED.flatten())
    assert float(found.mean()) == pytest.approx(float(want), rel=1e-6)


def test_data_of_which_nothing_counts_are_refused():
    with pytest.raises(DataError, match="none of 40 for the metric 'loss'"):
        Objective(linear(), (X, torch.full((40,), -100)))
    rare = {"rare": rl.masked(error, lambda o, t: t == 9)}
    objective = Objective(linear(), (X, Y), metrics=rare)
    for ask in (objective, lambda s: rl.profile(rl.Polygon(s, s), objective, points=3)):
        with pytest.raises(DataError, match=r"none of 40 for the metric 'rare'.*mask"):
            ask(linear().state_dict())


def test_precision_stops_on_the_interval_of_tokens():
    many = WORDS.repeat(100, 1, 1) + 0.1 * torch.randn(1200, 6, 5, generator=rng)
    model = linear()
    objective = Objective(model, (many, PADDED.repeat(100, 1)), weights="tokens")
    wanted = rl.Precision(half_width=0.1, at_least=200)
    found = rl.profile(line(model), objective, points=5, precision=wanted)
    curve = found.curve()
    assert 200 <= curve.n < 1000 and curve.scope == "data set" and curve.left_out > 0
    low, high = found.barrier().interval()
    assert (high - low) / 2 <= 0.1
    whole = rl.profile(line(model), objective, points=5).curve()
    assert np.abs(curve.mean - whole.mean).max() < 5 * curve.stderr.max()


def test_surfaces_have_the_error_of_a_ratio_too():
    model = linear()
    a = model.state_dict()
    b, c = ({k: x + s for k, x in a.items()} for s in (0.5, -0.25))
    c = c | {"bias": c["bias"] * 3}
    objective = Objective(model, (WORDS, PADDED), weights="tokens")
    found = rl.surface(
        rl.Plane(a, b, c), objective, points=(np.array([0.0, 1]), np.array([0.0, 1]))
    )
    values = objective(a)["loss"].double()
    assert found.value()[0, 0] == pytest.approx(float(values.mean()), rel=1e-5)
    stderr = float(values.std()) / 10**0.5
    assert found.stderr["data"]["loss"][0, 0] == pytest.approx(stderr, rel=1e-4)


# --- metrics of some samples ---------------------------------------------------------------------


def test_metrics_by_class_are_of_the_samples_of_the_class():
    model = linear()
    each = {f"error of {c}": rl.masked(error, lambda o, t, c=c: t == c) for c in range(4)}
    profile = rl.profile(line(model), Objective(model, (X, Y), metrics=each), points=3)
    with torch.no_grad():
        wrong = (model(X).argmax(1) != Y).double()
    for c in range(4):
        own, curve = wrong[c == Y], profile.curve(f"error of {c}")
        assert curve.n == len(own) and curve.n + curve.left_out == 40
        assert curve.mean[0] == pytest.approx(float(own.mean()))
        assert curve.stderr[0] == pytest.approx(float(own.std()) / len(own) ** 0.5)
    assert profile.curve().n == 40


@pytest.mark.parametrize("weights", ["samples", "tokens"])
def test_a_mask_may_be_of_positions(weights):
    model = linear()
    mask = lambda o, t: t == 2  # noqa: E731
    metrics = {"two": rl.masked(error, mask), "nats": rl.masked(cross_entropy, mask)}
    found = Objective(model, (WORDS, PADDED), metrics=metrics, weights=weights)(model.state_dict())
    with torch.no_grad():
        wrong = (model(WORDS).argmax(-1) != PADDED).double()
    at = PADDED == 2
    want = [wrong[i][at[i]].mean() for i in range(12) if at[i].any()]
    want = wrong[at].mean() if weights == "tokens" else torch.stack(want).mean()
    assert float(found["two"].mean()) == pytest.approx(float(want), rel=1e-6)


def test_a_function_of_ones_own_may_weigh_its_samples():
    w = torch.rand(40, generator=rng)
    data = [((X), torch.stack([Y.float(), w], 1))]
    loss = lambda o, t: (F.cross_entropy(o, t[:, 0].long(), reduction="none"), t[:, 1])  # noqa: E731
    model = linear()
    found = rl.profile(line(model), Objective(model, data, loss=loss), points=3)
    for k, net in enumerate(states_of(model, line(model))):
        values = F.cross_entropy(net(X), Y, reduction="none")
        assert found.curve().mean[k] == pytest.approx(float((w * values).sum() / w.sum()), rel=1e-5)


def test_a_precision_is_a_metric_whose_samples_move():
    """Of the samples predicted to be of a class, at each position: a ratio all the same."""
    hit = rl.masked(accuracy, lambda o, t: o.argmax(1) == 1)
    model = linear()
    objective = Objective(model, (X, Y), metrics={"precision": hit})
    found = rl.profile(line(model), objective, points=3).curve("precision")
    for k, net in enumerate(states_of(model, line(model))):
        said = net(X).argmax(1) == 1
        assert found.mean[k] == pytest.approx(float((Y[said] == 1).double().mean()))


def test_masks_and_weights_of_another_form_are_refused():
    for mask, said in (
        (lambda o, t: t.float(), "gives booleans.*float32"),
        (lambda o, t: (t == 1)[:3], r"of samples, shape \(N,\)"),
    ):
        with pytest.raises(UsageError, match=said):
            Objective(linear(), (X, Y), metrics={"m": rl.masked(error, mask)})
    for weights in (torch.full((40,), -1.0), torch.full((40,), float("nan")), torch.ones(3)):
        own = lambda o, t, w=weights: (o.square().mean(1), w[: len(t)])  # noqa: E731
        with pytest.raises(UsageError, match=r"numbers of at least 0.*for the loss"):
            Objective(linear(), (X, Y), loss=own)
    with pytest.raises(WrongKind, match="mask of type list"):
        rl.masked(error, [True])


def test_one_number_per_sample_has_no_mean_over_tokens():
    with pytest.raises(UsageError, match=r"how many of a sample count.*\(values, counts\)"):
        Objective(linear(), (X, Y), loss=lambda o, t: o.square().mean(1), weights="tokens")
    counted = lambda o, t: (o.square().mean(1), torch.full((len(t),), 4.0))  # noqa: E731
    assert len(Objective(linear(), (X, Y), loss=counted, weights="tokens")) == 40
    with pytest.raises(UsageError, match="weights is 'samples' or 'tokens'"):
        Objective(linear(), (X, Y), weights="words")


# --- conventions that metrics take over ----------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(ignore_index=0),
        partial(cross_entropy, ignore_index=0),
        partial(F.cross_entropy, ignore_index=0),
        rl.masked(nn.CrossEntropyLoss(ignore_index=0), lambda o, t: t >= 0),
    ],
)
def test_the_ignored_label_reaches_metrics_by_name_and_by_function(loss):
    model = linear()
    metrics = {
        "error": error,
        "named": "error",
        "right": accuracy,
        "two": top_k(2),
        "nats": cross_entropy,
        "own": partial(error, ignore_index=-100),
        "up": rl.lower(error),
    }
    found = Objective(model, (X, Y), loss=loss, metrics=metrics)(model.state_dict())
    with torch.no_grad():
        outputs, live = model(X), Y != 0
    wrong = (outputs.argmax(1) != Y).float()
    two = ~(outputs.topk(2).indices == Y[:, None]).any(1)
    for name in ("error", "named", "up"):
        assert torch.equal(found[name], wrong[live])
    assert torch.equal(found["right"], 1 - wrong[live])
    assert torch.equal(found["two"], two[live].float())
    torch.testing.assert_close(found["nats"], found["loss"])
    assert torch.equal(found["own"], wrong)  # its own convention stands


def test_integers_of_every_type_are_labels():
    model = linear()
    want = Objective(model, (X, Y))(model.state_dict())
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32):
        for loss in ("cross_entropy", nn.CrossEntropyLoss()):
            found = Objective(model, (X, Y.to(dtype)), loss=loss)(model.state_dict())
            torch.testing.assert_close(found, want)
    yes = Objective(linear(2), (X, Y > 1))(linear(2).state_dict())
    torch.testing.assert_close(
        yes, Objective(linear(2), (X, (Y > 1).long()))(linear(2).state_dict())
    )


def test_an_ignored_label_reaches_torchs_kernel_where_classes_are_many():
    """Beyond the classes and not -100: torch refuses such a label that it is not told of."""
    logits = torch.randn(6, 100, generator=rng)
    labels = torch.tensor([3, 255, 99, 0, 255, 7])
    found = cross_entropy(logits, labels, ignore_index=255)
    want = -logits.log_softmax(1)[torch.arange(6), labels % 100]
    live = labels != 255
    torch.testing.assert_close(found[live], want[live])
    assert found[~live].isnan().all()


# --- direction -----------------------------------------------------------------------------------


def right(outputs, targets):
    return (outputs.argmax(1) == targets).float()


def test_a_metric_that_says_so_is_better_higher():
    held = rl.higher(right)
    assert direction(held) is True and direction(rl.lower(right)) is False
    assert not hasattr(right, "higher_is_better")
    objective = Objective(linear(), (X, Y), metrics={"accuracy": held, "fall": rl.lower(right)})
    assert objective.higher_is_better == {"loss": False, "accuracy": True, "fall": False}
    profile = rl.profile(line(linear()), objective, points=5)
    up, down = profile.curve("accuracy"), profile.curve("fall")
    np.testing.assert_array_equal(up.cost, -down.cost)
    assert direction(partial(accuracy, ignore_index=0)) is True
    assert direction(rl.masked(accuracy, lambda o, t: t == 0)) is True
    with pytest.raises(WrongKind, match="metric = 'accuracy'"):
        rl.higher("accuracy")


@pytest.mark.parametrize(
    "name", ["accuracy", "val_acc", "mIoU", "F1", "r2", "AUC", "dice", "mAP50"]
)
def test_a_name_that_is_plainly_of_more_needs_a_direction(name):
    own = lambda o, t: (o.argmax(1) == t).float()  # noqa: E731
    with pytest.raises(UsageError, match=rf"'{name}'.*whose name says.*rl\.higher\(f\).*rl\.lower"):
        Objective(linear(), (X, Y), metrics={name: own})
    Objective(linear(), (X, Y), metrics={name: rl.higher(own)})
    own.higher_is_better = False
    Objective(linear(), (X, Y), metrics={name: own})


def test_the_name_of_the_function_itself_counts():
    def accuracy_of(outputs, targets):
        return (outputs.argmax(1) == targets).float()

    with pytest.raises(UsageError, match=r"'m' \(accuracy_of\), whose name"):
        Objective(linear(), (X, Y), metrics={"m": accuracy_of})


def test_names_that_say_nothing_are_left_alone():
    for name in ("error", "dice_loss", "accuracy gap", "size", "map_norm", "hits", "exact", "top2"):
        assert not sounds_higher(name), name
    for name in ("acc@1", "top1_acc", "Top1Accuracy", "balanced accuracy", "bleu4", "r_squared"):
        assert sounds_higher(name), name


# --- forms ---------------------------------------------------------------------------------------


def test_shapes_are_never_broadcast_by_our_own_losses():
    model, y = linear(1), torch.randn(40, generator=rng)
    for loss in (squared_error, rl.binary_cross_entropy):
        one = Objective(model, (X, y.sigmoid()), loss=loss, rows=40)(model.state_dict())
        many = Objective(model, (X, y.sigmoid()), loss=loss, rows=3)(model.state_dict())
        torch.testing.assert_close(one, many)
        with pytest.raises(UsageError, match="every sample with every other"):
            Objective(linear(4), (X, y.sigmoid()), loss=loss)


def test_one_output_is_no_classification():
    with pytest.raises((UsageError, DataError)):
        Objective(linear(1), (X, (Y > 1).long()), loss="squared_error", metrics={"e": error})


class OwnLoss(nn.Linear):
    def forward(self, x):
        return super().forward(x).square().mean()


@pytest.mark.parametrize(
    ("model", "targets", "said"),
    [
        (linear(), Y[:, None], r"targets\.squeeze\(-1\)"),
        (linear(), F.one_hot(Y, 4), r"\.argmax\(1\)"),
        (linear(), Y.float(), "no class indices"),
        (linear(1), (Y > 1).long(), "BCEWithLogitsLoss"),
        (linear(), {"label": Y, "group": Y}, "targets that are a dict"),
        (OwnLoss(5, 4), Y, r"shape \(\) for 32 samples.*computes its own loss.*forward="),
    ],
)
@pytest.mark.parametrize("loss", ["cross_entropy", nn.CrossEntropyLoss()])
def test_what_is_no_classification_is_refused_with_what_to_do(model, targets, said, loss):
    with pytest.raises(UsageError, match=said):
        Objective(model, [(X, targets)], loss=loss)


def test_a_mean_over_positions_is_not_taken_in_half_precision():
    """Outputs of autocast: 4096 tokens of 0.1 add up to 256 and no further in bfloat16."""
    model, x = linear(2), torch.randn(2, 4096, 5, generator=rng)
    y = torch.randint(0, 2, (2, 4096), generator=rng)
    found = Objective(model, (x, y), autocast=torch.bfloat16)(model.state_dict())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        outputs = model(x).double()
    want = F.cross_entropy(outputs.flatten(0, 1), y.flatten(), reduction="none").view(2, -1).mean(1)
    torch.testing.assert_close(found["loss"].double(), want, rtol=1e-5, atol=0)
    wrong = (outputs.argmax(-1) != y).double().mean(1)
    torch.testing.assert_close(found["error"].double(), wrong, rtol=1e-6, atol=0)


def test_more_classes_than_there_are_have_no_top():
    with pytest.raises(UsageError, match="k = 5 and 4 classes, for the metric 'top5_error'"):
        Objective(linear(), (X, Y), metrics=["top5_error"])


def test_criteria_are_pickled_with_their_objective():
    metrics = {"up": rl.higher(right), "ce": nn.CrossEntropyLoss(ignore_index=1), "two": top_k(2)}
    objective = Objective(linear(), (X, Y), metrics=metrics)
    again = pickle.loads(pickle.dumps(objective))
    state = linear().state_dict()
    for name, values in objective(state).items():
        assert torch.equal(values, again(state)[name])


def test_the_callers_loss_is_left_alone():
    loss = nn.CrossEntropyLoss(weight=torch.ones(4), reduction="mean")
    before = {k: x for k, x in vars(loss).items() if not k.startswith("_")}
    objective = Objective(linear(), (X, Y), loss=loss, dtype=torch.float64)
    objective(linear().state_dict())
    assert {k: x for k, x in vars(loss).items() if not k.startswith("_")} == before
    assert loss.weight.dtype == torch.float32


def test_a_loss_that_raises_keeps_its_own_error():
    with pytest.raises(ForwardFailed, match="KeyError"):
        Objective(linear(), (X, Y), loss=lambda o, t: {}["zz"])


@pytest.mark.parametrize(
    ("data", "more"),
    [
        ((X, Y), {}),
        ((X, torch.where(Y == 1, -100, Y)), {}),
        ((X, Y), {"loss": partial(cross_entropy, label_smoothing=0.1)}),
        ((X, Y), {"loss": nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0, 4.0]))}),
        ((WORDS, PADDED), {}),
        ((WORDS, PADDED), {"weights": "tokens"}),
    ],
    ids=["plain", "ignored", "smoothed", "class weights", "padded", "tokens"],
)
def test_the_mean_of_a_batch_and_its_slope_are_those_of_its_samples(data, more):
    model = linear()
    objective = Objective(model, data, dtype=torch.float64, **more)
    criterion = objective.metrics["loss"]
    outputs = model.double()(objective.samples.inputs)
    found = criterion.mean(outputs, objective.samples.targets)
    values, weights = criterion.scores(outputs, objective.samples.targets)
    weights = torch.ones_like(values) if weights is None else weights
    wanted = (values.masked_fill(weights == 0, 0) * weights).sum() / weights.sum()
    torch.testing.assert_close(found, wanted)
    slopes = [torch.autograd.grad(x, model.weight, retain_graph=True)[0] for x in (found, wanted)]
    torch.testing.assert_close(*slopes)
