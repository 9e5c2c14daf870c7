"""`piva sweep COMMAND FILE`: a sweep file in W&B's format, with W&B's server or without one."""

from collections.abc import Sequence

from piva.errors import BAD_CONFIGURATION, COMPLETE, ConfigError
from piva.registry import resolve, unknown

COMMANDS: dict[str, tuple[str, str]] = {
    "plan": ("piva.commands.sweep_plan:main", "the points, what of them is done, and what the rest would take"),
    "run": ("piva.commands.sweep_run:main", "do what is missing or failed, without a server"),
    "status": ("piva.commands.sweep_status:main", "each point done, running, failed, pruned or missing"),
    "table": ("piva.commands.sweep_table:main", "every point with its scores; as Markdown or CSV too"),
    "best": ("piva.commands.sweep_best:main", "the best point, how sure that is, and its command"),
    "launch": ("piva.commands.sweep_launch:main", "create the sweep on W&B's server, for `wandb agent`"),
}
"""Command -> where it is, and what it does."""

HELP = """\
usage: piva sweep COMMAND FILE

A sweep file says which settings of `piva run` are tried (W&B's format); sweeps/README.md lists those that come with
piva. What is recorded on disk is the truth: nothing is done twice, and a sweep that was stopped goes on.

commands:
{commands}

examples:
  piva sweep plan sweeps/lambda-toybox.yaml
  piva sweep run sweeps/lambda-toybox.yaml        any number of workers, on any number of machines
  piva sweep table sweeps/lambda-toybox.yaml --into lambda.md
  piva sweep launch sweeps/lambda.yaml

`piva sweep COMMAND --help` tells more.
"""


def main(arguments: Sequence[str]) -> int:
    """Runs the command that the first argument names."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP.format(commands="\n".join(f"  {name:<9}{about}" for name, (_, about) in COMMANDS.items())), end="")
        return COMPLETE if arguments else BAD_CONFIGURATION
    name, *rest = arguments
    if name not in COMMANDS:
        raise ConfigError(unknown("sweep command", name, COMMANDS))
    command = resolve("sweep command", {known: where for known, (where, _) in COMMANDS.items()}, name)
    return int(command(rest))
