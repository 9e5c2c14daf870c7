"""The C library's allocator, told what large tensors on a CPU need."""

import ctypes
import sys


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
