"""Templates of pages and figures."""

import json
from typing import Any

from ridgeline.errors import MissingExtra
from ridgeline.report.estimates import interval_svg
from ridgeline.report.filters import cell, estimate, numeric, wordy
from ridgeline.report.verdicts import tally

__all__ = ["template"]


def template(name: str) -> Any:
    """A template of this package, with the filters of tables and verdicts.

    Args:
        name: Of its file.

    Raises:
        MissingExtra: If jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtra("jinja2", "report", "Making a page") from error
    environment = Environment(
        loader=PackageLoader("ridgeline.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"cell": cell, "tally": tally, "interval": interval_svg}
    environment.filters |= {"estimate": estimate, "inlined": _inlined}
    environment.tests |= {"wordy": wordy, "numeric": numeric}
    return environment.get_template(name)


def _inlined(value: Any) -> str:
    """JSON that may stand inside a script element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c")
