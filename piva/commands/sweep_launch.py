"""`piva sweep launch FILE`: the sweep on W&B's server, which then hands out points to `wandb agent`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, PreflightError

PROJECT = "piva"

ABOUT = """\
Creates the sweep on W&B's server, as `wandb sweep FILE` does, and says what its agents are started with. What the file
says of `piva run` is not tried: piva sweep plan FILE does that.

Without a key, or offline, nothing is created; piva sweep run FILE needs no server.

examples:
  piva sweep launch sweeps/lambda.yaml
  piva sweep launch sweeps/lambda-toybox.yaml --project my-project --entity my-team
"""


class LaunchConfig(Settings):
    """What `piva sweep launch` does."""

    file: Annotated[Path, tyro.conf.Positional] = runtime()
    """Sweep file."""

    project: str | None = runtime(None)
    """W&B's project; otherwise WANDB_PROJECT, the file's, or piva."""

    entity: str | None = runtime(None)
    """User or team; otherwise WANDB_ENTITY, the file's, or W&B's default for the key."""


def main(arguments: Sequence[str]) -> int:
    """Prints the sweep's id, address and agent command."""
    config = parse(LaunchConfig, "sweep launch", arguments, ABOUT)
    from benchmarks.sweeps.schema import read_sweep
    from benchmarks.sweeps.server import create
    from piva.tracking.wandb_session import wandb_mode

    sweep = read_sweep(config.file)
    other_way = f"without a server: piva sweep run {config.file}"
    if (mode := wandb_mode()) != "online":
        why = "W&B is switched off (WANDB_MODE)" if mode == "disabled" else "W&B is offline, or there is no key for it"
        raise PreflightError(f"{why}, so there is no server to launch on: wandb login; {other_way}")
    project = config.project or os.environ.get("WANDB_PROJECT") or sweep.project or PROJECT
    entity = config.entity or os.environ.get("WANDB_ENTITY") or sweep.entity
    try:
        created = create(dict(sweep.raw), project, entity)
    except PreflightError as problem:
        raise PreflightError(f"{problem}; {other_way}") from problem
    print(f"sweep  {created.id}")
    print(f"agent  wandb agent {created.path}")
    if created.url:
        print(f"page   {created.url}")
    return COMPLETE
