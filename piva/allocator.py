"""Python's and the C library's care for memory, told what is needed: large tensors on a CPU, very many records."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def keep_freed_memory() -> None:
    """Tells glibc to keep freed blocks: mapping them afresh for every activation can cost a CPU a tenth.

    For a whole process, so commands and trainings ask for it, and no import does. Without glibc it does nothing.
    """
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:  # another C library, without these knobs
        return
    m_trim_threshold, m_mmap_max = -1, -4
    libc.mallopt(m_mmap_max, 0)
    libc.mallopt(m_trim_threshold, 2**31 - 1)


@contextmanager
def uncollected() -> Iterator[None]:
    """Many objects are made that all stay: to look for garbage among them takes longer than to make them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
