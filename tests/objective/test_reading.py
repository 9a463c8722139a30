"""Everyday data: nested batches, words beside tensors, splits, and workers that repeat samples."""

from collections import UserDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    get_worker_info,
)

import ridgeline as rl
from ridgeline.errors import DataError, NotDeterministic, UsageError
from ridgeline.objective import collect, splits_of

N = 23
X = torch.randn(N, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(N) % 4
TENSORS = TensorDataset(X, Y)
RAGGED = torch.nested.nested_tensor([X[0], X[1, :2]], layout=torch.jagged)
Named = namedtuple("Named", ["label", "image", "path"])
Pair = namedtuple("Pair", ["ids", "mask"])
Parts = namedtuple("Parts", ["train", "test"])


class Items(Dataset):
    """A map-style data set of whatever `item` makes of a number."""

    def __init__(self, item):
        self.item = item

    def __len__(self):
        return N

    def __getitem__(self, i):
        return self.item(i)


class Numbered:
    """The same without torch's base class."""

    def __len__(self):
        return N

    def __getitem__(self, i):
        if i >= N:
            raise IndexError(i)
        return X[i], int(Y[i])


class Shifted(TensorDataset):
    """Gives other samples than its tensors."""

    def __getitem__(self, i):
        x, y = super().__getitem__(i)
        return x + 1, y


@dataclass
class Halves:
    train: TensorDataset
    valid: TensorDataset


@dataclass
class Batch:
    x: torch.Tensor
    mask: np.ndarray
    y: torch.Tensor
    paths: list


def batches(size=5):
    return [(X[i : i + size], Y[i : i + size]) for i in range(0, N, size)]


def endless_again():
    yield from batches()


def one_by_one():
    yield from zip(X, Y, strict=True)


class Column:
    """A column of a table, as pandas has them."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)

    def __len__(self):
        return len(self.values)


@pytest.mark.parametrize(
    "data",
    [
        Numbered(),
        Subset(Numbered(), range(N)),
        ConcatDataset([TensorDataset(X[:9], Y[:9]), TensorDataset(X[9:], Y[9:])]),
        endless_again,
        [(X[i], int(Y[i])) for i in range(N)],
        [{"x": X[i], "label": Y[i]} for i in range(N)],
        {"x": X, "y": Y},
        UserDict({"x": X.numpy(), "labels": Y.tolist()}),
        (X.numpy().astype(">f4"), Y.numpy().astype(">i2")),
        (X.tolist(), Y.tolist()),
        (Column(X.numpy()), Column(Y.numpy())),
        (X, Y.to(torch.uint8)),
        DataLoader(TensorDataset(X, Y), 4, num_workers=1, persistent_workers=True),
    ],
    ids=lambda x: type(x).__name__,
)
def test_everyday_forms_are_read_to_the_same_arrays(data):
    found = collect(data)
    inputs = found.inputs["x"] if isinstance(found.inputs, dict) else found.inputs
    assert torch.equal(inputs, X)
    assert torch.equal(found.targets, Y) and found.targets.dtype == torch.int64


def test_a_read_only_array_is_copied_without_a_warning():
    frozen = X.numpy().copy()
    frozen.setflags(write=False)
    assert torch.equal(collect((frozen, Y)).inputs, X)


def test_a_tensor_data_set_with_items_of_its_own_is_read_by_items():
    assert torch.equal(collect(Shifted(X, Y)).inputs, X + 1)


@pytest.mark.parametrize(
    ("item", "left_out"),
    [
        (lambda i: {"image": X[i], "label": Y[i], "path": f"{i}.png"}, ("path",)),
        (lambda i: ({"image": X[i], "path": f"{i}.png"}, Y[i]), ("path",)),
        (lambda i: {"image": X[i], "label": Y[i], "meta": {"a": "x", "b": "y"}}, ("a", "b")),
    ],
)
def test_words_of_each_sample_are_left_out_and_named(item, left_out):
    found = collect(DataLoader(Items(item), batch_size=8))
    assert found.inputs.keys() == {"image"} and torch.equal(found.inputs["image"], X)
    assert torch.equal(found.targets, Y) and found.left_out == left_out


def test_words_at_the_end_of_a_batch_are_no_targets():
    found = collect(DataLoader(Items(lambda i: (X[i], Y[i], f"{i}.png")), batch_size=8))
    assert torch.equal(found.inputs, X) and torch.equal(found.targets, Y)
    assert found.left_out == ("element 3",)


def test_several_inputs_as_a_loader_collates_them_are_a_tuple():
    found = collect(DataLoader(Items(lambda i: ((X[i], 2 * X[i]), Y[i])), batch_size=8))
    assert type(found.inputs) is tuple and torch.equal(found.inputs[1], 2 * X)


def test_a_named_tuple_is_taken_apart_by_its_names():
    found = collect(DataLoader(Items(lambda i: Named(Y[i], X[i], "a.png")), batch_size=8))
    assert torch.equal(found.inputs, X) and torch.equal(found.targets, Y)
    assert found.left_out == ("path",)


def test_a_named_tuple_of_inputs_stays_one():
    found = collect([(Pair(x, x > 0), y) for x, y in batches()])
    assert isinstance(found.inputs, Pair) and torch.equal(found.inputs.mask, X > 0)
    assert isinstance(found[:3].inputs, Pair)


def test_a_dataclass_is_a_dict_of_its_fields():
    made = [Batch(x, (x > 0).numpy(), y, ["a"] * len(x)) for x, y in batches()]
    found = collect(made)
    assert found.inputs.keys() == {"x", "mask"} and torch.equal(found.inputs["mask"], X > 0)
    assert torch.equal(found.targets, Y) and found.left_out == ("paths",)


def test_lists_of_numbers_for_each_sample_are_arrays():
    made = [{"ids": x.tolist(), "labels": y.tolist()} for x, y in batches(3)]
    assert torch.equal(collect(made).inputs["ids"], X)


def test_constants_beside_tensors_stay_and_must_be_the_same_in_every_batch():
    made = [{"ids": x, "return_dict": True, "more": None, "y": y} for x, y in batches()]
    found = collect(made)
    assert found[4:6].inputs["return_dict"] is True and len(found) == N
    assert found.inputs["more"] is None
    made[1]["return_dict"] = False
    with pytest.raises(DataError, match=r"same in every batch\. Got True, False"):
        collect(made)


@pytest.mark.parametrize("key", ["x", "mask"])
def test_other_keys_in_another_batch_are_refused(key):
    with pytest.raises(DataError, match="the same keys"):
        collect([{"x": X, "y": Y}, {key: X, "z" if key == "x" else "mask2": X, "y": Y}])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ((X, ["cat"] * N), r"Targets are numbers\. Got words, as 'cat'"),
        ([{"x": X, "label": ["cat"] * N}], "Targets are numbers"),
        ([{"path": ["a"] * N, "label": Y}], "inputs of a batch are numbers"),
        ([{"x": [[1, 2], [3]], "y": Y[:2]}], r"of one shape.*Pad sequences"),
        ([{"x": [X[:2], X[:3]], "y": Y[:2]}], r"of one shape.*Pad sequences"),
        ([{"x": X, "more": object(), "y": Y}], "Got object in more"),
        ([{"x": X, "scale": torch.tensor(2.0), "y": Y}], "must stack"),
        ({"x": X, "scale": torch.tensor(2.0), "y": Y}, "a single number"),
        ((X, 3), "first axis|A batch is"),
        (Items(lambda i: (object(), 1)), r"without raising\. Got TypeError from Items"),
        (Items(lambda i: (X[i, : 1 + i % 2], 1)), r"without raising\. Got RuntimeError from Items"),
        (Items(lambda i: 1 // 0), r"Got ZeroDivisionError from Items"),
        (
            (torch.nested.nested_tensor([X[0], X[1, :2]], layout=torch.jagged), Y[:2]),
            "a nested tensor",
        ),
        ((np.array([object()]), Y[:1]), "Got object"),
        (one_by_one, r"samples along the first axis\. Got a target that is a single number"),
        ((X, X[:9], Y), r"first axis\. Got lengths \[9, 23\]"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(data, why):
    with pytest.raises(DataError, match=why):
        collect(data)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_tuple_of_several_inputs_and_targets_is_one_batch(labelled):
    ids, mask, words = torch.arange(24).reshape(3, 2, 4)
    found = collect((ids, mask, words), labelled=labelled)
    assert torch.equal(found.inputs[0], ids)
    assert torch.equal(found.inputs[1], mask)
    assert torch.equal(found.targets, words)


def test_a_shuffling_loader_is_read_in_one_order_and_draws_nothing_of_the_callers():
    before = torch.get_rng_state()
    loader = DataLoader(TENSORS, 4, shuffle=True)
    first = collect(loader)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert torch.equal(collect(loader).inputs, first.inputs)


# --- splits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"train": TENSORS, "test": DataLoader(TENSORS)}, ["train", "test"]),
        ({"mine": (X, Y), "other": (X, Y)}, ["mine", "other"]),
        ({"train": X, "validation": X}, ["train", "validation"]),
        ((TENSORS, TENSORS), ["train", "test"]),
        (((X, Y), (X, Y)), ["train", "test"]),
        ((TENSORS, TENSORS, Subset(TENSORS, [1])), ["train", "val", "test"]),
        (Parts((X, Y), (X, Y)), ["train", "test"]),
        (Parts(TENSORS, TENSORS), ["train", "test"]),
        (Halves(TENSORS, TENSORS), ["train", "valid"]),
    ],
)
def test_several_splits_are_no_data_and_their_names_are_said(data, names):
    assert list(splits_of(data)) == names
    with pytest.raises(UsageError, match=rf"of the splits {', '.join(names)}\. Take one"):
        collect(data)


@pytest.mark.parametrize("data", [(X, Y), TENSORS, {"x": X, "y": Y}, {"a": X, "b": X}, batches()])
def test_one_split_is_not_several(data):
    assert splits_of(data) is None


# --- what comes more than once, or another way each time ---------------------------------------


class Stream(IterableDataset):
    """Samples one after the other; `shared` gives each worker its own."""

    def __init__(self, shared=False):
        self.shared = shared

    def __iter__(self):
        worker = get_worker_info() if self.shared else None
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        return ((X[i], Y[i]) for i in range(first, N, step))


class Own(IterableDataset):
    """Is told its share by `worker_init_fn`."""

    first, step = 0, 1

    def __iter__(self):
        return ((X[i], Y[i]) for i in range(self.first, N, self.step))


def give_share(_):
    worker = get_worker_info()
    worker.dataset.first, worker.dataset.step = worker.id, worker.num_workers


class Needy(IterableDataset):
    """Cannot be read without workers."""

    def __iter__(self):
        return iter([(X[i], Y[i]) for i in range(get_worker_info().id, N, 2)])


def test_workers_that_all_give_everything_are_refused():
    with pytest.raises(NotDeterministic) as caught:
        rl.Objective(nn.Linear(3, 4), DataLoader(Stream(), 8, num_workers=2))
    said = str(caught.value)
    assert f"{2 * N} samples with num_workers=2 and {N} without, as each worker gives all" in said
    assert "Use num_workers=0, or let each worker give its own share" in said


@pytest.mark.parametrize(
    "loader",
    [
        lambda: DataLoader(Stream(), 8, num_workers=1),
        lambda: DataLoader(Stream(shared=True), 8, num_workers=2),
        lambda: DataLoader(Own(), 8, num_workers=2, worker_init_fn=give_share),
    ],
)
def test_workers_that_share_are_read_once(loader):
    assert len(collect(loader())) == N


def test_what_cannot_be_compared_without_workers_is_refused():
    with pytest.raises(NotDeterministic, match="cannot be read without workers"):
        collect(DataLoader(Needy(), 8, num_workers=2))


def test_a_collate_fn_that_draws_is_refused():
    def masked(items):
        x, y = (
            torch.stack([torch.as_tensor(p) for p in part]) for part in zip(*items, strict=True)
        )
        return x * (torch.rand(x.shape) > 0.5), y

    with pytest.raises(NotDeterministic, match="collate_fn of the loader of TensorDataset"):
        collect(DataLoader(TENSORS, 8, collate_fn=masked))


# --- inputs alone --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [X, X.numpy(), TensorDataset(X), DataLoader(TensorDataset(X), 5), [X[:9], X[9:15], X[15:]]],
)
def test_inputs_alone_are_their_own_targets(data):
    net = nn.Linear(3, 3)
    objective = rl.Objective(net, data, loss="squared_error")
    true = (net(X) - X).square().mean(1)
    assert torch.allclose(objective(net.state_dict())["loss"], true.detach(), atol=1e-6)
    assert objective.provenance()["targets"] == "the inputs"


def test_a_loss_of_classes_has_no_use_for_inputs_alone():
    with pytest.raises(DataError, match="A batch is"):
        rl.Objective(nn.Linear(3, 4), TensorDataset(X))


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_labels_of_any_whole_type_are_labels(kind):
    net = nn.Linear(3, 4)
    found = rl.Objective(net, (X, Y.to(kind)))(net.state_dict())
    true = nn.functional.cross_entropy(net(X), Y, reduction="none").detach()
    assert torch.allclose(found["loss"], true, atol=1e-6)


@pytest.mark.parametrize("loss", ["bce", nn.BCEWithLogitsLoss()])
def test_labels_of_one_logit_may_be_bool(loss):
    net = nn.Linear(3, 1)
    found = rl.Objective(net, (X, Y > 1), loss=loss)(net.state_dict())
    logits, labels = net(X)[:, 0].detach(), (Y > 1).float()
    true = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    assert torch.allclose(found["loss"], true, atol=1e-6)
    assert torch.equal(found["error"], ((logits > 0) != (Y > 1)).float())
