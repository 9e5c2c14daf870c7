"""Devices by name."""

import pytest
import torch

from piva.devices import pick_device
from piva.errors import PreflightError


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    if not torch.cuda.is_available():
        with pytest.raises(PreflightError, match=r"--prior\.device cuda"):
            pick_device("cuda")
    with pytest.raises(PreflightError, match=r"--prior\.device abacus"):
        pick_device("abacus")
