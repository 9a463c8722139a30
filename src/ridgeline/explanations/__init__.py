"""Why the loss falls as it does from an initialisation to a minimum."""

from ridgeline.explanations.evidence import Layer
from ridgeline.explanations.explanation import Explanation, explain
from ridgeline.explanations.words import explained

__all__ = ["Explanation", "Layer", "explain", "explained"]
