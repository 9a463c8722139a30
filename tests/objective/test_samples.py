"""Reading data once: what is accepted, in which shape, and what would change is refused."""

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from ridgeline.data import load
from ridgeline.errors import DataError, NotDeterministic, UsageError
from ridgeline.objective import Samples, collect

N = 23
X = torch.randn(N, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(N) % 4


class Items(Dataset):
    """A map-style data set; `change` is applied at each reading."""

    def __init__(self, change=None, transform=None):
        self.change, self.transform = change, transform

    def __len__(self):
        return N

    def __getitem__(self, i):
        x = self.transform(X[i]) if self.transform else X[i]
        return (self.change(x) if self.change else x), int(Y[i])


class Stream(IterableDataset):
    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return iter(self.items())


class Batches:
    """Anything that can be iterated over again."""

    def __init__(self, make):
        self.make = make

    def __iter__(self):
        return iter(self.make())


def batches(size=5):
    return [(X[i : i + size], Y[i : i + size]) for i in range(0, N, size)]


def same(samples):
    return torch.equal(samples.inputs, X) and torch.equal(samples.targets, Y)


@pytest.mark.parametrize(
    "data",
    [
        (X, Y),
        [X, Y],
        (X.numpy(), Y.numpy()),
        (X, Y.numpy()),
        (X.numpy()[::-1][::-1], Y),
        TensorDataset(X, Y),
        Items(),
        Subset(Items(), range(N)),
        DataLoader(Items(), batch_size=5),
        DataLoader(TensorDataset(X, Y), batch_size=7),
        DataLoader(Items(), batch_sampler=BatchSampler(SequentialSampler(Items()), 4, False)),
        batches(),
        tuple(batches()),
        [list(b) for b in batches(1)],
        Batches(batches),
        Stream(lambda: list(zip(X, Y, strict=True))),
        DataLoader(Stream(lambda: list(zip(X, Y, strict=True))), batch_size=4),
        DataLoader(Stream(batches), batch_size=None),
        Samples(X, Y),
        type("Split", (), {"inputs": X.numpy(), "targets": Y.numpy()})(),
    ],
)
def test_every_kind_of_data_is_read_to_the_same_arrays(data):
    found = collect(data)
    assert same(found) and len(found) == N
    assert found.nbytes == X.nbytes + Y.nbytes


def test_a_generator_is_read_once():
    assert same(collect(b for b in batches()))


def test_order_is_kept_by_a_loader_and_the_set_by_a_shuffling_one():
    found = collect(DataLoader(TensorDataset(X, Y), batch_size=6, shuffle=True))
    order = found.inputs[:, 0].argsort()
    assert torch.equal(found.inputs[order], X[X[:, 0].argsort()])
    assert torch.equal(found.targets[order], Y[X[:, 0].argsort()])


def test_dict_batches_and_their_targets():
    for key in ("labels", "label", "targets", "target", "y"):
        made = [{"ids": x, "mask": x > 0, key: y} for x, y in batches()]
        found = collect(made)
        assert set(found.inputs) == {"ids", "mask"}
        assert torch.equal(found.inputs["ids"], X) and torch.equal(found.targets, Y)
    items = [{"ids": X[i], "labels": Y[i]} for i in range(N)]
    assert torch.equal(collect(DataLoader(items, batch_size=4)).inputs["ids"], X)
    with pytest.raises(DataError, match=r"one of labels, label.*Got keys ids, wanted"):
        collect([{"ids": X, "wanted": Y}])


def test_dict_inputs_beside_targets():
    found = collect(({"x": X, "m": X.numpy()}, Y))
    assert torch.equal(found.inputs["m"], X) and torch.equal(found.targets, Y)
    assert torch.equal(collect([({"x": x}, y) for x, y in batches()]).inputs["x"], X)


def test_tuples_longer_than_two_end_in_targets():
    found = collect([(x, 2 * x, y) for x, y in batches()])
    assert torch.equal(found.inputs[0], X) and torch.equal(found.inputs[1], 2 * X)
    assert torch.equal(found.targets, Y)
    assert torch.equal(collect(TensorDataset(X, X + 1, Y)).inputs[1], X + 1)
    assert torch.equal(collect(((X, X + 1), Y)).inputs[1], X + 1)


@pytest.mark.parametrize(
    "data",
    [
        X,
        X.numpy(),
        TensorDataset(X),
        DataLoader(TensorDataset(X), batch_size=4),
        (x for x, _ in batches()),
        [(x,) for x, _ in batches()],
        Batches(lambda: [x for x, _ in batches()]),
        Stream(lambda: list(X)),
        (X, Y),
        DataLoader(Items(), batch_size=4),
    ],
)
def test_calibration_data_need_no_targets(data):
    assert torch.equal(collect(data, labelled=False).inputs, X)


def test_pieces():
    found = collect((X, Y))
    sizes = [len(c) for c in found.chunks(10)]
    assert sizes == [10, 10, 3]
    assert torch.equal(torch.cat([c.inputs for c in found.chunks(10)]), X)
    assert torch.equal(found[torch.tensor([3, 1])].targets, Y[[3, 1]])
    wide = found.to(torch.device("cpu"), torch.float64)
    assert wide.inputs.dtype == torch.float64 and wide.targets.dtype == torch.int64


def test_a_fingerprint_names_contents_order_shape_and_type():
    base = collect((X, Y)).fingerprint()
    assert base == collect(DataLoader(Items(), batch_size=3)).fingerprint()
    others = [(X.flip(0), Y), (X, Y.double()), (X.double(), Y), (X.T.reshape(N, 3), Y), (X, Y + 1)]
    assert base not in {collect(o).fingerprint() for o in others}
    assert len(collect((X.bfloat16(), Y > 1)).fingerprint()) == 16


def test_the_callers_tensors_are_neither_copied_nor_tied_to_a_graph():
    x = X.clone().requires_grad_()
    found = collect((x, Y))
    assert not found.inputs.requires_grad and x.requires_grad
    assert found.inputs.data_ptr() == x.data_ptr()


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        (X[:0], Y[:0]),
        TensorDataset(X[:0], Y[:0]),
        DataLoader(TensorDataset(X[:0], Y[:0])),
        [],
        iter(()),
        DataLoader([], batch_size=2),
        {},
    ],
)
def test_empty_data_are_refused(data):
    with pytest.raises(DataError, match="There must be at least one sample"):
        collect(data)


