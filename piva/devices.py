"""Which device to work on, and the memory that work takes there."""

import resource
import sys
from pathlib import Path

import torch

from piva.errors import MachineError


def pick_device(device: str, flag: str = "--prior.device") -> torch.device:
    """The device of that name; "auto" is the first accelerator there is, or the CPU.

    Args:
        flag: that names it, for the error.

    Raises:
        MachineError: when this machine does not have it.
    """
    if device == "auto":
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise MachineError(f"{flag} {device}: this machine does not have it") from error
    return torch.device(device)


def begin_peak(device: torch.device) -> None:
    """From here on `peak_bytes` looks for the largest."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif device.type == "cpu" and _CLEAR.exists():
        _CLEAR.write_text("5")  # VmHWM falls to what is resident now


def peak_bytes(device: torch.device) -> int | None:
    """Memory at its fullest: of torch's allocations on CUDA, of the whole process, models and all, on the CPU.

    Since the last `begin_peak`, and on a CPU without Linux since the process began. None on other devices.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type != "cpu":
        return None
    if _STATUS.exists():  # there a new process inherits the ru_maxrss of the one that started it
        (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
