"""Reading data again: what must be the same, and what is refused."""

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
    TensorDataset,
)

from ridgeline.errors import DataError, NotDeterministic
from ridgeline.objective.repeats import batches_of, from_loader, read_twice

X, Y = torch.arange(20.0)[:, None], torch.arange(20) % 3


class Drawn(Dataset):
    """Items of which some are another each time."""

    transform = "RandomFlip()"

    def __init__(self, at=range(20), kind=torch.rand):
        self.at, self.kind = at, kind

    def __len__(self):
        return 20

    def __getitem__(self, i):
        return X[i] + (self.kind(1) if i in self.at else 0), Y[i]


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(x, y) for x, y in zip(X, Y, strict=True)])


def test_all_batches_of_one_reading():
    found = batches_of([(X[:3], Y[:3]), (X[3:], Y[3:])], True, "a list")
    assert [len(part) for part in found] == [3, 17]
    with pytest.raises(DataError, match=r"at least one sample.* an iterable without batches"):
        batches_of([], True, "a list")


def test_what_raises_on_the_way_is_said_in_one_sentence():
    def raising():
        yield X, Y
        raise ValueError("no file\nsecond line")

    with pytest.raises(DataError, match="read without raising") as caught:
        batches_of(raising(), True, "Mine")
    assert caught.value.got == "ValueError from Mine: no file"
    assert "collate_fn" in caught.value.remedy and isinstance(caught.value.__cause__, ValueError)


def test_an_error_without_words_and_one_of_ours():
    def raising(error):
        raise error
        yield

    with pytest.raises(DataError, match="KeyError from Mine: no message"):
        batches_of(raising(KeyError()), True, "Mine")
    with pytest.raises(NotDeterministic, match="the dice"):
        batches_of(raising(NotDeterministic("the dice", "x")), True, "Mine")


class Turns:
    """Readings one after another."""

    def __init__(self, *readings):
        self.readings, self.at = readings, 0

    def __iter__(self):
        self.at += 1
        return iter(self.readings[self.at - 1])


def test_the_first_reading_counts_and_the_second_may_have_another_order():
    back = torch.arange(19, -1, -1)
    found = read_twice(Turns([(X, Y)], [(X[back], Y[back])]), True, "mine")
    assert torch.equal(found.inputs, X)


@pytest.mark.parametrize(
    "second", [[(X + 1, Y)], [(X, Y.flip(0))], [(X[:19], Y[:19])], [], [(X, Y), (X[:1], Y[:1])]]
)
def test_a_second_reading_of_other_samples_is_refused(second):
    with pytest.raises(NotDeterministic, match="mine, whose second reading gave other samples"):
        read_twice(Turns([(X, Y)], second), True, "mine")


def loader(data=None, **options):
    return DataLoader(TensorDataset(X, Y) if data is None else data, **options)


def test_order_is_the_loaders_and_a_shuffled_one_is_the_same_each_time():
    assert torch.equal(from_loader(loader(batch_size=7), True).inputs, X)
    first, again = (from_loader(loader(batch_size=7, shuffle=True), True) for _ in range(2))
    assert torch.equal(first.inputs, again.inputs) and not torch.equal(first.inputs, X)


def test_reading_moves_no_generator():
    before = torch.get_rng_state()
    from_loader(loader(batch_size=7, shuffle=True), True)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "options", [{"replacement": True}, {"num_samples": 5}, {"replacement": True, "num_samples": 40}]
)
def test_samplers_that_draw_other_samples_are_refused(options):
    data = TensorDataset(X, Y)
    with pytest.raises(NotDeterministic, match="a sampler that draws other samples each time"):
        from_loader(loader(data, sampler=RandomSampler(data, **options)), True)


def test_dropping_a_shuffled_rest_is_refused_unless_nothing_is_dropped():
    with pytest.raises(NotDeterministic, match="drops other samples each time") as caught:
        from_loader(loader(batch_size=7, shuffle=True, drop_last=True), True)
    assert "drop_last=False" in str(caught.value) and "list(loader)" in str(caught.value)
    assert len(from_loader(loader(batch_size=5, shuffle=True, drop_last=True), True)) == 20
    assert len(from_loader(loader(batch_size=7, drop_last=True), True)) == 14


def test_a_sampler_of_batches_of_ones_own_is_read_twice():
    class Own(BatchSampler):
        pass

    same = Own(SequentialSampler(X), 5, False)
    assert len(from_loader(loader(batch_sampler=same), True)) == 20
    drawn = Own(RandomSampler(X, num_samples=5), 5, False)
    with pytest.raises(NotDeterministic, match="whose second reading gave other samples"):
        from_loader(loader(batch_sampler=drawn), True)


@pytest.mark.parametrize("at", [[0], [19], range(20)])
def test_augmentation_is_seen_at_either_end_and_its_transform_is_named(at):
    with pytest.raises(NotDeterministic, match=r"sample \d+ of Drawn, which is another") as caught:
        from_loader(loader(Drawn(at)), True)
    assert f"sample {min(at)} of Drawn" in str(caught.value)
    assert "augmentation (its transform: 'RandomFlip()')" in str(caught.value)


def test_missing_values_are_the_same_at_each_reading():
    data = Drawn(range(20), lambda n: torch.full((n,), torch.nan))
    assert from_loader(loader(data, batch_size=20), True).inputs.isnan().all()


def test_an_empty_loader_has_no_samples():
    with pytest.raises(DataError, match="at least one sample"):
        from_loader(loader(Subset(TensorDataset(X, Y), [])), True)


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_function_that_collates_may_not_draw(noise):
    def collate(items):
        x = torch.stack([x for x, _ in items])
        return x + noise * torch.rand_like(x), torch.stack([y for _, y in items])

    made = loader(batch_size=4, collate_fn=collate)
    if not noise:
        assert torch.equal(from_loader(made, True).inputs, X)
        return
    with pytest.raises(NotDeterministic, match="another batch of the same samples each time"):
        from_loader(made, True)


def test_a_stream_is_read_twice():
    assert torch.equal(from_loader(loader(Stream(), batch_size=6), True).inputs, X)