def test_lengths_must_agree():
    with pytest.raises(DataError, match=r"as their first axis\. Got 23 inputs and 20 targets"):
        collect((X, Y[:20]))


@pytest.mark.parametrize(
    "data",
    [
        [(X[:4], Y[:4]), (X[4:8, :2], Y[4:8])],
        [({"a": X[:4]}, Y[:4]), ({"a": X[:4], "b": X[:4]}, Y[:4])],
        [{"x": X[:4], "y": Y[:4]}, {"x": X[:4, :1], "y": Y[:4]}],
    ],
)
def test_batches_must_stack(data):
    with pytest.raises(DataError, match=r"must stack into one array.*Pad sequences"):
        collect(data)


@pytest.mark.parametrize("data", [5, "digits", b"x", None])
def test_what_is_no_data_is_named(data):
    with pytest.raises(UsageError, match=f"Got {type(data).__name__}"):
        collect(data)


@pytest.mark.parametrize("data", [TensorDataset(X), [X], [(X,)], [5]])
def test_targets_are_needed(data):
    with pytest.raises(DataError, match="A batch is"):
        collect(data)


WHOLE = TensorDataset(X, Y)


@pytest.mark.parametrize(
    ("loader", "why"),
    [
        (DataLoader(WHOLE, 5, shuffle=True, drop_last=True), "drop_last=True"),
        (DataLoader(WHOLE, 5, sampler=RandomSampler(WHOLE, replacement=True)), "other samples"),
        (DataLoader(WHOLE, 5, sampler=RandomSampler(WHOLE, num_samples=9)), "other samples"),
        (DataLoader(WHOLE, 5, sampler=RandomSampler(WHOLE, num_samples=30)), "other samples"),
        (DataLoader(WHOLE, 5, sampler=WeightedRandomSampler([1.0] * N, N)), "second reading"),
        (
            DataLoader(WHOLE, batch_sampler=BatchSampler(RandomSampler(WHOLE), 5, True)),
            "drop_last=True",
        ),
        (
            DataLoader(WHOLE, batch_sampler=BatchSampler(RandomSampler(WHOLE, True), 5, False)),
            "other samples",
        ),
        (
            DataLoader(WHOLE, 5, sampler=SubsetRandomSampler(range(N)), drop_last=True),
            "TensorDataset, whose second reading",
        ),
    ],
)
def test_loaders_that_draw_other_samples_each_time_are_refused(loader, why):
    with pytest.raises(NotDeterministic, match=why) as caught:
        collect(loader)
    assert "list(loader)" in str(caught.value)
    assert len(collect(list(loader))) > 0  # the remedy works


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(TensorDataset(X[:20], Y[:20]), 5, shuffle=True, drop_last=True),
        DataLoader(WHOLE, 5, drop_last=True),
        DataLoader(WHOLE, 5, sampler=SubsetRandomSampler(range(20))),
        DataLoader(WHOLE, 5, sampler=RandomSampler(WHOLE, num_samples=2 * N)),
    ],
)
def test_loaders_that_give_one_set_in_any_order_are_taken(loader):
    assert len(collect(loader)) in (20, 46)


