"""Other processes on a GPU, and batches that its memory will not take."""

import subprocess
from types import SimpleNamespace

import pytest
import torch
from harness_world import PlainPrior

from benchmarks.preflight import device as preflight_device
from benchmarks.preflight.device import RoomOnDevice, busy, kept_estimate, picture_memory
from piva.memory import RESERVE, Memory
from piva.methods.dds import DDS
from piva.priors.shapes import PriorShape

GPU = torch.device("cuda:1")
GIB = 2**30


@pytest.fixture
def smi(monkeypatch):
    """Lets nvidia-smi answer `smi.lines`; what it was asked is in `smi.asked`."""
    world = SimpleNamespace(lines=[], asked=[])

    def run(words, **_):
        world.asked.append(words)
        return SimpleNamespace(stdout="\n".join(world.lines))

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(preflight_device.os, "getpid", lambda: 77)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return world


def test_other_processes_are_named_and_our_own_is_not(smi):
    smi.lines = ["77, python, 2048", "123, /usr/bin/python3, 1024"]
    (sentence,) = busy(GPU)
    assert sentence.startswith("other processes are on cuda:1: /usr/bin/python3 (pid 123, 1024 MiB);")
    assert smi.asked[0][-1] == "--id=1"
    smi.lines = ["77, python, 2048"]
    assert busy(GPU) == []
    assert busy(torch.device("cpu")) == []


def test_a_gpu_is_asked_for_by_the_name_that_the_environment_gives_it(smi, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5d5ba0d6")
    busy(torch.device("cuda:1"))
    busy(torch.device("cuda"))
    assert [words[-1] for words in smi.asked] == ["--id=GPU-5d5ba0d6", "--id=3"]


@pytest.mark.parametrize("problem", [FileNotFoundError(), subprocess.TimeoutExpired("nvidia-smi", 5)])
def test_without_nvidia_smi_nothing_is_said(monkeypatch, problem):
    def run(*_, **__):
        raise problem

    monkeypatch.setattr(subprocess, "run", run)
    assert busy(GPU) == []


@pytest.fixture
def memory(monkeypatch):
    """A prior on a GPU with `free` and `total`; a batch of b takes 2 + b GiB and the reserve."""
    world = SimpleNamespace(free=8 * GIB, total=16 * GIB, estimates=[])

    def estimate(shape, method, batch, prior):
        world.estimates.append(batch)
        return Memory({}, 0, 0, 0, 0, 0, 0, 0, (2 + batch) * GIB)

    prior = PlainPrior()
    prior.device, prior.shape = GPU, object()
    monkeypatch.setattr(preflight_device, "kept_estimate", estimate)
    monkeypatch.setattr(preflight_device, "_room", lambda device: RoomOnDevice(world.free, world.total))
    world.look = lambda batch, sharing=1: picture_memory(prior, DDS(), batch, sharing)
    return world


def test_a_batch_that_fits_is_no_matter(memory):
    memory.free = 10 * GIB + RESERVE
    assert memory.look(8) is None
    assert memory.estimates == [8]


def test_the_largest_batch_that_would_fit_is_told(memory):
    memory.free = 6 * GIB + RESERVE
    short = memory.look(8)
    assert short.sentence.startswith(
        "8 pictures together take about 11.0 GiB of cuda:1, which has 7.0 GiB free: --batch-size 4 would fit"
    )
    assert not short.never_fits


def test_workers_share_a_device(memory):
    memory.free = 2 * (6 * GIB + RESERVE)
    assert "which has 7.0 GiB free for each of 2 workers: --batch-size 4 would fit" in memory.look(8, 2).sentence


def test_a_single_case_that_does_not_fit_ends_it_only_if_it_never_could(memory):
    memory.free = 3 * GIB
    short = memory.look(1)
    assert "not even --batch-size 1 fits" in short.sentence
    assert not short.never_fits
    memory.total = 3 * GIB - 1
    assert memory.look(1).never_fits


def test_small_pictures_on_a_cpu_are_not_reckoned(monkeypatch):
    monkeypatch.setattr(preflight_device, "kept_estimate", lambda *_: pytest.fail("it takes seconds"))
    prior = PlainPrior()
    prior.shape = object()
    assert picture_memory(prior, DDS(), 8) is None


def test_an_estimate_needs_no_cache_that_can_be_written(tiny_prior, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "file"))  # no folder, whoever asks
    assert kept_estimate(PriorShape.of(tiny_prior), DDS(), 1, tiny_prior).peak > 0


def test_an_estimate_is_made_once(tiny_prior, tmp_path, monkeypatch):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path))
    shape = PriorShape.of(tiny_prior)
    first = kept_estimate(shape, DDS(), 2, tiny_prior)
    monkeypatch.setattr("piva.memory.estimate", lambda *_: pytest.fail("it is kept"))
    assert kept_estimate(shape, DDS(), 2, tiny_prior) == first
    assert first.peak > sum(first.weights.values()) > 0
    with pytest.raises(pytest.fail.Exception):
        kept_estimate(shape, DDS(), 3, tiny_prior)
