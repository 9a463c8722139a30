"""What a profile keeps of how it was measured."""

from types import SimpleNamespace

import torch

from ridgeline.engine import Choice
from ridgeline.profiles.records import about


def test_every_field_is_a_plain_value():
    choice = Choice("shared", 64, 3, {"loop": 1.23456789, "shared": 0.5}, {"batched": "too large"})
    loss, top = SimpleNamespace(n=90, left_out=10), SimpleNamespace(n=100, left_out=0)
    found = SimpleNamespace(
        choice=choice,
        moments={"loss": loss, "top": top},
        seconds=2.000049,
        samples=200,
        evaluations=300,
        stopped="",
    )
    assert about(found) == {
        "strategy": "shared",
        "rows": 64,
        "group": 3,
        "estimated_seconds": {"loop": 1.2346, "shared": 0.5},
        "declined": {"batched": "too large"},
        "seconds": 2.0,
        "samples_evaluated": 100,
        "left_out": {"loss": 10},
        "samples": 200,
        "evaluations": 300,
        "stopped": "all samples were used",
        "threads": torch.get_num_threads(),
    }
    found.stopped = "interrupted"
    assert about(found)["stopped"] == "interrupted"
