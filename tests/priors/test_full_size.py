"""Stable Diffusion 1.5 as large as it is, with random weights, on the CPU: it runs, and what it takes."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch
from stable_diffusion_world import FULL_SD_1_5, write_pipeline

from piva.editing import EditInput, edit_batch
from piva.memory import estimate
from piva.methods.piva import Piva
from piva.priors.shapes import STABLE_DIFFUSION_1_5
from piva.priors.stable_diffusion import StableDiffusionPrior

STEPS = 2
PARAMETERS = 859_520_964 + 83_653_863 + 123_060_480  # UNet, VAE, text encoder


def two_steps(folder: Path) -> tuple[torch.Tensor, torch.Tensor, float, int]:
    """The edit, the VAE's round trip, seconds of loading and editing, and this process's peak memory in bytes."""
    started = time.perf_counter()
    prior = StableDiffusionPrior.load(str(folder), device="cpu")
    parts = (prior.unet, prior.vae, prior.text_encoder)
    assert sum(p.numel() for part in parts for p in part.parameters()) == PARAMETERS
    image = torch.rand(3, 512, 512, generator=torch.Generator().manual_seed(0))
    case = EditInput("a", image, "a red cube", "a blue ball")
    (output,) = edit_batch(prior, Piva(aux={"lr": 1e-2}), [case], steps=STEPS, seed=0)
    assert output.error is None
    seconds = time.perf_counter() - started
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return output.image, prior.decode(prior.encode(image[None]))[0], seconds, int(line.split()[1]) * 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_two_steps_of_piva_at_512x512(tmp_path, capsys):
    folder = write_pipeline(tmp_path / "sd-1.5", FULL_SD_1_5, torch.float16)  # half the disk; it runs in float32
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        image, unedited, seconds, peak = executor.submit(two_steps, folder).result()
    reckoned = estimate(STABLE_DIFFUSION_1_5, Piva(), 1, torch.float32).peak
    with capsys.disabled():
        threads, gib = torch.get_num_threads(), 2**30
        print(
            f"\nSD 1.5, {STEPS} steps of Piva at 512x512 on {threads} threads, float32: {seconds:.0f} s with loading, "
            f"peak {peak / gib:.1f} GiB of the process, {reckoned / gib:.1f} GiB of tensors by the estimate"
        )
    assert image.shape == (3, 512, 512)
    assert image.isfinite().all()
    assert (image - unedited).abs().max() > 1e-3
    assert 0.9 * reckoned < peak < reckoned + 4 * gib  # packages, workspaces of kernels, and what the allocator keeps
