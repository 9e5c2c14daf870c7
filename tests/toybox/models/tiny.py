"""Settings of trainings that take a second."""

from typing import Any

TINY: dict[str, Any] = {
    "batch_size": 4,
    "warmup_steps": 1,
    "log_every": 1,
    "checkpoint_minutes": 0,
    "precision": "float32",
}
TINY_VAE = {**TINY, "channels": (8, 8, 8), "crop": 16}
TINY_DIFFUSION = {**TINY, "channels": (32, 32, 32), "text_width": 32, "text_layers": 1, "paraphrases": 1}
TINY_CONTROLNET = {**TINY, "embedding_channels": (4, 8, 8), "paraphrases": 1, "sheet_every": 2}
