"""Tables and text as Markdown."""

from ridgeline.report.markdown import _cell, escaped, markdown_table


def test_a_table_has_a_rule_under_its_heads():
    assert markdown_table(["a", "b"], [["1", "2"], ["3", "4"]]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| 1 | 2 |",
        "| 3 | 4 |",
    ]


def test_text_is_shown_as_it_is_on_one_line():
    made = escaped("a|b\n*c*  d")
    assert "\n" not in made and "\\|" in made and "\\*" in made


def test_numbers_have_six_digits():
    assert _cell(0.123456789) == escaped("0.123457") and _cell(3) == "3"
