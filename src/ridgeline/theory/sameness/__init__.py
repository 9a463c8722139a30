"""Sameness: are networks the same modulo permutation, and in what sense."""

from ridgeline.theory.sameness.features import (
    Distance,
    FeatureConnectivity,
    LayerFeatures,
    feature_connectivity,
)
from ridgeline.theory.sameness.layered import LayerValue, layer_values
from ridgeline.theory.sameness.pairs import BarrierMatrix, Clusters, barrier_matrix
from ridgeline.theory.sameness.permuted import PermutationTest, random_permutation_test
from ridgeline.theory.sameness.singular import SingularAlignment, singular_alignment

__all__ = [
    "BarrierMatrix",
    "Clusters",
    "Distance",
    "FeatureConnectivity",
    "LayerFeatures",
    "LayerValue",
    "PermutationTest",
    "SingularAlignment",
    "barrier_matrix",
    "feature_connectivity",
    "layer_values",
    "random_permutation_test",
    "singular_alignment",
]
