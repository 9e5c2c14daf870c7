"""The command line of a point: what W&B's agent would run, without the words that start piva."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from benchmarks.sweeps.command import ENVIRONMENT, after_piva
from benchmarks.sweeps.points import Point
from benchmarks.sweeps.schema import Sweep
from piva.commands.arguments import take
from piva.errors import ConfigError


def arguments(sweep: Sweep, point: Point) -> list[str]:
    """What follows `piva`, as in ["run", "pie-toybox", "--method", "piva", "--method.lam=0.4"].

    Raises:
        ConfigError: the command names an environment variable that is not set.
    """
    words: list[str] = []
    for word in after_piva(sweep.command, sweep.program) or ():
        word = ENVIRONMENT.sub(lambda match: _variable(sweep, match.group(1)), word)
        words += _flags(word[2:-1], sweep, point) if word.startswith("${") and word.endswith("}") else [word]
    return words


def out_folder(sweep: Sweep, given: Path | None = None) -> Path:
    """Folder of the sweep's runs: the one given, else the command's own --out, else runs/NAME."""
    if given is not None:
        return given
    named, _ = take("--out", arguments(sweep, {}))
    return Path(named) if named is not None else Path("runs") / sweep.name


def _flags(macro: str, sweep: Sweep, point: Point) -> list[str]:
    """The words that a macro stands for (wandb/sdk/launch/sweeps/utils.py, `create_sweep_command_args`)."""
    pairs = {name: f"{name}={value}" for name, value in point.items()}
    words: dict[str, Callable[[], list[str]]] = {
        "args": lambda: [f"--{pair}" for pair in pairs.values()],
        "args_no_equals": lambda: [word for name, value in point.items() for word in (f"--{name}", str(value))],
        "args_no_hyphens": lambda: list(pairs.values()),
        "args_no_boolean_flags": lambda: [
            f"--{name if value is True else pairs[name]}" for name, value in point.items() if value is not False
        ],
        "args_json": lambda: [json.dumps(dict(point))],
        "args_append_hydra": lambda: [f"+{pair}" for pair in pairs.values()],
        "args_override_hydra": lambda: [f"++{pair}" for pair in pairs.values()],
        "env": lambda: ["/usr/bin/env"],
        "interpreter": lambda: ["python"],
        "program": lambda: [sweep.program],
    }
    return words[macro]()


def _variable(sweep: Sweep, name: str) -> str:
    if name not in os.environ:
        raise ConfigError(f"{sweep.path}: command: the environment variable {name} is not set: export {name}=...")
    return os.environ[name]
