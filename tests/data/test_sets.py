import pytest
import torch

from ridgeline.data import DataSet, Split
from ridgeline.errors import DataError, UnknownName


def split(counts, seed=0):
    labels = torch.cat([torch.full((n,), c) for c, n in enumerate(counts)])
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    return Split(torch.arange(len(labels)).float()[:, None], labels)


@pytest.mark.parametrize("n", [1, 9, 10, 25, 30])
def test_a_subset_is_balanced(n):
    chosen = split([50, 30, 10]).subset(n, seed=3)
    counts = chosen.targets.bincount(minlength=3)
    assert len(chosen) == n
    assert counts.max() - counts.min() <= 1
    assert len(chosen.inputs.unique()) == n


def test_a_class_that_runs_out_leaves_its_place_to_the_others():
    assert split([50, 30, 10]).subset(70).targets.bincount().tolist() == [30, 30, 10]


def test_subsets_are_nested_repeatable_and_differ_by_seed():
    whole = split([20, 20])
    state = torch.get_rng_state()
    large, small, other = whole.subset(20, 1), whole.subset(7, 1), whole.subset(7, 2)
    assert torch.equal(large.inputs[:7], small.inputs)
    assert torch.equal(large.targets[:7], small.targets)
    assert not torch.equal(small.inputs, other.inputs)
    assert torch.equal(state, torch.get_rng_state())


def test_inputs_stay_with_their_targets():
    whole = split([20, 20])
    chosen = whole.subset(15)
    assert torch.equal(whole.targets[chosen.inputs[:, 0].long()], chosen.targets)


def test_a_subset_of_real_valued_targets_is_uniform():
    whole = Split(torch.arange(30.0), torch.randn(30, 2))
    assert len(whole.subset(30).inputs.unique()) == 30


@pytest.mark.parametrize("n", [0, -1, 41])
def test_a_subset_of_an_impossible_size_is_refused(n):
    with pytest.raises(DataError, match=rf"subset of 40 samples has from 1 to 40\. Got {n}\."):
        split([20, 20]).subset(n)


def test_a_subset_owns_its_memory():
    whole = split([5, 5])
    whole.subset(10).inputs.zero_()
    assert whole.inputs.sum() > 0


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (torch.ones(3, 2), torch.ones(2), "must be as many. Got 3 inputs and 2 targets"),
        (torch.ones(0, 2), torch.ones(0), "must hold a sample. Got none"),
        ((torch.ones(3), torch.ones(2)), torch.ones(3), "Got 3 and 2 inputs and 3 targets"),
        ((), torch.ones(3), "along their first axis"),
        (torch.tensor(1.0), torch.ones(1), r"along their first axis.*\(\) and \(1,\)"),
    ],
)
def test_malformed_splits_are_refused(inputs, targets, message):
    with pytest.raises(DataError, match=message):
        Split(inputs, targets)


def test_several_inputs_stay_together():
    x = torch.arange(6.0)
    data = Split({"x": x, "twice": 2 * x[:, None]}, torch.tensor([0, 1] * 3))
    some = data.subset(4)
    assert len(data) == 6 and len(some) == 4
    assert torch.equal(some.inputs["twice"][:, 0], 2 * some.inputs["x"])
    assert data.to("cpu").inputs.keys() == data.inputs.keys()
    other = Split({"x": x, "twice": 3 * x[:, None]}, data.targets)
    first, second = (DataSet("any", {"all": one}).fingerprint for one in (data, other))
    assert first != second
    with pytest.raises(DataError, match=r"one tensor of inputs and of targets\. Got 2 inputs\."):
        data.of_one_input()
    with pytest.raises(DataError, match=r"in a tuple or a dict\. Got list"):
        Split([x, x], data.targets)


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_out_of_range_are_refused(label):
    data = Split(torch.ones(2, 1), torch.tensor([0, label]))
    with pytest.raises(
        DataError, match=r"of 3 classes are from 0 to 2.*labels from .* in mine, split train"
    ):
        DataSet("mine", {"train": data}, classes=3)


def test_an_empty_data_set_and_an_unknown_split():
    with pytest.raises(DataError, match="must have a split"):
        DataSet("mine", {})
    data = DataSet("mine", {"train": split([1, 1]), "test": split([1, 1])})
    assert len(data["test"]) == 2
    with pytest.raises(UnknownName, match=r"split of mine.*'tets'.*Did you mean 'test'\?"):
        data["tets"]


def test_the_fingerprint_is_of_the_arrays():
    def make(x, y=(0, 1), name="train"):
        return DataSet("any", {name: Split(x, torch.tensor(y))}).fingerprint

    x = torch.arange(4.0).reshape(2, 2)
    first = make(x)
    assert first == make(x.clone()) == make(x.T.contiguous().T)
    assert len({first, make(x + 1), make(x.T), make(x.double()), make(x, (1, 0)),
                make(x, name="test"), make(x[:, :, None])}) == 7  # fmt: skip
    assert make(x.bfloat16())


def test_a_data_set_moves_as_a_whole():
    data = DataSet("mine", {"train": split([1, 1])}).to("meta")
    assert data["train"].inputs.is_meta
    assert data["train"].targets.is_meta


def test_it_prints_its_splits_and_no_arrays():
    made = DataSet("two", {"train": Split(torch.zeros(5, 3), torch.arange(5) % 2)}, classes=2)
    assert str(made) == "two, of 2 classes\n  train: 5 samples of shape (3,)"
