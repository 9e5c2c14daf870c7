"""Devices by name."""

import subprocess
import sys

import pytest
import torch

from piva.devices import peak_bytes, pick_device
from piva.errors import PreflightError


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    if not torch.cuda.is_available():
        with pytest.raises(PreflightError, match=r"--prior\.device cuda"):
            pick_device("cuda")
    with pytest.raises(PreflightError, match=r"--prior\.device abacus"):
        pick_device("abacus")


PEAK = """
import torch
from piva.devices import begin_peak, peak_bytes
device = torch.device("cpu")
begin_peak(device)
before = peak_bytes(device)
held = torch.ones(100 * 2**18)  # 100 MiB, written to
print(peak_bytes(device) - before)
del held
print(peak_bytes(device) - before)
"""


def test_the_peak_on_a_cpu_is_that_of_the_process_since_its_beginning_was_set():
    """In a process of its own: this one may have freed memory to give out again."""
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    taken, after = (int(line) / 2**20 for line in done.stdout.split())
    assert 90 < taken < 200
    assert after > 90  # a peak does not fall


def test_a_device_that_does_not_say_has_no_peak():
    assert peak_bytes(torch.device("meta")) is None
