"""Modules, losses and forms of data drawn together, each against a plain loop of torch.

Each pair is a network, a loss and a way to hand over data, drawn by a fixed seed from lists in
which everything may meet everything. The number is that of a loop over single samples, in which
torch computes the loss of each; or the objective refuses, where torch itself would broadcast, or
has another loss than one of outputs and targets.
"""

import copy
import random
from collections import namedtuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import ridgeline as rl
from ridgeline.errors import RidgelineError

N, CLASSES = 22, 4
PAIRS = 64


class Sequence(nn.Module):
    """Tokens in, logits (N, T, C) out."""

    def __init__(self):
        super().__init__()
        self.embed, self.body = nn.Embedding(9, 6), nn.LSTM(6, 6, batch_first=True)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.head(self.body(self.embed(x))[0])


class Turned(Sequence):
    """The same with the classes at axis 1, as torch's losses have them: (N, C, T)."""

    def forward(self, x):
        return super().forward(x).mT


class Pair(nn.Module):
    """Two inputs by position."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 5), nn.Linear(2, CLASSES)

    def forward(self, x, y):
        return self.b(self.a(x)[:, :2].tanh() + y)


Kind = namedtuple("Kind", "make inputs positions")
"""A network, its inputs, and the shape of its labels beyond N."""


def normed():
    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, CLASSES))


def pixels():
    return nn.Sequential(nn.Conv2d(2, 5, 3, padding=1), nn.GELU(), nn.Conv2d(5, CLASSES, 1))


def line(out):
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, out))


def vector(of):
    return torch.randn(N, 5, generator=of)


def image(of):
    return torch.randn(N, 2, CLASSES, CLASSES, generator=of)


def tokens(of):
    return torch.randint(0, 9, (N, CLASSES), generator=of)


def couple(of):
    return torch.randn(N, 3, generator=of), torch.randn(N, 2, generator=of)


KINDS = {
    "mlp": Kind(lambda: line(CLASSES), vector, ()),
    "batch norm": Kind(normed, vector, ()),
    "two inputs": Kind(Pair, couple, ()),
    "one logit": Kind(lambda: line(1), vector, ()),
    "flat logit": Kind(lambda: nn.Sequential(line(1), nn.Flatten(0)), vector, ()),
    "segmentation": Kind(pixels, image, (CLASSES, CLASSES)),  # as many classes as pixels a side
    "tagging": Kind(Turned, tokens, (CLASSES,)),
    "language": Kind(Sequence, tokens, (CLASSES,)),
}


def labels(outputs, kind, of):
    return torch.randint(0, CLASSES, (N, *kind.positions), generator=of)


def padded(ignored):
    def make(outputs, kind, of):
        found = labels(outputs, kind, of)
        found[torch.rand(found.shape, generator=of) < 0.4] = ignored
        found[1] = ignored  # nothing of it counts
        found[0] = 2
        return found

    return make


def soft(outputs, kind, of):
    return torch.randn(outputs.shape, generator=of).softmax(1)


def numbers(outputs, kind, of):
    return torch.randn(outputs.shape, generator=of)


def flat(outputs, kind, of):
    """Without the axis of a single output, which torch would broadcast."""
    return torch.randn(N, generator=of)


def signs(outputs, kind, of):
    return torch.randint(0, 2, outputs.shape, generator=of).float()


LOSSES = {
    "cross entropy": (nn.CrossEntropyLoss, labels),
    "smoothed": (lambda: nn.CrossEntropyLoss(label_smoothing=0.1), labels),
    "padded": (nn.CrossEntropyLoss, padded(-100)),
    "padding 0": (lambda: nn.CrossEntropyLoss(ignore_index=0), padded(0)),
    "padding 255, smoothed": (
        lambda: nn.CrossEntropyLoss(ignore_index=255, label_smoothing=0.2),
        padded(255),
    ),
    "summed": (lambda: nn.CrossEntropyLoss(reduction="sum"), padded(-100)),
    "soft": (nn.CrossEntropyLoss, soft),
    "negative likelihood": (lambda: nn.NLLLoss(ignore_index=1), padded(1)),
    "function": (lambda: F.cross_entropy, padded(-100)),
    "divergence": (lambda: nn.KLDivLoss(reduction="batchmean"), soft),
    "square": (nn.MSELoss, numbers),
    "square, flat": (nn.MSELoss, flat),
    "absolute": (nn.L1Loss, numbers),
    "absolute, flat": (nn.SmoothL1Loss, flat),
    "Huber, summed": (lambda: nn.HuberLoss(reduction="sum"), numbers),
    "binary": (nn.BCEWithLogitsLoss, signs),
    "binary, weighed": (lambda: nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.5)), signs),
    "margin": (nn.MultiMarginLoss, labels),
    "Poisson": (nn.PoissonNLLLoss, signs),
    "our own, classes last": (lambda: rl.cross_entropy, padded(-100)),
    "likelihood of a normal": (nn.GaussianNLLLoss, numbers),
    "triplets": (nn.TripletMarginLoss, numbers),
}


class Items(Dataset):
    def __init__(self, inputs, targets):
        self.inputs, self.targets = inputs, targets

    def __len__(self):
        return N

    def __getitem__(self, i):
        inputs = self.inputs
        one = tuple(x[i] for x in inputs) if isinstance(inputs, tuple) else inputs[i]
        return (*one, self.targets[i]) if isinstance(one, tuple) else (one, self.targets[i])


def batches(x, y):
    cut = lambda a, s: tuple(v[s] for v in a) if isinstance(a, tuple) else a[s]  # noqa: E731
    return [(cut(x, s), y[s]) for s in (slice(0, 9), slice(9, 20), slice(20, N))]


FORMS = {
    "arrays": lambda x, y: (x, y),
    "numpy": lambda x, y: (
        tuple(v.numpy() for v in x) if isinstance(x, tuple) else x.numpy(),
        y.numpy(),
    ),
    "tensor data set": lambda x, y: TensorDataset(*(x if isinstance(x, tuple) else (x,)), y),
    "data set": Items,
    "loader": lambda x, y: DataLoader(Items(x, y), batch_size=5),
    "shuffled loader": lambda x, y: DataLoader(Items(x, y), batch_size=7, shuffle=True),
    "list of batches": batches,
}


def drawn():
    """Every loss at least twice and every kind and form many times, by a fixed seed."""
    chance = random.Random(12)
    wanted = [name for name in LOSSES for _ in range(3)][:PAIRS]
    for i, loss in enumerate(wanted):
        yield i, chance.choice(list(KINDS)), loss, chance.choice(list(FORMS))


def plain(net, inputs, targets, loss):
    """The loss of each sample alone, as torch gives it, of those in which something counts."""
    found = []
    for i in range(N):
        one = inputs if isinstance(inputs, tuple) else (inputs,)
        outputs, y = net(*(v[i : i + 1] for v in one)), targets[i : i + 1]
        if loss is rl.cross_entropy:
            value = F.cross_entropy(outputs.flatten(0, -2), y.flatten())
        else:
            if getattr(loss, "reduction", "mean") == "sum":
                raise ValueError("a sum over the data is no mean of samples")
            if y.is_floating_point() and outputs.shape == (1, 1):
                outputs = outputs.reshape(y.shape)
            if y.is_floating_point() and outputs.numel() != y.numel():
                raise ValueError("torch would broadcast one against the other")
            value = loss(outputs, y)
        ignored = getattr(loss, "ignore_index", -100)
        if y.is_floating_point() or bool((y != ignored).any()):
            found.append(value.double().reshape(()))
    return torch.stack(found)


@pytest.mark.parametrize(("at", "kind", "loss", "form"), list(drawn()))
@pytest.mark.filterwarnings("ignore")
def test_the_number_is_that_of_a_plain_loop_or_there_is_none(at, kind, loss, form):
    of = torch.Generator().manual_seed(at)
    with torch.random.fork_rng():
        torch.manual_seed(at)
        make = KINDS[kind]
        net = make.make()
        other = copy.deepcopy(net)
        for p in other.parameters():
            p.data += 0.3 * torch.randn_like(p)
    inputs = make.inputs(of)
    with torch.no_grad():
        outputs = net.eval()(*inputs) if isinstance(inputs, tuple) else net.eval()(inputs)
    build, targets_of = LOSSES[loss]
    targets, criterion = targets_of(outputs, make, of), build()
    a, b = net.state_dict(), other.state_dict()
    try:
        want = []
        for t in (0.0, 0.4, 1.0):
            between = copy.deepcopy(net).eval()
            mixed = {
                n: torch.lerp(x, b[n], t) if x.is_floating_point() else x for n, x in a.items()
            }
            between.load_state_dict(mixed)
            with torch.no_grad():
                want.append(plain(between, inputs, targets, criterion))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        want = error  # torch itself has no such loss of these
    path, refusal, curve = rl.Line(a, b), None, None
    try:
        data = FORMS[form](inputs, targets)
        objective = rl.Objective(net, data, loss=criterion, statistics="keep", rows=6)
        curve = rl.profile(path, objective, points=[0.0, 0.4, 1.0]).curve()
    except RidgelineError as error:
        refusal = error
    if refusal is not None:
        assert isinstance(want, Exception), f"refused what torch computes: {refusal}"
        assert refusal.rule and (refusal.got or refusal.remedy)
        return
    assert not isinstance(want, Exception), f"a number, where torch says {want}"
    assert curve.n == len(want[0]) and curve.n + curve.left_out == N
    for k, values in enumerate(want):
        mean, spread = float(values.mean()), float(values.std())
        assert abs(curve.mean[k] - mean) < 1e-6 * max(1.0, abs(mean))
        assert abs(curve.stderr[k] - spread / np.sqrt(curve.n)) < 1e-6 * max(1.0, spread)


def test_both_outcomes_are_among_the_pairs():
    """The lists meet in ways that are computed and in ways that are refused."""
    kinds, losses, forms = (set(column) for column in list(zip(*drawn(), strict=True))[1:])
    assert len(list(drawn())) >= 40
    assert kinds == set(KINDS) and losses == set(LOSSES) and forms == set(FORMS)
