"""What a profile keeps of how it was measured, in plain values."""

from typing import Any

import torch

from ridgeline.engine import Evaluation

__all__ = ["about"]


def about(found: Evaluation) -> dict[str, Any]:
    """An evaluation's record in plain values."""
    choice, first = found.choice, next(iter(found.moments.values()))
    return {
        "strategy": choice.strategy,
        "rows": choice.rows,
        "group": choice.group,
        "estimated_seconds": {name: round(s, 4) for name, s in choice.seconds.items()},
        "declined": choice.declined,
        "seconds": round(found.seconds, 4),
        "samples_evaluated": first.n + first.left_out,
        "left_out": {name: m.left_out for name, m in found.moments.items() if m.left_out},
        "samples": found.samples,
        "evaluations": found.evaluations,
        "stopped": found.stopped or "all samples were used",
        "threads": torch.get_num_threads(),
    }
