import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.data.corruption import noisy_labels, skewed
from ridgeline.errors import DataError, UsageError

LABELS = torch.arange(10_000) % 10
LAW = settings(deadline=None, max_examples=50, derandomize=True)


def test_without_noise_labels_stay_and_are_not_the_same_tensor():
    noisy = noisy_labels(LABELS, 0.0, 10, seed=1)
    assert torch.equal(noisy, LABELS) and noisy.data_ptr() != LABELS.data_ptr()


def test_about_the_stated_share_is_replaced_by_uniform_labels():
    noisy = noisy_labels(LABELS, 0.4, 10, seed=1)
    wrong = (noisy != LABELS).double().mean().item()
    assert wrong == pytest.approx(0.4 * 0.9, abs=4 * (0.36 * 0.64 / 10_000) ** 0.5)
    counts = noisy_labels(torch.zeros_like(LABELS), 1.0, 10, seed=1).bincount()
    assert ((counts - 1000).abs() < 150).all() and len(counts) == 10


@LAW
@given(a=st.floats(0, 1), b=st.floats(0, 1), seed=st.integers(0, 99))
def test_noise_is_nested_in_its_share(a, b, seed):
    less, more = (noisy_labels(LABELS[:200], share, 10, seed) for share in sorted((a, b)))
    moved = less != LABELS[:200]
    assert torch.equal(less[moved], more[moved])


def test_noise_repeats_by_seed_and_leaves_the_global_generator():
    state = torch.get_rng_state()
    first, again, other = (noisy_labels(LABELS, 0.5, 10, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_the_type_of_labels_is_kept():
    assert noisy_labels(LABELS.to(torch.int32), 0.5, 10, seed=0).dtype == torch.int32


@LAW
@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=7),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_skewed_parts_cover_the_data_without_overlap_with_exact_counts(counts, share, seed):
    labels = torch.cat([torch.full((n,), 2 * c) for c, n in enumerate(counts)])
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    try:
        a, b = skewed(labels, share, seed)
    except DataError:
        return
    assert torch.equal(torch.cat([a, b]).sort().values, torch.arange(len(labels)))
    for i, n in enumerate(counts):
        expected = share * n if i < len(counts) // 2 else (1 - share) * n
        assert abs(int((labels[a] == 2 * i).sum()) - expected) <= 0.5 + 1e-9


def test_ten_balanced_classes_at_eighty_per_cent():
    a, b = skewed(LABELS, 0.8, seed=0)
    assert LABELS[a].bincount().tolist() == [800] * 5 + [200] * 5
    assert LABELS[b].bincount().tolist() == [200] * 5 + [800] * 5


def test_a_larger_share_keeps_what_part_a_had_of_the_early_classes():
    (small, _), (large, _) = skewed(LABELS, 0.6, seed=3), skewed(LABELS, 0.8, seed=3)
    early = small[LABELS[small] < 5]
    assert set(early.tolist()) <= set(large.tolist())


def test_a_split_repeats_by_seed():
    assert torch.equal(skewed(LABELS, 0.8, 1)[0], skewed(LABELS, 0.8, 1)[0])
    assert not torch.equal(skewed(LABELS, 0.8, 1)[0], skewed(LABELS, 0.8, 2)[0])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_and_1_is_refused(share):
    with pytest.raises(UsageError, match="`share` is from 0 to 1"):
        noisy_labels(LABELS, share, 10, seed=0)
    with pytest.raises(UsageError, match="`share` is from 0 to 1"):
        skewed(LABELS, share, seed=0)


def test_what_are_no_labels_is_refused():
    with pytest.raises(DataError, match="one for each sample"):
        noisy_labels(torch.zeros(3, 2), 0.1, 10, seed=0)
    with pytest.raises(UsageError, match=r"from 0 to 4\. Got 0 to 9"):
        noisy_labels(LABELS, 0.1, 5, seed=0)
    with pytest.raises(DataError, match="has a sample"):
        skewed(torch.zeros(5, dtype=torch.int64), 0.0, seed=0)
