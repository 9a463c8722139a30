import sys

import pytest

from ridgeline.errors import DataError, UnknownName, UsageError
from ridgeline.io import resolve

SOURCE = """
import math
import torch.nn.functional as F
from torch import Tensor, nn
import ridgeline.errors

class Factory:
    @staticmethod
    def make(*args, **kwargs):
        return args, kwargs

def build(width=8):
    return width

def lazily():
    import entry_helper
    return entry_helper.VALUE

def fails():
    raise KeyError("inside")

def refuses():
    raise ridgeline.errors.DataError("own words")

constant = 3
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A folder with a user's modules, current, and no trace of them afterwards."""
    (tmp_path / "entry_mod.py").write_text(SOURCE)
    (tmp_path / "entry_helper.py").write_text("VALUE = 'helped'")
    (tmp_path / "entry_exports.py").write_text(
        "from textwrap import dedent as gather\n__all__ = ['gather', 'K']\nK = 1"
    )
    (tmp_path / "entry_broken.py").write_text("import no_such_module_anywhere")
    (tmp_path / "entry_exits.py").write_text("raise SystemExit(2)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = list(sys.path)
    yield
    assert sys.path == before
    for name in [n for n in sys.modules if n.startswith("entry_")]:
        del sys.modules[name]


def test_functions_are_called_with_literals():
    assert resolve("entry_mod:build", kind="model") == 8
    assert resolve("entry_mod:build(width=-64)", kind="model") == -64
    assert resolve("entry_mod:Factory.make(1, 'a?b', [2, None], k={'x': (True,)})", kind="m") == (
        (1, "a?b", [2, None]),
        {"k": {"x": (True,)}},
    )


def test_a_function_may_import_its_neighbours_late():
    assert resolve("entry_mod:lazily", kind="model") == "helped"


@pytest.mark.parametrize(
    "argument",
    ["__import__('os').system('touch pwned')", "open('pwned', 'w')", "[x for x in 'ab']", "**{}",
     "*[1]", "k=print", "1 + x", "f'{1}'", "(" * 5 + "lambda: 0" + ")" * 5],
)  # fmt: skip
def test_arguments_are_never_evaluated(tmp_path, argument):
    with pytest.raises(UsageError, match="are Python literals"):
        resolve(f"entry_mod:build({argument})", kind="model")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "spec", ["entry_mod", "entry_mod:", "entry_mod:1", "entry_mod:a+b", "entry_mod:f()()",
             "entry_mod:build(", "entry_mod:(lambda: 1)()", "entry_mod:a[0]"]
)  # fmt: skip
def test_other_forms_are_refused(spec):
    with pytest.raises(UsageError, match=r"named by a module and a function.*module:function"):
        resolve(spec, kind="model")


def test_a_file_s_name_is_turned_into_the_module_s():
    with pytest.raises(UsageError, match=r"dotted name.*Write nets\.small:build"):
        resolve("./nets/small.py:build", kind="model")


def test_a_missing_module_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(UsageError, match=rf"no module 'entry_no'.*{tmp_path}"):
        resolve("entry_no.sub:build", kind="data set")
    with pytest.raises(UsageError, match=r"no module 'entry_mod\.sub'"):
        resolve("entry_mod.sub:build", kind="data set")


def test_a_module_that_raises_is_told_apart():
    with pytest.raises(UsageError, match=r"must import without.*no_such_module_anywhere") as caught:
        resolve("entry_broken:build", kind="model")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    with pytest.raises(UsageError, match="SystemExit: 2"):
        resolve("entry_exits:build", kind="model")


def test_a_missing_attribute_lists_the_nearest():
    with pytest.raises(UnknownName, match=r"name in 'entry_mod' \(for the model\).*mean 'build'"):
        resolve("entry_mod:biuld", kind="model")
    with pytest.raises(UnknownName, match=r"'entry_mod\.Factory'.*Known: make"):
        resolve("entry_mod:Factory.mak", kind="model")
    with pytest.raises(UnknownName) as caught:
        resolve("entry_mod:nothing_like_it", kind="model")
    listed = caught.value.remedy
    assert listed == "Known: Factory, build, fails, lazily, refuses."
    with pytest.raises(UnknownName, match=r"Known: gather\."):
        resolve("entry_exports:x", kind="model")


def test_what_cannot_be_called_is_refused():
    with pytest.raises(UsageError, match=r"entry_mod\.constant, which is int"):
        resolve("entry_mod:constant", kind="model")


def test_an_error_inside_is_the_cause_and_ours_pass():
    with pytest.raises(UsageError, match=r"KeyError: 'inside'.*entry_mod:fails raised") as caught:
        resolve("entry_mod:fails", kind="model")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(UsageError, match=r"TypeError: .*unexpected keyword"):
        resolve("entry_mod:build(depth=3)", kind="model")
    with pytest.raises(DataError, match="own words"):
        resolve("entry_mod:refuses", kind="model")
