"""The page in a browser, from a file, without a network."""

import shutil

import pytest

from report import samples, shapes
from report.shapes import bump, curve
from ridgeline.profiles import Profile
from ridgeline.report import (
    Page,
    Section,
    layers_figure,
    measures_table,
    profile_figure,
    surface_figure,
    write_page,
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not on the path"),
]
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def address(hill, slope, layers, broken, plain_surface, tmp_path):
    page = Page(
        "Two networks",
        "A lead.",
        [
            Section("Down", ["One."], [profile_figure({"a": slope, "b": hill}, name="down")]),
            Section("Broken", [], [profile_figure({"b": broken}, name="broken")]),
            Section("Layers", [], [layers_figure(layers)], [measures_table({"a": hill})]),
            Section(
                "Plane", [], [surface_figure(plain_surface, trajectories={"r": [(0, 0), (9, 1)]})]
            ),
        ],
        hill.provenance,
    )
    return write_page(page, tmp_path / "out", formats=["svg"]).as_uri()


def opened(browser, address, **more):
    """The page, and what it did that it should not: errors, and requests beyond itself."""
    page = browser.new_context(**more).new_page()
    wrong = []
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("request", lambda r: wrong.append(r.url) if r.url != address else None)
    page.goto(address)
    return page, wrong


def mounted(page):
    """Scrolls until every plot was made: each is when its figure comes near."""
    figures = page.locator("[data-test=figure]")
    for k in range(figures.count()):
        figures.nth(k).scroll_into_view_if_needed()
        page.wait_for_function(
            "k => document.querySelectorAll('figure')[k].querySelector('.main-svg')", arg=k
        )
    return figures.count()


def test_plots_mount_without_errors_or_requests(browser, address):
    page, wrong = opened(browser, address)
    assert mounted(page) == page.locator(".js-plotly-plot").count() == 4
    assert page.locator("[data-test=static]:visible").count() == 0
    assert page.locator("[data-test=plot]:visible").count() == 4
    page.wait_for_timeout(300)
    # Plotly looks for nothing outside; what it makes itself are data: and blob: addresses.
    assert [w for w in wrong if not w.startswith(("data:", "blob:"))] == []


def test_dark_and_light(browser, address):
    colours = {}
    page, wrong = opened(browser, address, color_scheme="light")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(500)
        colours[scheme] = (
            page.evaluate("getComputedStyle(document.body).backgroundColor"),
            page.evaluate("document.querySelector('.js-plotly-plot').layout.font.color"),
        )
    assert colours == {
        "light": ("rgb(253, 253, 252)", "#1f2933"),
        "dark": ("rgb(19, 23, 28)", "#e4e8ed"),
    }
    assert wrong == []


def test_without_javascript_the_pictures_are_there(browser, address):
    page, wrong = opened(browser, address, java_script_enabled=False)
    assert page.locator("[data-test=static] svg:visible").count() == 4
    assert page.locator("[data-test=plot]:visible").count() == 0
    assert page.locator("[data-test=static] svg").first.bounding_box()["height"] > 100
    assert wrong == []


def test_printing_shows_the_pictures(browser, address):
    page, _ = opened(browser, address)
    mounted(page)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("[data-test=static] svg:visible").count() == 4
    assert page.locator("[data-test=plot]:visible").count() == 0
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert ink == "rgb(31, 41, 51)"  # on paper always dark on white


def test_a_narrow_screen_stacks_the_panels_and_does_not_scroll(browser, address):
    page, wrong = opened(browser, address, viewport={"width": 400, "height": 800})
    mounted(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    domains = page.evaluate(
        "['xaxis', 'xaxis2'].map(a => document.querySelector('.js-plotly-plot').layout[a].domain)"
    )
    assert domains == [[0, 1], [0, 1]]
    assert wrong == []


def test_provenance_is_folded(browser, address):
    page, _ = opened(browser, address)
    details = page.locator("[data-test=provenance]")
    assert not details.locator("table").is_visible()
    details.locator("summary").click()
    assert details.locator("table").is_visible()


def test_an_unusual_name_does_no_harm(browser, tmp_path):
    name = "</script><b>&\"'"
    odd = Profile(curve(bump(1)).t, {name: {"loss": curve(bump(1))}})
    page = Page(name, name, [Section(name, [name], [profile_figure({name: odd})])])
    address = write_page(page, tmp_path / "odd", formats=["svg"]).as_uri()
    shown, wrong = opened(browser, address)
    assert shown.locator("h1").inner_text() == name
    assert shown.locator(".js-plotly-plot").count() == 1
    assert wrong == []


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "report.html"
    path.write_text(samples.page(shapes.valley()).html(), encoding="utf-8")
    return path.as_uri()


def test_a_study_is_drawn_as_it_is_read(browser, study):
    page, wrong = opened(browser, study)
    page.wait_for_function("document.querySelector('.js-plotly-plot')")
    assert page.locator(".js-plotly-plot").count() < 4  # the rest are far below
    assert mounted(page) == page.locator(".js-plotly-plot").count() == 7
    assert page.locator("[data-test=claim]").count() == 10
    assert page.locator("[data-test=claim] .interval").count() == 10
    assert [w for w in wrong if not w.startswith(("data:", "blob:"))] == []


@pytest.mark.parametrize("width", [390, 800, 1200])
def test_nothing_of_a_study_is_wider_than_the_page(browser, study, width):
    page, _ = opened(browser, study, viewport={"width": width, "height": 900})
    mounted(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.evaluate(
        """[...document.querySelectorAll('.legend, .annotation-text, .gtitle, .ytitle, .xtitle')]
        .map(e => e.getBoundingClientRect()).map(b => [b.left, b.right])"""
    )
    assert boxes and all(left >= 0 and right <= width for left, right in boxes)


def test_turning_a_narrow_screen_leaves_one_scale_of_colours(browser, study):
    page, _ = opened(browser, study, viewport={"width": 390, "height": 900})
    mounted(page)
    page.set_viewport_size({"width": 1200, "height": 900})
    page.wait_for_timeout(800)
    assert page.locator("[data-figure=grid-6] .colorbar").count() == 1


def test_the_contents_lead_to_a_section_and_back(browser, study):
    page, _ = opened(browser, study)
    page.locator("[data-test=nav] a", has_text="The ridge").click()
    page.wait_for_timeout(500)
    assert abs(page.locator("#the-ridge").bounding_box()["y"]) < 900
    page.locator("#the-ridge .up").click()
    assert page.evaluate("scrollY") < 100
