"""Path and objective to profile, plane and objective to surface."""

from ridgeline.profiles.gauss import GaussLength, GaussMethod, gauss_length
from ridgeline.profiles.layerwise import layerwise
from ridgeline.profiles.outputs import Linearity, Projection, linearity, output_paths, project
from ridgeline.profiles.profile import Objectives, Precision, Profile, profile
from ridgeline.profiles.surface import Surface, surface

__all__ = [
    "GaussLength",
    "GaussMethod",
    "Linearity",
    "Objectives",
    "Precision",
    "Profile",
    "Projection",
    "Surface",
    "gauss_length",
    "layerwise",
    "linearity",
    "output_paths",
    "profile",
    "project",
    "surface",
]
