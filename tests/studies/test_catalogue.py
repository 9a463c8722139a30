"""Studies are found by looking into folders."""

import pytest

from ridgeline.errors import UnknownName, UsageError
from ridgeline.studies import catalogue


def test_papers_stand_by_year_and_name():
    years = [int(catalogue.YEAR.findall(name)[0]) for name in catalogue.PAPERS]
    assert years == sorted(years) and "wang2023" in catalogue.PAPERS
    assert [n for n in catalogue.PAPERS if "2022" in n] == sorted(
        n for n in catalogue.PAPERS if "2022" in n
    )


@pytest.mark.parametrize(
    ("word", "parts"),
    [("wang2023", ("wang2023", "")), ("wang2023/flow", ("wang2023", "flow")),
     ("nobody", ("nobody", "")), ("nobody/x", ("nobody", "x")), ("a/b/c", ("a", "c"))],
)  # fmt: skip
def test_a_word_names_a_study_and_perhaps_an_item(word, parts):
    assert catalogue.parted(word) == parts


def test_a_folder_of_ones_own_is_whole_or_has_an_item(tmp_path):
    own = tmp_path / "mine"
    own.mkdir()
    assert catalogue.parted(str(own)) == (str(own), "")
    assert catalogue.parted(f"{own}/item") == (str(own), "item")


def test_the_folder_of_a_study():
    assert catalogue.folder("wang2023") == catalogue.HERE / "wang2023"
    with pytest.raises(UnknownName, match=r"paper.*'wang2024'.*wang2023") as caught:
        catalogue.folder("wang2024")
    assert "Or give the folder of a study of your own" in str(caught.value)


def own_study(tmp_path, name, text):
    where = tmp_path / name
    where.mkdir()
    (where / "smoke.toml").write_text("")
    if text is not None:
        (where / "__init__.py").write_text(text)
    return str(where)


def test_a_folder_without_a_package_or_a_paper_is_told(tmp_path):
    with pytest.raises(UsageError, match="A study's folder is a Python package"):
        catalogue.paper(own_study(tmp_path, "study_without_code", None))
    with pytest.raises(UsageError, match="says its paper in the") as caught:
        catalogue.paper(own_study(tmp_path, "study_without_paper", "x = 1"))
    assert caught.value.got.endswith("no PAPER")
    assert caught.value.remedy == 'PAPER = Paper(name="study_without_paper", ...)'


def test_a_package_that_raises_may_be_mended_and_tried_again(tmp_path):
    where = own_study(tmp_path, "study_that_raises", "raise KeyError('mine')")
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            catalogue.paper(where)


def test_scales_stand_from_small_to_large():
    found = catalogue.scales("wang2023")
    assert list(found)[:2] == ["smoke", "laptop"] and all(
        p.suffix == ".toml" for p in found.values()
    )


def test_a_scale_is_known_or_a_file_and_of_its_paper():
    assert catalogue.scale("wang2023", "smoke").paper == "wang2023"
    with pytest.raises(UnknownName, match="scale of wang2023"):
        catalogue.scale("wang2023", "huge")
    other = str(catalogue.scales("lim2024")["smoke"])
    with pytest.raises(UsageError, match="A scale is for the paper it names") as caught:
        catalogue.scale("wang2023", other)
    assert caught.value.got == "'lim2024', not 'wang2023'"


def test_every_study_names_itself():
    assert all(catalogue.paper(name).name == name for name in ("wang2023", "tao2024"))
