"""What trained networks ended at, and how claims are counted apart from constructions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ridgeline.numerals import number
from ridgeline.report.verdicts import tally

if TYPE_CHECKING:
    from ridgeline.study.claims import Verdict
    from ridgeline.study.reproduction import Ended

__all__ = ["ended_said", "errors_said", "untrained_said", "verdicts_said"]


def ended_said(ended: "Ended") -> str:
    """Runs, and the range of their final training loss and error.

    Args:
        ended: Of an item's runs.
    """
    parts = [f"{ended.runs} run{'' if ended.runs == 1 else 's'}"]
    if ended.loss is not None:
        parts.append(f"final training loss {_span(*map(number, ended.loss))}")
    if ended.error is not None:
        low, high = (f"{100 * x:.3g}" for x in ended.error)
        parts.append(f"error {_span(low, high)} %")
    if ended.diverged:
        parts.append(f"{ended.diverged} diverged")
    return ", ".join(parts)


def untrained_said(ended: "Ended") -> str:
    """That networks are far from a minimum; empty if none is.

    Args:
        ended: Of an item's runs.
    """
    if not ended.wrong:
        return ""
    whose = "these verdicts are of networks"
    if len(ended.wrong) < ended.runs:
        whose = f"{len(ended.wrong)} of {ended.runs} runs are networks"
    return f"{whose} that still misclassify {errors_said(ended.wrong)} of their training data."


def errors_said(errors: Sequence[float]) -> str:
    """The range of errors, in per cent: ``20 to 40 %``.

    Args:
        errors: Shares, at least one.
    """
    return f"{_span(*(f'{100 * x:.2g}' for x in (min(errors), max(errors))))} %"


def verdicts_said(measured: Sequence["Verdict"], constructed: Sequence["Verdict"]) -> str:
    """Outcomes counted, those of constructions by themselves.

    Args:
        measured: On the scale's networks.
        constructed: On neither its data nor its networks.
    """
    counts = tally(verdict.outcome for verdict in measured or constructed)
    if measured and constructed:
        counts += f"; of constructions, without data: {tally(v.outcome for v in constructed)}"
    return counts


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
