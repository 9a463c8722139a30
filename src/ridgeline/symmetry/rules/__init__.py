"""Rules for what the operations of a trace do to labels: one a kind, entered by name."""

from ridgeline.symmetry.rules import (  # each enters its rules
    contractions,
    joining,
    lookups,
    ordered,
    pictures,
    pointers,
    products,
    recurrent,
    totals,
)
from ridgeline.symmetry.rules.choices import chosen
from ridgeline.symmetry.rules.registry import RULES, Rule, Walk, over, rule, unknown, why_of

__all__ = [
    "RULES",
    "Rule",
    "Walk",
    "chosen",
    "contractions",
    "joining",
    "lookups",
    "ordered",
    "over",
    "pictures",
    "pointers",
    "products",
    "recurrent",
    "rule",
    "totals",
    "unknown",
    "why_of",
]
