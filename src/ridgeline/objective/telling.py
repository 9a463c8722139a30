"""Telling of an objective what must be known to read its numbers: notes, and provenance."""

from typing import Any

from ridgeline.objective.contract import Described

__all__ = ["described", "notes_on", "provenance_of"]

NAMED = 5
"""Layers that a note names; of further ones it has the number."""


def described(objective: Described) -> str:
    """Return an objective's `repr`."""
    metrics = ", ".join(objective.metrics)
    on = f" on {objective.calibrated_on}" if objective.calibration is not None else ""
    left = f", {objective.left_out} without a label that counts" if objective.left_out else ""
    over = "; means over tokens" if objective.weights == "tokens" else ""
    return (
        f"Objective({len(objective)} samples{left}; {metrics}{over}; "
        f"statistics={objective.statistics!r}{on})"
    )


def provenance_of(objective: Described, data: str) -> dict[str, Any]:
    """Return what defines an objective's numbers, in plain values.

    Args:
        objective: Whose.
        data: The fingerprint of its samples.
    """
    cast = objective.autocast
    about: dict[str, Any] = {
        "samples": len(objective),
        "samples_left_out": objective.left_out,
        "weights": objective.weights,
        "data": data,
        "device": str(objective.device),
        "dtype": str(objective.dtype).removeprefix("torch."),
        "autocast": str(cast).removeprefix("torch.") if cast else None,
        "statistics": objective.statistics if objective.keeps_statistics else "none in the model",
    }
    if objective.samples.left_out:
        about["left out"] = list(objective.samples.left_out)
    if objective.reconstructs:
        about["targets"] = "the inputs"
    if objective.calibration is not None:
        about["calibration"] = {
            "on": objective.calibrated_on,
            "samples": len(objective.calibration),
            "batch": objective.calibration_rows,
        }
    if objective.kept_statistics:
        about["kept statistics"] = dict(objective.kept_statistics)
    if objective.notes:
        about["notes"] = list(objective.notes)
    return about


def notes_on(objective: Described) -> tuple[str, ...]:
    """Return what must be read with an objective's numbers, in sentences."""
    said = list(objective.taken_on_trust)
    if objective.left_out:
        said.append(
            f"{objective.left_out} of {len(objective)} samples have no label that counts: they are "
            "left out of n, of means and of standard errors."
        )
    if objective.weights == "tokens":
        said.append("Means are over all tokens that count, not over samples.")
    if objective.calibration is not None and objective.calibration_data is None:
        said.append(
            "Running statistics are recomputed on the samples that are measured, so that each "
            "sample's loss depends on the others a little: give training data as "
            "`calibration=`."
        )
    if kept := objective.kept_statistics:
        first = list(kept.items())[:NAMED]
        named = "; ".join(f"{n or 'the network'} ({why})" for n, why in first)
        more = len(kept) - len(first)
        said.append(
            f"Running statistics that are the state's own, between checkpoints interpolated: "
            f"{named}{f'; and {more} more' if more else ''}."
        )
    return tuple(said)