def test_augmentation_is_refused_with_its_transform():
    class Jitter:
        def __call__(self, x):
            return x + torch.randn(3)

        def __repr__(self):
            return "Jitter()"

    with pytest.raises(NotDeterministic, match=r"sample 0 of Items.*\(its transform: Jitter\(\)\)"):
        collect(DataLoader(Items(transform=Jitter()), batch_size=4))
    with pytest.raises(NotDeterministic, match="augmentation"):
        collect(Items(transform=Jitter()))


def test_augmentation_that_is_rare_or_not_of_tensors_is_seen_too():
    flips = Items(lambda x: x.flip(0) if torch.rand(()) < 0.5 else x)
    with pytest.raises(NotDeterministic, match="augmentation"):
        collect(flips)
    numbers = Items(lambda x: float(torch.rand(())))
    with pytest.raises(NotDeterministic, match="augmentation"):
        collect(numbers)


def test_a_missing_value_is_no_augmentation():
    holes = Items(lambda x: x * float("nan"))
    assert torch.isnan(collect(holes).inputs).all()


def test_iterables_that_change_are_refused():
    noise = lambda: [(torch.randn(4, 3), Y[:4])]  # noqa: E731 (a name for a short function that is read in place)
    for data in (Batches(noise), Stream(noise), DataLoader(Stream(noise), batch_size=None)):
        with pytest.raises(NotDeterministic, match=r"(Batches|Stream), whose second reading"):
            collect(data)
    once = iter(batches())
    with pytest.raises(NotDeterministic, match="Stream, whose second reading"):
        collect(DataLoader(Stream(lambda: once), batch_size=None))


def test_an_iterable_in_half_precision_is_compared_too():
    data = Batches(lambda: [(x.bfloat16(), y) for x, y in batches()])
    assert collect(data).inputs.dtype == torch.bfloat16


@pytest.mark.parametrize(
    "data", [DataLoader(WHOLE, 5, shuffle=True), Items(lambda x: x + 0 * torch.rand(3))]
)
def test_reading_leaves_the_generators_alone(data):
    before = torch.random.get_rng_state(), str(np.random.get_state())  # noqa: NPY002 (the global generator itself is meant)
    collect(data)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1] == str(np.random.get_state())  # noqa: NPY002 (the global generator itself is meant)


def test_a_data_set_with_splits_says_to_take_one():
    with pytest.raises(UsageError, match=r"Got DataSet\. Take one of its splits: data\['train'\]"):
        collect(load("digits"))
