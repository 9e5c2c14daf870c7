"""A small run for executors to do: the same words, whoever does the work."""

from pathlib import Path

from piva.records import read_cases

FLAGS = ("--method", "piva", "--method.aux.lr", "0.01", "--steps", "3", "--batch-size", "2", "--tracker", "csv")
TWO = ("--executor", "processes", "--workers", "2")


def words(bench: Path, out: Path, prior: Path, *flags: str) -> list[str]:
    """The arguments of a run of six cases in three batches of two."""
    return ["run", "pie-bench", "--root", str(bench), "--out", str(out), "--prior.model", str(prior), *FLAGS, *flags]


def only_run(out: Path) -> Path:
    """The folder of the only run below `out`."""
    (path,) = (out / "pie-bench").iterdir()
    return path


def outcome(out: Path) -> dict:
    """What a run has found, without what it took."""
    cases = read_cases(only_run(out)).values()
    return {case.case_id: (case.status, case.image_sha256, case.metrics, case.batch) for case in cases}


def updates(out: Path) -> int:
    """Updates of batches that the run's CSV tells of."""
    return updates_told(only_run(out) / "steps.csv")


def updates_told(file: Path) -> int:
    """Those that a CSV of steps tells of."""
    return sum(line.split(",")[1] == "direction_rms" for line in file.read_text().splitlines()[1:])
