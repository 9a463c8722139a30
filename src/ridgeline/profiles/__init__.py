"""Path and objective to profile, plane and objective to surface."""

from ridgeline.profiles.layerwise import layerwise
from ridgeline.profiles.profile import Objectives, Precision, Profile, Progress, profile
from ridgeline.profiles.surface import Surface, surface

__all__ = [
    "Objectives",
    "Precision",
    "Profile",
    "Progress",
    "Surface",
    "layerwise",
    "profile",
    "surface",
]
