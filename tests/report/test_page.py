import builtins
import re
import subprocess
import sys

import pytest

from ridgeline import report
from ridgeline.errors import MissingExtra, OutputError, UsageError
from ridgeline.report import (
    Card,
    Page,
    Section,
    Table,
    headline,
    layers_figure,
    measures_table,
    profile_figure,
    render_layers,
    rows,
    surface_figure,
    write_page,
    write_parquet,
)


@pytest.fixture
def page(hill, slope, layers, plain_surface):
    return Page(
        "Two networks <a> & b",
        headline(hill),
        [
            Section(
                "Down", ["First."], [profile_figure({"a": slope}, name="down")],
                [measures_table({"a": slope})],
            ),
            Section("Across", [], [profile_figure({"a to b": hill}, name="across")],
                    [measures_table({"a to b": hill})]),
            Section("Layers", [], [layers_figure(layers, hill)],
                    [Table("Odd", ["name", "value"], [["</script>", None], ["x", float("nan")]])]),
            Section("Plane", [], [surface_figure(plain_surface)]),
        ],
        hill.provenance,
        [Card("barrier", "2.00 ± 0.03", "train loss")],
    )  # fmt: skip


def test_the_page_loads_nothing(page):
    text = page.html()
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", text)
    assert "http://" not in text and "https://" not in text
    assert not re.search(r"@import|url\((?!#)|<link|<iframe|<img", text)
    assert "default-src 'none'" in text


def test_the_page_is_semantic_and_escaped(page):
    text = page.html()
    assert '<h1 data-test="title">Two networks &lt;a&gt; &amp; b</h1>' in text
    assert text.count("<figcaption>") == text.count("<figure ") == 4
    assert text.count('data-test="table"') == 3
    assert 'scope="col"' in text and 'scope="row"' in text
    assert "&lt;/script&gt;" in text and "<details" in text
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(set(ids)) == len(ids)
    assert "path.distance" in text and "12.5" in text


def test_the_same_page_is_the_same_bytes(page):
    assert page.html() == page.html()


def test_a_page_is_small(page):
    assert len(page.html()) < 1_000_000


def test_a_page_of_words_has_no_scripts():
    text = Page("Nothing", "No figure.", [Section("One", ["Only words."])]).html()
    assert "<script" not in text and "<nav" not in text and len(text) < 20_000


def test_names_are_unique(hill):
    same = profile_figure({"p": hill})
    with pytest.raises(UsageError, match=r"Every figure .*twice: profile"):
        Page("x", "", [Section("a", [], [same, same])])
    with pytest.raises(UsageError, match="Every section"):
        Page("x", "", [Section("a"), Section("A")])


@pytest.mark.slow
def test_writing_a_page(page, tmp_path):
    path = write_page(page, tmp_path / "out")
    assert path.read_text(encoding="utf-8") == page.html()
    files = sorted(p.relative_to(path.parent).as_posix() for p in path.parent.rglob("*.*"))
    assert len(files) == 1 + 4 * 4 + 3
    assert {"figures/down.pdf", "figures/surface.csv", "tables/measures.csv"} <= set(files)
    assert "tables/across-measures.csv" in files
    with pytest.raises(OutputError, match="not replaced"):
        write_page(page, tmp_path / "out")
    write_page(page, tmp_path / "out", overwrite=True, formats=["svg"])


def test_importing_costs_nothing():
    heavy = ("torch", "matplotlib", "jinja2", "pyarrow", "rich")
    code = f"import sys, ridgeline.report as r; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_every_public_name_is_there():
    assert all(hasattr(report, name) for name in report.__all__)
    assert {"Page", "Table", "chart_figure", "write_page"} <= set(report.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = report.nothing  # type: ignore[attr-defined]  # wrong on purpose


@pytest.mark.parametrize(
    ("package", "extra"),
    [
        *(("matplotlib", "report"), ("jinja2", "report")),
        *(("pyarrow", "report"), ("rich", "cli")),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    package, extra, page, hill, layers, tmp_path, monkeypatch
):
    real = builtins.__import__

    def without(name, *args, **more):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *args, **more)

    class Terminal:
        is_terminal, encoding, width = False, "ascii", 80

    use = {
        "pyarrow": lambda: write_parquet(rows(hill), tmp_path / "p.parquet"),
        "rich": lambda: render_layers(layers, Terminal()),  # type: ignore[arg-type]  # wrong on purpose
    }.get(package, page.html)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=rf"'{package}'.*ridgeline\[{extra}\]"):
        use()
