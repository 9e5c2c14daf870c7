"""Devices by name."""

import pytest
import torch

from piva.devices import begin_peak, peak_bytes, pick_device
from piva.errors import PreflightError


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    if not torch.cuda.is_available():
        with pytest.raises(PreflightError, match=r"--prior\.device cuda"):
            pick_device("cuda")
    with pytest.raises(PreflightError, match=r"--prior\.device abacus"):
        pick_device("abacus")


def test_the_peak_on_a_cpu_is_that_of_the_process_since_its_beginning_was_set():
    device = torch.device("cpu")
    begin_peak(device)
    before = peak_bytes(device)
    held = torch.ones(100 * 2**18)  # 100 MiB, written to
    assert 90 * 2**20 < peak_bytes(device) - before < 200 * 2**20
    del held
    assert peak_bytes(device) - before > 90 * 2**20  # a peak does not fall


def test_a_device_that_does_not_say_has_no_peak():
    assert peak_bytes(torch.device("meta")) is None
