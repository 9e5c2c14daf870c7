"""Shared fixtures: a Stable Diffusion pipeline of the real classes, tiny and randomly initialised."""

import os
import shutil
import signal
import string
from pathlib import Path

import pytest

WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if WORKERS > 1:  # they share the cores, as the programs do that they start; before torch is loaded
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // WORKERS)))

import torch  # noqa: E402


def pytest_configure() -> None:
    """Ctrl-C means what it means at a terminal, though a shell that starts us in the background has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data that is not in the repository; the one place that says so and skips."""
    if not os.environ.get("PIVA_REAL_DATA"):
        pytest.skip("PIVA_REAL_DATA is unset: it names a folder with real data, which is not in the repository")
    return Path(os.environ["PIVA_REAL_DATA"])


@pytest.fixture(scope="session")
def cuda() -> torch.device:
    """A CUDA device; the one place that skips without one."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return torch.device("cuda")


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium, driven by Playwright; the one place that skips without them."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = os.environ.get("PIVA_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no Chromium: none is on the PATH, and PIVA_CHROMIUM names none")
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"], timeout=120_000)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def tiny_pipeline_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusers pipeline folder: 32x32 images, latents 4x8x8, character tokens, epsilon prediction, 0.2 M weights."""
    folder = tmp_path_factory.mktemp("tiny-stable-diffusion")
    save_tiny_pipeline(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_prior(tiny_pipeline_folder: Path):
    """The tiny pipeline as a prior on the CPU, in float32."""
    from piva.priors.stable_diffusion import StableDiffusionPrior

    return StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu")


@pytest.fixture(scope="session")
def tiny_open_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """ "MODEL/FILE" of an open_clip architecture of two small towers at 32 pixels, with random weights in FILE."""
    import json

    import open_clip

    folder = tmp_path_factory.mktemp("tiny-open-clip")
    vision = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
    (folder / "tiny-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(open_clip.create_model("tiny-clip").state_dict(), folder / "weights.pt")
    return f"tiny-clip/{folder / 'weights.pt'}"


def save_tiny_pipeline(folder: Path) -> None:
    """Write the tiny pipeline; its UNet's last layer is scaled so that it puts out values of about unit size."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=8, in_channels=4, out_channels=4, block_out_channels=(16, 32), layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=32,
            attention_head_dim=4, norm_num_groups=4,
        )  # fmt: skip
        vae = AutoencoderKL(
            latent_channels=4, sample_size=32, block_out_channels=(8, 16, 16), norm_num_groups=4,
            down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
            mid_block_add_attention=False,
        )  # fmt: skip
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(_characters()) + 2, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                num_attention_heads=4, max_position_embeddings=40, bos_token_id=0, eos_token_id=1, pad_token_id=1,
            )
        )  # fmt: skip
        torch.nn.init.normal_(unet.conv_out.weight, std=0.1)
        for name, weight in unet.named_parameters():  # so that prompts matter in an untrained network
            if "attn2.to_out" in name or "attn2.to_v" in name:
                weight.data.mul_(3)
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        clip_sample=False, set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        vae=vae, unet=unet, text_encoder=text, tokenizer=_tokenizer(), scheduler=scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder, safe_serialization=True)


def _characters() -> list[str]:
    printable = string.ascii_lowercase + string.digits + string.punctuation
    return [*printable, *(character + "</w>" for character in printable)]


def _tokenizer():
    """CLIP's own tokenizer class with a vocabulary of single characters."""
    from transformers import CLIPTokenizer

    vocabulary = {token: i for i, token in enumerate(["<|startoftext|>", "<|endoftext|>", *_characters()])}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=40)
