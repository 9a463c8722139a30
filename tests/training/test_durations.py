import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.errors import UsageError
from ridgeline.training import Duration

counts = st.integers(0, 10**6)


@given(counts, counts, st.integers(1, 500))
def test_what_is_written_is_read_back(epochs, steps, per_epoch):
    duration = Duration(epochs, steps)
    assert Duration.parse(str(duration)) == duration
    assert duration.count(per_epoch) == epochs * per_epoch + steps


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20ep", (20, 0)), ("5000it", (0, 5000)), ("2ep50it", (2, 50)), (" 0it ", (0, 0))],
)
def test_units(text, expected):
    assert Duration.parse(text) == Duration(*expected)


@pytest.mark.parametrize("text", ["", "20", "20 ep", "ep", "1it2ep", "-1ep", "1.5ep", 20, None])
def test_a_duration_without_its_unit_is_refused(text):
    with pytest.raises(UsageError, match="A duration has a unit"):
        Duration.parse(text)
