"""A sweep on W&B's server: created by W&B's own client, in a process of its own that can neither ask nor hang.

`python -m benchmarks.sweeps.server` is that process: it reads what to create from its standard input, and its last line
says what became of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from io import StringIO
from typing import Any

from piva.errors import PreflightError

LAUNCH_SECONDS = 60.0
"""W&B's client tries an address that does not answer for minutes (ours)."""


@dataclass(frozen=True)
class Created:
    """A sweep on the server."""

    id: str
    entity: str | None
    project: str | None
    url: str | None

    @property
    def path(self) -> str:
        """What `wandb agent` takes."""
        return "/".join(part for part in (self.entity, self.project, self.id) if part)


def create(config: Any, project: str, entity: str | None, seconds: float = LAUNCH_SECONDS) -> Created:
    """Creates the sweep; what the server has to say of the file goes to the standard error.

    Args:
        config: the sweep file's content.

    Raises:
        PreflightError: the server refuses, or does not answer in time.
    """
    given = json.dumps({"config": config, "project": project, "entity": entity})
    command = [sys.executable, "-m", "benchmarks.sweeps.server"]
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise PreflightError(f"W&B's server did not answer within {seconds:g} seconds") from None
    said = done.stderr.strip()
    if done.returncode != 0:
        raise PreflightError(f"W&B's server did not create the sweep: {said.splitlines()[-1] if said else 'no reason'}")
    if said:
        print(said, file=sys.stderr)
    return Created(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Creates one sweep, and prints what it is called."""
    import wandb
    from wandb import env

    given, said = json.load(sys.stdin), StringIO()
    with redirect_stdout(said):
        id_ = wandb.sweep(given["config"], entity=given["entity"], project=given["project"])
    urls = [line.partition(": ")[2] for line in said.getvalue().splitlines() if line.startswith("Sweep URL: ")]
    created = Created(id_, env.get_entity(), env.get_project(), urls[0] if urls else None)
    print(json.dumps(asdict(created)))


if __name__ == "__main__":
    main()
