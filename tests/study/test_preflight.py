"""What is refused before anything is trained."""

import pytest

from ridgeline.errors import SpecError, UsageError
from ridgeline.frame import Frame
from ridgeline.study.papers import Item, Paper
from ridgeline.study.preflight import check_named, check_scale, missing, unset
from ridgeline.study.scales import load_scale

SCALE = """
paper = "nobody1999"
seeds = 2
[measure]
points = 5
[base.net]
kind = "fcn"
widths = [64, 8, 10]
[base.data]
set = "digits?train=200&test=100"
[base.training]
length = "1ep"
[populations.plain]
"""


def item(name, populations=("plain",), settings=("points",)):
    return Item(
        name=name,
        id=name.upper(),
        title=name,
        asks="?",
        measure=lambda bench: Frame(),
        populations=populations,
        settings=settings,
    )


def paper(*items):
    return Paper(name="nobody1999", title="T", authors="N", where="nowhere", items=items)


def test_a_scale_that_has_all_is_taken():
    one, scale = paper(item("a"), item("b", (), ())), load_scale(SCALE)
    check_scale(one, one.items, scale)
    check_named(one, one.items, scale)
    assert not missing(one.items[0], scale) and not unset(one.items[0], scale)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[populations.plian]", "Did you mean 'plain'"),
        ("[measure.aa]\npoints = 3", "item of nobody1999"),
        ("[measure.a]\npoint = 3", "Did you mean 'points'"),
    ],
)
def test_names_that_nobody_asks_for_are_refused(more, said):
    one = paper(item("a"))
    with pytest.raises(SpecError, match=said):
        check_scale(one, one.items, load_scale(SCALE + more))


def test_undeclared_settings_are_not_judged():
    one = paper(item("a"), item("b", settings=None))
    assert one.settings is None
    check_scale(one, one.items, load_scale(SCALE, ["measure.ponts=3"]))


def test_a_missing_setting_is_told_from_the_scales_side():
    one = paper(item("a", settings=("points", "draws")), item("b"))
    scale = load_scale(SCALE)
    with pytest.raises(
        SpecError, match=r"lacks measure\.draws, which item a needs; it has: points"
    ):
        check_scale(one, one.items, scale)
    check_scale(one, [one.items[1]], scale)  # who is not asked needs nothing
    check_scale(one, one.items, load_scale(SCALE + "[measure.a]\ndraws = 3"))


def test_items_by_name_and_whole_papers():
    a, b = item("a"), item("b", ("nowhere",))
    one, scale = paper(a, b), load_scale(SCALE)
    check_named(one, one.items, scale)  # the other one is measured
    with pytest.raises(UsageError, match="b needs nowhere; the scale has plain"):
        check_named(one, [b], scale)
    with pytest.raises(UsageError, match="b needs nowhere"):
        check_named(paper(b), [b], scale)


def test_a_description_is_made_from_data_and_networks():
    assert load_scale(SCALE).described == "data digits?test=100&train=200; network fcn 64-8-10"
    assert load_scale(SCALE.replace("seeds = 2", 'about = "x\\n y"')).described == "x y"
