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


@pytest.fixture(scope="module")
def kept():
    """What the tests of this file share: a page takes a while to be drawn."""
    return {}


@pytest.fixture
def address(hill, slope, layers, broken, plain_surface, tmp_path_factory, kept):
    if "address" in kept:
        return kept["address"]
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
    path = write_page(page, tmp_path_factory.mktemp("page") / "out", formats=["svg"])
    kept["address"] = path.as_uri()
    return kept["address"]


def opened(browser, address, **more):
    """The page, and what it did that it should not: errors, and requests beyond itself."""
    page = browser.new_context(**more).new_page()
    wrong = []
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("request", lambda r: wrong.append(r.url) if r.url != address else None)
    page.goto(address)
    return page, wrong


def pointed(page, figure, x, y):
    """What is said at shares of a figure's picture."""
    plot = page.locator(f"[data-figure={figure}] .plot")
    plot.scroll_into_view_if_needed()
    box = plot.locator("svg:visible").bounding_box()
    for off in (1, 0):  # a pointer that moves
        page.mouse.move(box["x"] + x * box["width"] + off, box["y"] + y * box["height"])
    tip = plot.locator(".tip")
    return tip.inner_text().split("\n") if tip.is_visible() else []


def test_pointing_says_values_without_errors_or_requests(browser, address):
    page, wrong = opened(browser, address)
    assert page.locator("figure[data-live]").count() == 4
    name, t, loss = pointed(page, "down", 0.3, 0.5)
    assert name in ("a, train", "b, train", "b, test") and t.startswith("t 0.")
    assert loss.startswith("loss ") and "[" in loss
    assert page.locator("[data-figure=down] .here").count() == 1
    assert page.locator("[data-figure=down] .pale").count() > 0
    layer, height = pointed(page, "layers", 0.12, 0.1)
    assert layer == "layer 1" and height.startswith("barrier in loss 1.0")
    place, value = pointed(page, "surface", 0.4, 0.5)
    assert place.startswith("x ") and value.startswith("loss ")
    page.mouse.move(2, 2)
    assert page.locator(".tip:visible").count() == page.locator(".here").count() == 0
    assert wrong == []


def test_the_ring_is_on_the_point_that_is_said(browser, address):
    page, _ = opened(browser, address)
    _, t, _ = pointed(page, "broken", 0.5, 0.3)
    ring = page.locator("[data-figure=broken] .here").bounding_box()
    box = page.locator("[data-figure=broken] svg").first.bounding_box()
    told = page.evaluate("JSON.parse(document.querySelector('[data-figure=broken] script').text)")
    left, _, right, _ = told["boxes"]["wide"][0]
    scale = box["width"] / page.evaluate(
        "document.querySelector('[data-figure=broken] svg').viewBox.baseVal.width"
    )
    middle = ((ring["x"] + ring["width"] / 2 - box["x"]) / scale - left) / (right - left)
    # The axis goes on by 4 % of its values on either side.
    assert middle * 1.08 - 0.04 == pytest.approx(float(t.split()[1]), abs=0.005)


def test_arrow_keys_read_a_figure(browser, address):
    page, _ = opened(browser, address)
    plot = page.locator("[data-figure=down] .plot")
    plot.focus()
    said = []
    for key in ("ArrowRight", "ArrowRight", "End", "ArrowDown", "Home", "ArrowUp"):
        page.keyboard.press(key)
        said.append(plot.locator("[role=status]").inner_text().split("\n")[:2])
    assert said == [
        *(["a, train", "t 0"], ["a, train", "t 0.02"], ["a, train", "t 1"]),
        *(["b, train", "t 1"], ["b, train", "t 0"], ["a, train", "t 0"]),
    ]
    page.keyboard.press("Escape")
    assert not plot.locator(".tip").is_visible()


def test_an_entry_of_the_legend_holds_its_label(browser, address):
    page, _ = opened(browser, address)
    figure = page.locator("[data-figure=down]")
    entry = figure.locator("svg:visible .k[data-key='0']").last
    entry.click()
    assert figure.locator(".s[data-key='0'].pale").count() == 0
    assert figure.locator(".s[data-key='1'].pale").count() > 0
    page.mouse.move(2, 2)
    assert figure.locator(".s[data-key='1'].pale").count() > 0
    entry.click()
    page.mouse.move(2, 2)
    assert figure.locator(".pale").count() == 0


def test_dark_and_light(browser, address):
    colours = {}
    page, wrong = opened(browser, address, color_scheme="light")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colours[scheme] = (
            page.evaluate("getComputedStyle(document.body).backgroundColor"),
            page.evaluate(
                "getComputedStyle(document.querySelector('figure svg g[style*=--ink]')).fill"
            ),
        )
    assert colours == {
        "light": ("rgb(253, 253, 252)", "rgb(31, 41, 51)"),
        "dark": ("rgb(19, 23, 28)", "rgb(228, 232, 237)"),
    }
    assert wrong == []


def test_without_javascript_the_pictures_are_there(browser, address):
    page, wrong = opened(browser, address, java_script_enabled=False)
    assert page.locator("figure svg:visible").count() == 4
    assert page.locator("figure svg:visible").first.bounding_box()["height"] > 100
    assert wrong == []


def test_printing_shows_the_pictures(browser, address):
    page, _ = opened(browser, address)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("figure svg:visible").count() == 4
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert ink == "rgb(31, 41, 51)"  # on paper always dark on white


def test_a_narrow_screen_stacks_the_panels_and_does_not_scroll(browser, address):
    page, wrong = opened(browser, address, viewport={"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.locator("[data-test=narrow]:visible").count() == 3
    assert page.locator("figure svg:visible").count() == 4
    box = page.locator("[data-figure=down] svg:visible").bounding_box()
    assert box["height"] > box["width"]
    name, _, _ = pointed(page, "down", 0.55, 0.8)
    assert name
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
    assert shown.locator("figure[data-live]").count() == 1
    assert wrong == []


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "report.html"
    path.write_text(samples.page(shapes.valley()).html(), encoding="utf-8")
    return path.as_uri()


def test_a_study_has_its_figures_and_claims(browser, study):
    page, wrong = opened(browser, study)
    assert page.locator("figure[data-live]").count() == 7
    assert page.locator("[data-test=claim]").count() == 10
    assert page.locator("[data-test=claim] .interval").count() == 10
    row, width, value = pointed(page, "grid-6", 0.15, 0.1)
    assert (row, width) == ("learning rate 0.001", "width (units) 16")
    assert value.endswith("n = 3")
    assert wrong == []


@pytest.mark.parametrize("width", [390, 800, 1200])
def test_nothing_of_a_study_is_wider_than_the_page(browser, study, width):
    page, _ = opened(browser, study, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.evaluate(
        """[...document.querySelectorAll('.picture:not(.scrolls) svg')]
        .filter(e => e.checkVisibility())
        .map(e => e.getBoundingClientRect()).map(b => [b.left, b.right])"""
    )
    assert boxes and all(left >= 0 and right <= width for left, right in boxes)


def test_the_contents_lead_to_a_section_and_back(browser, study):
    page, _ = opened(browser, study)
    page.locator("[data-test=nav] a", has_text="The ridge").click()
    page.wait_for_timeout(500)
    assert abs(page.locator("#the-ridge").bounding_box()["y"]) < 900
    page.locator("#the-ridge .up").click()
    assert page.evaluate("scrollY") < 100
