"""Which device to work on."""

import torch

from piva.errors import PreflightError


def pick_device(device: str, flag: str = "--prior.device") -> torch.device:
    """The device of that name; "auto" is the first accelerator there is, or the CPU.

    Args:
        flag: that names it, for the error.

    Raises:
        PreflightError: when this machine does not have it.
    """
    if device == "auto":
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise PreflightError(f"{flag} {device}: this machine does not have it") from error
    return torch.device(device)
