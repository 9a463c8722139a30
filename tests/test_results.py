"""The table of results is that of the pages beside it."""

from tools import results


def test_the_index_is_made_of_the_pages():
    text = (results.RESULTS / "index.md").read_text(encoding="utf-8")
    assert results.index(text) == text, "python tools/results.py"


def test_counts_are_those_of_a_page(tmp_path):
    page = tmp_path / "nobody1999.md"
    page.write_text(
        "# nobody1999: A title\n\nScale `laptop`: digits. 12 runs.\n\n"
        "At scale laptop: 3 hold, 1 fails, 2 undecided. Intervals.\n\nLeft out: flow: no seeds\n"
    )
    assert results.row(page) == ("[A title](nobody1999.md)", "12", "3", "1", "2", "flow")
