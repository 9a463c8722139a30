"""Path and objective to profile, plane and objective to surface."""

from ridgeline.profiles.gauss import GaussLength, gauss_length
from ridgeline.profiles.layerwise import layerwise
from ridgeline.profiles.profile import Objectives, Precision, Profile, Progress, profile
from ridgeline.profiles.surface import Surface, surface

__all__ = [
    "GaussLength",
    "Objectives",
    "Precision",
    "Profile",
    "Progress",
    "Surface",
    "gauss_length",
    "layerwise",
    "profile",
    "surface",
]
