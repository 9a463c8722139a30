"""Path and objective to profile, plane and objective to surface."""

from ridgeline.profiles.layerwise import layerwise
from ridgeline.profiles.outputs import Linearity, Projection, linearity, output_paths, project
from ridgeline.profiles.profile import Objectives, Precision, Profile, profile
from ridgeline.profiles.surface import Surface, surface

__all__ = [
    "Linearity",
    "Objectives",
    "Precision",
    "Profile",
    "Projection",
    "Surface",
    "layerwise",
    "linearity",
    "output_paths",
    "profile",
    "project",
    "surface",
]
