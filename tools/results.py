"""The table of docs/results/index.md, from the pages of verdicts beside it.

``python tools/results.py`` rewrites it after pages came or changed; a test says when it is due.
"""

import re
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "docs" / "results"
BEGIN, END = "<!-- made by tools/results.py -->\n", "<!-- end -->\n"
HEADS = ("paper", "runs", "claims that hold", "fail", "are undecided", "items left out")


def row(page: Path) -> tuple[str, ...]:
    """What a page of verdicts says of its paper."""
    text = page.read_text(encoding="utf-8")
    title = re.search(rf"^# {page.stem}: (.*)$", text, re.M)
    runs = re.search(r"^Scale .* (\d+) runs\.", text, re.M)
    said = re.search(r"^At scale \w+: ([^.]*)\.", text, re.M)
    if title is None or runs is None or said is None:
        raise SystemExit(f"{page} is no page of verdicts.")
    counts = {word: number for number, word in re.findall(r"(\d+) (\w+)", said[1])}
    outcomes = [counts.get(word, counts.get(word + "s", "0")) for word in ("hold", "fail")]
    left = re.findall(r"^Left out: ([^:]*):", text, re.M)
    link = f"[{title[1]}]({page.name})"
    return link, runs[1], *outcomes, counts.get("undecided", "0"), ", ".join(left) or "-"


def table() -> str:
    """All pages, by year."""
    pages = [page for page in RESULTS.glob("*.md") if page.stem != "index"]
    pages.sort(key=lambda page: (re.findall(r"\d{4}", page.stem), page.stem))
    lines = [HEADS, ("---",) * len(HEADS), *map(row, pages)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def index(text: str) -> str:
    """The index with the table made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    file = RESULTS / "index.md"
    file.write_text(index(file.read_text(encoding="utf-8")), encoding="utf-8")
