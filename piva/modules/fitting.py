"""Lightning's loop for the modules here: so many steps, nothing printed, written or guessed."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment


def fit(module: L.LightningModule, steps: range, device: torch.device) -> None:
    """One `training_step` for each number of `steps`; the module is on the device afterwards.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM.
    """
    where: dict[str, Any] = {"accelerator": device.type, "devices": 1}
    if device.type == "cuda":
        where["devices"] = [device.index or 0]
    with _quiet():
        trainer = L.Trainer(
            max_epochs=1, barebones=True, inference_mode=False, plugins=[LightningEnvironment()], **where
        )
        try:
            trainer.fit(module, train_dataloaders=steps)
        except SystemExit:  # what Lightning makes of Ctrl-C and SIGTERM, with code 0; and the next Ctrl-C is ignored
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
    module.to(device)  # Lightning leaves it on the CPU


@contextmanager
def _quiet() -> Iterator[None]:
    """No notes from Lightning about devices, loaders and loggers."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
