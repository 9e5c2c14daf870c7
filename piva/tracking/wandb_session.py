"""How a run of W&B begins and ends: which mode, under which id, and how long it is waited for.

Without a key W&B runs offline. It never asks for one; at the start it is waited for INIT_SECONDS at most, at the end
FINISH_SECONDS for what is still to be sent.

A run's id is its edit_key, so that a continued run is the same one: online it resumes; offline, where W&B ignores
`resume`, every launch leaves a segment of its own with that id. In a sweep of W&B the agent has made the run already,
and W&B allows no other id: the first run that the process mirrors is the agent's; further ones (`--seeds 0 1`) are runs
of their own outside the sweep. Of the agent's run the edit_key stands in the config. A shard (`--shard 1/2`) is a
run of its own, too, as several are written at once; its id is `<edit_key>-1-of-2`.
"""

import netrc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from piva.records import RunRecord
from piva.records.files import SHARDS

INIT_SECONDS = 20
FINISH_SECONDS = 120
AGENT = ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH")
"""What `wandb agent` sets for each run that it starts."""
TAG_LETTERS = 64
"""W&B allows no longer tag."""


def agent_waits() -> bool:
    """Whether `wandb agent` started this process and waits for its run."""
    return all(os.environ.get(name) for name in AGENT[:2])


def leave_sweep() -> None:
    """What follows in this process is not the agent's run; W&B reads its variables anew."""
    import wandb

    for name in AGENT:
        os.environ.pop(name, None)
    wandb.teardown()


def wandb_mode() -> Literal["online", "offline", "disabled"]:
    """online, offline or disabled, as W&B's variables and settings say; without a key never online."""
    import wandb

    settings: Any = wandb.setup().settings
    switched_off = os.environ.get("WANDB_DISABLED", "").lower() in ("true", "1")  # as transformers reads it
    if settings.mode == "disabled" or switched_off:
        return "disabled"
    if settings.mode in ("offline", "dryrun"):
        return "offline"
    return "online" if settings.api_key or _has_key(str(settings.base_url)) else "offline"


def _has_key(url: str) -> bool:
    """Whether there is a key for this server in the environment or in a netrc file."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    named = os.environ.get("NETRC")
    files = [Path(named).expanduser()] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]
    file = next((file for file in files if file.exists()), None)
    try:
        return file is not None and netrc.netrc(file).authenticators(urlsplit(url).netloc) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def begin(record: RunRecord, folder: Path, config: dict[str, Any], tags: Sequence[str]) -> Any:
    """The `wandb.Run` of a run: online, offline or disabled; offline too where the server does not answer."""
    import wandb

    provenance = record.launches[-1].provenance if record.launches else None
    settings = wandb.Settings(
        console="off",
        silent=True,
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
        reinit="create_new",  # else a run that is open in the process, as a dropped mirror leaves it, is taken for ours
        disable_git=True,
        disable_code=True,
        git_commit=provenance.git_commit if provenance else None,
    )
    place = [folder.parents[1].name, folder.name] if folder.parent.name == SHARDS else [folder.name]
    common = {
        "name": "-".join(place),
        "group": record.benchmark,
        "job_type": record.method,
        "tags": run_tags(record, tags),
        "dir": str(folder),
        "config": config,
        "resume": "allow",
        "settings": settings,
    }
    if not agent_waits():
        common |= {"project": os.environ.get("WANDB_PROJECT", "piva"), "id": "-".join([record.edit_key, *place[1:]])}
    try:
        return wandb.init(mode=wandb_mode(), **common)
    except wandb.errors.Error as problem:
        print(f"W&B cannot be reached ({problem}); logging offline", file=sys.stderr)
        wandb.teardown()  # it still holds the run's id
        return wandb.init(mode="offline", **common)


def run_tags(record: RunRecord, tags: Sequence[str]) -> list[str]:
    """Split and prior, those asked for, and those of WANDB_TAGS; each once."""
    asked = os.environ.get("WANDB_TAGS", "").split(",")
    known = [record.split or "", Path(str(record.prior.get("name", ""))).name, *tags, *asked]
    return [tag[:TAG_LETTERS] for tag in dict.fromkeys(tag.strip() for tag in known) if tag]
