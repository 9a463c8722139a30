"""What the C library does with memory that is freed between two steps.

By default glibc gives large blocks back to the kernel as soon as they are free and gets them
again, page by page and zeroed, at the next operation. Training frees and asks for the same
sizes at every step: of a step of VGG-11 at quarter width a fifth is spent on that, of ResNet-18
as much (two cores, batch 64).
"""

import ctypes
import os
from functools import cache

__all__ = ["retain"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGE = 2**28
"""Bytes from which on a block still goes back at once."""
KEPT = 2**31 - 1
"""Bytes that stay with the process when they are free."""


@cache
def retain() -> bool:
    """Let this process keep freed memory for its next step, up to 2 GiB, from now on.

    Returns:
        Whether the C library is glibc and agreed.
    """
    try:
        if not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
            return False
        library = ctypes.CDLL(None)
        # Older versions refuse more than 32 MiB. Without the first, the second would only switch
        # off what glibc does by itself.
        agreed = any(library.mallopt(M_MMAP_THRESHOLD, size) for size in (LARGE, 2**25))
        return agreed and bool(library.mallopt(M_TRIM_THRESHOLD, KEPT))
    except (AttributeError, OSError, ValueError):  # another system
        return False
