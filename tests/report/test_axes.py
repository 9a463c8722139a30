"""Names along an axis."""

import pytest

from ridgeline.report.axes import _power, wrapped


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "10⁰"), (1000.0, "10³"), (1e-12, "10⁻¹²"), (20.0, "20"), (0.5, "0.5")],
)
def test_powers_of_ten_have_raised_exponents(value, text):
    assert _power(value) == text


def test_labels_are_no_longer_than_their_axis():
    assert wrapped("one two three", 0.5) == "one two\nthree" and wrapped("one", 3.0) == "one"
    assert wrapped("", 1.0) == ""
