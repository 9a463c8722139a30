"""Which settings of a scale each item asks for: known before anything is trained.

A test runs the smoke scales and compares what is asked with what is declared here.
"""

from collections.abc import Mapping
from dataclasses import replace

from ridgeline.study.papers import Paper

__all__ = ["SETTINGS", "declared"]

POINTS = ("points",)
COUNTED = ("threshold", "tolerance")
LAYERS = ("points", "convolutional_points")
ANNEALED = ("steps", "hottest", "coldest")
SETTINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "goodfellow2014": {
        **dict.fromkeys(("activations", "other-networks"), POINTS),
        "two-solutions": ("points", "together"),
        "trajectory": ("points", "side"),
        "factored": ("points", "factored_starts", "side"),
    },
    "frankle2020revisiting": dict.fromkeys(("descent", "family"), LAYERS),
    "lucas2021": {
        "shares": ("points", "calm", "threshold", "tolerance"),
        "heatmaps": ("points", "loose"),
        **dict.fromkeys(("autoencoders", "distance", "forced"), ("points", *COUNTED)),
        "residual": ("points", *COUNTED),
        "gauss-length": ("points", "samples", "threshold"),
        "rises-and-length": ("points", "samples", *COUNTED),
        "unrelated-starts": ("points", "minima", "starts", *COUNTED),
        "permuted-ends": ("points", "permutations", "shown", *COUNTED),
        "among-runs": ("points", "shown", *COUNTED),
        "held-out": ("points", "threshold"),
        "logit-paths": ("points", "curves", "samples", "threshold"),
        "width": ("points", "samples"),
        "linear": POINTS,
        "quarter-turn": ("fine", "samples", "tolerance"),
        "slice": ("points", "side", "tolerance"),
    },
    "vlaar2021": dict.fromkeys(("data", "design", "layer-wise", "starts"), POINTS),
    "entezari2021": {
        "width": ("points", "threshold"),
        "depth": POINTS,
        "real-and-permuted": ("points", "draws"),
        "annealing": (
            *("points", "depths", "samples", *ANNEALED),
            *(f"distance_{name}" for name in ANNEALED),
        ),
        "temperature": ("points", "threshold"),
    },
    "ainsworth2022": {
        "initialisation": ("points", "activation_samples"),
        "interpolation": (
            *("points", "activation_samples"),
            *("straight_through_steps", "straight_through_rate"),
        ),
        **dict.fromkeys(("width", "depth", "split"), POINTS),
        "epoch": ("points", "width"),
        "counter-example": ("points", "draws"),
        "merge-many": ("counts",),
    },
    "wang2023": {
        **dict.fromkeys(
            ("convex-or-plateau", "bias-ablation", "homogeneous-rates", "init-scale", "depth"),
            POINTS,
        ),
        **dict.fromkeys(("mechanism", "standardised"), POINTS),
        "flow": ("flow_seeds",),
        "degree-and-scale": ("grid_seeds", "flow_grid", "flow_scale", "flow_degree"),
        **dict.fromkeys(("learning-order", "hardness"), ()),
    },
    "jordan2022": {
        **dict.fromkeys(("depth", "variance-collapse"), ("deep",)),
        **dict.fromkeys(("width", "convolutional"), ()),
    },
    "frankle2020": {
        "instability": ("points", "late"),
        **dict.fromkeys(("whole-length", "distance"), POINTS),
    },
    "lim2024": {"symmetric-or-not": POINTS},
    "tao2024": dict.fromkeys(("other-starts", "scale-paths"), POINTS),
}
"""Paper to item to settings."""


def declared(paper: Paper) -> Paper:
    """A paper whose items say what they ask for; as it is, if nothing is known of it."""
    known = SETTINGS.get(paper.name, {})
    items = tuple(
        replace(item, settings=known[item.name]) if item.name in known else item
        for item in paper.items
    )
    return replace(paper, items=items)
