"""Who does the work of each run of a sweep: the flags of `piva run` that say so, passed on by `piva sweep run`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pydantic import BaseModel

from benchmarks.running.watching import Watch
from benchmarks.sweeps.worker import Run, as_command
from piva.commands.arguments import take


def flags_of(settings: BaseModel, names: Collection[str] | None = None, prefix: str = "--") -> Iterator[str]:
    """The flags that settings come of, but for those that have their default; a tuple's values are words of their own.

    Example: `--executor=processes`, `--ray.gpus=0.5`, `--slurm.options`, `account=vision`.

    Args:
        names: of the fields that count; None: all.
    """
    for name, field in type(settings).model_fields.items():
        if names is not None and name not in names:
            continue
        value, flag = getattr(settings, name), prefix + name.replace("_", "-")
        if isinstance(value, BaseModel):
            yield from flags_of(value, prefix=f"{flag}.")
        elif value != field.get_default(call_default_factory=True):
            yield from [flag, *map(str, value)] if isinstance(value, tuple) else [f"{flag}={value}"]


def executed_by(run: Run, flags: Sequence[str]) -> Run:
    """`run` with flags that name an executor, for commands that name none themselves."""
    if not flags:
        return run

    def running(words: Sequence[str], watch: Watch) -> int:
        if take("--executor", words)[0] is not None:
            return run(words, watch)
        with as_command(["run", *words, *flags]):
            return run([*words, *flags], watch)

    return running
