"""`piva study [NAME]`: an ablation study, its sweeps and its page."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, INTERRUPTED, SOME_FAILED, ConfigError

if TYPE_CHECKING:
    from benchmarks.sweeps.schema import Sweep
    from reports.studies.study import Part, Study

ABOUT = """\
Ablation studies: sweeps over one question, and a page with tables and figures made from what they recorded.

Without NAME, the studies. With it, what is missing of its sweeps is run (stopped at any point, the same command goes
on), then reports/NAME.md is written: what stands between its markers is made anew, what was written around them stays.
Everything behind -- is added to every run's flags, so that another prior is one flag away.

examples:
  piva study
  piva study lambda --dry-run
  piva study lambda --workers 2
  piva study lambda --report-only
  piva study lambda --out runs/sd15 --reports sd15 -- --prior.model stable-diffusion-v1-5/stable-diffusion-v1-5
"""


class StudyConfig(Settings):
    """What `piva study` does."""

    name: Annotated[str | None, tyro.conf.Positional] = runtime(None)
    """The study; all are listed without it."""

    report_only: bool = runtime(False)
    """Run nothing: make the page of what is recorded; without --out and without runs here, of the records that are in
    the repository (reports/records/studies)."""

    dry_run: bool = runtime(False)
    """Do nothing: say what is missing, and what that would take."""

    workers: int = runtime(1, ge=1)
    """Processes on this machine, which share its cores."""

    out: Path | None = runtime(None)
    """Folder of the runs; runs/studies/NAME otherwise."""

    reports: Path = runtime(Path("reports"))
    """Folder of the page and its figures."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: of the sweeps; complete where none is run."""
    given = list(arguments)
    place = given.index("--") if "--" in given else len(given)
    config = parse(StudyConfig, "study", given[:place], ABOUT)
    from piva.registry import resolve
    from reports.studies import STUDIES

    if config.name is None:
        return _list()
    study, flags = resolve("study", STUDIES, config.name), given[place + 1 :]
    out = _folder_of(config)
    with TemporaryDirectory() as nowhere:
        files = Path(nowhere) if config.report_only else out / "sweeps"
        sweeps, code = _carried_out(study, _sweeps(study, flags, files), out, files, config)
        if config.dry_run or code == INTERRUPTED:
            return code
        words = ["piva", "study", config.name, *(["--out", str(config.out)] if config.out else [])]
        print(f"page: {_page(study, sweeps, out, config.reports, [*words, *(['--', *flags] if flags else [])])}")
    return code


def _folder_of(config: StudyConfig) -> Path:
    """Where the study's runs lie; for a page where none were made here, the records that the repository holds."""
    from reports.studies.study import RECORDS

    name = str(config.name)
    out = config.out or Path("runs") / "studies" / name
    kept = RECORDS / name
    return kept if config.report_only and config.out is None and not out.is_dir() and kept.is_dir() else out


def _list() -> int:
    """Prints the studies: question, runs, hours."""
    from rich.table import Table

    from piva.registry import resolve
    from reports.studies import STUDIES
    from reports.studies.study import runs_of
    from reports.tables.terminal import wide_console

    table = Table("study", "question", "sweeps", "runs", "hours")
    for name in STUDIES:
        study = resolve("study", STUDIES, name)
        runs = sum(runs_of(sweep) for sweep in study.sweeps())
        table.add_row(name, study.question, "\n".join(part.file for part in study.parts), str(runs), f"{study.hours:g}")
    console = wide_console()
    console.print(table)
    console.print("hours: of editing with Toybox on two cores; `piva study NAME --dry-run` counts what is left")
    return COMPLETE


def _sweeps(study: Study, flags: Sequence[str], files: Path) -> list[Sweep]:
    """The study's sweeps, with flags behind every run's arguments.

    Raises:
        ConfigError: a flag would send runs to another folder.
    """
    from reports.studies.study import with_flags

    if any(flag.partition("=")[0] == "--out" for flag in flags):
        raise ConfigError("--out goes before the --: it is the study's own")
    return [with_flags(sweep, flags, files) for sweep in study.sweeps()]


def _carried_out(
    study: Study, sweeps: Sequence[Sweep], out: Path, files: Path, config: StudyConfig
) -> tuple[list[Sweep], int]:
    """(the sweeps, later ones over what earlier ones found; exit code), planned, run one after another, or only read.

    Ends with the first that cannot be run.

    Args:
        out: the runs.
        files: where sweeps are written that differ from the study's own.
    """
    found: list[Sweep] = []
    worst = COMPLETE
    for part, plain in zip(study.parts, sweeps, strict=True):
        sweep = _over_earlier(part, plain, found, out, files)
        found.append(sweep or plain)
        if config.report_only:
            continue
        if sweep is None:
            print(f"{part.file}: the parts before it, which its settings come from, are not done", file=sys.stderr)
            if not config.dry_run:
                worst = max(worst, SOME_FAILED)
                continue
            print("  planned with the methods' own defaults instead", file=sys.stderr)
        code = _run(found[-1], out, config)
        if code not in (COMPLETE, SOME_FAILED):
            return [*found, *sweeps[len(found) :]], code
        worst = max(worst, code)
    return found, worst


def _over_earlier(part: Part, sweep: Sweep, earlier: Sequence[Sweep], out: Path, files: Path) -> Sweep | None:
    """The part's sweep over what the parts before it found; None where they are not done."""
    if part.below is None:
        return sweep
    from reports.reading import load_runs
    from reports.studies.found import of_the_latest_data, settings_of
    from reports.studies.study import over

    runs = of_the_latest_data(load_runs([], out))
    values = part.below([setting for one in earlier for setting in settings_of(one, runs)])
    return None if values is None else over(sweep, values, files)


def _run(sweep: Sweep, out: Path, config: StudyConfig) -> int:
    """Plans a sweep, or runs it."""
    from piva.commands import sweep_plan, sweep_run

    words = [str(sweep.path), "--out", str(out)]
    return sweep_plan.main(words) if config.dry_run else sweep_run.main([*words, "--workers", str(config.workers)])


def _page(study: Study, sweeps: Sequence[Sweep], out: Path, folder: Path, command: Sequence[str]) -> Path:
    from reports.reading import load_runs
    from reports.studies.found import of_the_latest_data, settings_of
    from reports.studies.page import write_page

    runs = of_the_latest_data(load_runs([], out))
    settings = [setting for sweep in sweeps for setting in settings_of(sweep, runs)]
    return write_page(study, settings, folder, shlex.join(command))
