"""The command line: `piva COMMAND ...`. Nothing heavy is imported before a command needs it.

Exit codes: 0 complete, 1 some cases failed, 2 bad configuration (before any work), 3 preflight failed (weights, data,
disk, device), 130 interrupted.
"""

import atexit
import gc
import sys
import warnings
from collections.abc import Sequence

from piva.errors import BAD_CONFIGURATION, COMPLETE, INTERRUPTED, PREFLIGHT_FAILED, ConfigError, PreflightError
from piva.registry import resolve, unknown

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("piva.commands.run:main", "edit and score the cases of a benchmark; continues where it stopped"),
    "edit": ("piva.commands.edit:main", "edit one picture"),
    "reconstruct": ("piva.commands.reconstruct:main", "fit a radiance field to a captured scene"),
    "edit-scene": ("piva.commands.edit_scene:main", "reconstruct a captured scene, and edit it in 3D"),
    "render": ("piva.commands.render:main", "a video of a radiance field along a camera path"),
    "score": ("piva.commands.score:main", "score a stored run again, with other metrics, without editing"),
    "score-folder": ("piva.commands.score_folder:main", "score anyone's edited images, named by case id"),
    "runs": ("piva.commands.runs:main", "what runs there are: cases done, failed, left; when, and how large"),
    "watch": ("piva.commands.watch:main", "runs while they go on: progress, means so far, errors, time left"),
    "show": ("piva.commands.show:main", "one run: settings, scores with intervals, failures"),
    "compare": ("piva.commands.compare:main", "two runs on the same cases: paired differences"),
    "report": ("piva.commands.report:main", "tables (Markdown, CSV) and a page with every edit"),
    "frontier": ("piva.commands.frontier:main", "two methods over their settings: a figure, and matched comparisons"),
    "sweep": ("piva.commands.sweep:main", "plan and run the settings of a sweep file (W&B format)"),
    "study": ("piva.commands.study:main", "ablation studies: their sweeps, and a page made from the records"),
    "list": ("piva.commands.listing:main", "methods, benchmarks or metrics"),
    "toybox": ("piva.commands.toybox:main", "the embedded world: write data, train, measure, sample"),
    "check": ("piva.commands.check:main", "this machine (env), data (data DIR), a run (run RUN), a GPU (memory)"),
    "merge": ("piva.commands.merge:main", "shards of a run, or copies from several machines, become one run"),
    "archive": ("piva.commands.archive:main", "records to publish: without pictures, and what names the machine"),
    "gc": ("piva.commands.gc:main", "what no run points to; removed only when asked"),
}
"""Command -> where it is, and what it does."""

RARE_COLLECTIONS = (100_000, 50, 50)
"""Python's garbage collector looks through five thousand freshly imported modules again and again and finds nothing: a
fifth of the seconds before an edit begins. Ours."""

HELP = """\
usage: piva COMMAND ...

Edit images by score distillation, score the edits, keep every run, compare methods.

commands:
{commands}

examples:
  piva edit photo.png --source "a red cube on grass" --target "a blue cube on grass"
  piva run pie-toybox --method piva --method.lam 0.4 --limit 20
  piva run pie-toybox --method dds --method.guidance=3 --steps 100
  piva compare RUN RUN          a RUN is a folder, or the beginning of its key
  piva report                   tables and page of everything below runs/

`piva COMMAND --help` tells more.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP.format(commands="\n".join(f"  {name:<14}{about}" for name, (_, about) in COMMANDS.items())), end="")
        return COMPLETE if arguments else BAD_CONFIGURATION
    if arguments[0] in ("-V", "--version"):
        from piva import __version__

        print(f"piva {__version__}")
        return COMPLETE
    try:
        return _run(arguments[0], arguments[1:])
    except ConfigError as problem:
        print(f"piva: {problem}", file=sys.stderr)
        return BAD_CONFIGURATION
    except PreflightError as problem:
        print(f"piva: {problem}", file=sys.stderr)
        return PREFLIGHT_FAILED
    except KeyboardInterrupt:
        print("\npiva: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `piva list | head`
        sys.stderr.close()
        return COMPLETE


def _run(name: str, arguments: list[str]) -> int:
    if name not in COMMANDS:
        raise ConfigError(unknown("command", name, COMMANDS))
    warnings.formatwarning = lambda message, *_: f"piva: {message}\n"  # one line each, without the code behind it
    gc.set_threshold(*RARE_COLLECTIONS)
    atexit.register(gc.freeze)  # nor does anybody look through them on the way out: another second
    command = resolve("command", {name: where for name, (where, _) in COMMANDS.items()}, name)
    return int(command(arguments))


if __name__ == "__main__":
    sys.exit(main())
