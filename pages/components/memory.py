"""What the C library keeps of the memory that was freed."""

import ctypes
import gc
import sys
from typing import Any

# From <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGE_BYTES = 1 << 18


def return_at_once() -> None:
    """Have the C library give large pieces back as soon as they are freed, from now on.

    By itself it raises the size from which it does so to 32 MB when pieces of that size come and
    go, as pictures do, and then keeps them, in each thread's heap anew. The price is that the
    system clears the pages of every new one.
    """
    option = _of_glibc("mallopt")
    if option:
        option(_MMAP_THRESHOLD, _LARGE_BYTES)
        option(_TRIM_THRESHOLD, _LARGE_BYTES)


def return_memory() -> None:
    """Have the C library give to the system what was freed; by itself it keeps small pieces."""
    gc.collect()
    trim = _of_glibc("malloc_trim")
    if trim:
        trim(0)


def _of_glibc(name: str) -> Any:
    """A function of glibc; None where the C library is another."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, "gnu_get_libc_version") else None
