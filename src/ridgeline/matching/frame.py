"""Orders as a search holds them, outer groups first: see `ridgeline.symmetry.frame`."""

from ridgeline.symmetry.frame import (
    Orders,
    act,
    children,
    collapse,
    compose,
    depth,
    framed,
    identities,
)

__all__ = ["Orders", "act", "children", "collapse", "compose", "depth", "framed", "identities"]
