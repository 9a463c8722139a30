import pytest

from ridgeline.errors import UnknownName, UsageError
from ridgeline.training import EMA, SWA, Augment, Keep, Recipe


def test_the_first_and_the_last_state_are_always_kept():
    assert Keep().steps(10, 5) == [0, 10]


def test_states_at_regular_and_given_times():
    assert Keep(every="1ep").steps(11, 5) == [0, 5, 10, 11]
    assert Keep(at=("1ep1it", "2it"), spawn=("3it",)).steps(11, 5) == [0, 2, 3, 6, 11]


def test_geometric_steps_start_at_one_and_grow_by_a_factor():
    assert Keep(geometric=5).steps(10_000, 100) == [0, 1, 10, 100, 1000, 10_000]


def test_a_time_beyond_the_end_is_refused():
    with pytest.raises(UsageError, match="from step 0 to 10"):
        Keep(at=("3ep",)).steps(10, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Recipe(length="0ep"),
        lambda: Recipe(length="20"),
        lambda: Recipe(length="1ep", batch_size=0),
        lambda: Recipe(length="1ep", label_smoothing=1.0),
        lambda: Recipe(length="1ep", loss="squared_error", label_smoothing=0.1),
        lambda: Recipe(length="1ep", clip=0.0),
        lambda: Recipe(length="1ep", stop_below=float("nan")),
        lambda: Recipe(length="1ep", assess="10it"),
        lambda: Keep(geometric=1),
        lambda: Keep(at=("5",)),
        lambda: EMA(decay=1.0),
        lambda: SWA(every="0it"),
        lambda: Augment(crop=-1),
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(UsageError):
        wrong()


def test_an_unknown_loss_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'cross_entropy'"):
        Recipe(length="1ep", loss="crossentropy")
