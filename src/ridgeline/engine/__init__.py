"""How K states are evaluated: the loop, stacked states, shared parts, and the choice of them."""

from ridgeline.engine.choice import STRATEGIES, Choice, StrategyName
from ridgeline.engine.evaluation import Evaluation, evaluate, outputs_at
from ridgeline.engine.moments import Moments

__all__ = [
    "STRATEGIES",
    "Choice",
    "Evaluation",
    "Moments",
    "StrategyName",
    "evaluate",
    "outputs_at",
]
