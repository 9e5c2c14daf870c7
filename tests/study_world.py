"""Records of a study as its sweeps would leave them, with made-up scores."""

from pathlib import Path

from harness_world import case_record, launch, run_record, write_run

from piva.commands.run_settings import run_settings
from piva.data.pie_bench import EDIT_TYPES
from reports.reading import load_runs
from reports.studies.found import Setting, settings_of
from reports.studies.study import Part, Study

METRICS = ("clip_text", "edit_success", "lpips", "saturation_shift", "lpips_to_true", "psnr_to_true")


def setting_of(*words, part="part", run=None) -> Setting:
    """The setting of a command line, with a run or without."""
    benchmark, config = run_settings(words)
    return Setting(part, {}, benchmark.name, config, (run,))


def case_ids(per_type, types=tuple(EDIT_TYPES)):
    """As PIE-Toybox's: the type first."""
    return [f"{type_id}{k:011d}" for type_id in types for k in range(per_type)]


def write_setting(root: Path, setting: Setting, scores, ids=None, **facts):
    """A run for each seed of a setting.

    Args:
        scores: (config, seed, case id) -> metrics, or metrics and further facts of the record.
        facts: of the run's record.
    """
    config, ids = setting.config, ids or case_ids(2)
    for seed in config.seeds:
        cases = []
        for case_id in ids:
            found = scores(config, seed, case_id)
            more = found if "metrics" in found else {"metrics": found}
            cases.append(case_record(case_id, **{"type_id": case_id[0]} | more))
        number = len(list(root.glob("*/*")))
        record = run_record(
            f"{number:016x}", config.method.name, **{
                "benchmark": setting.benchmark, "settings": config.method.model_dump(mode="json"),
                "steps": config.steps, "seed": seed, "metrics": {name: f"{name}@1" for name in METRICS},
                "launches": [launch(ids)],
            } | facts,
        )  # fmt: skip
        write_run(root / setting.benchmark / f"{config.method.name}-{record.edit_key}", record, cases)


def write_sweep_records(root: Path, sweep, scores, ids=None):
    """Runs of every point of a sweep."""
    for setting in settings_of(sweep, []):
        write_setting(root, setting, scores, ids)


def found(study, root: Path) -> list[Setting]:
    """The study's settings with what is below `root`."""
    runs = load_runs([], root)
    return [setting for sweep in study.sweeps() for setting in settings_of(sweep, runs)]


def table_rows(lines, first):
    """Cells of the rows of the Markdown tables in `lines` whose first cell is this."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    return [row for row in rows if row[0] == first]


def toy_page(settings, figures):
    """A line for each setting."""
    return [
        f"guidance {setting.config.method.guidance:g}: {setting.interval('mse').mean:.4f}"
        for setting in settings
        if setting.run is not None
    ]


TOY = Study("toy", "Toy", "Which guidance?", (Part("sweep", 0.5),), toy_page)
"""Of the sweep in sweep_world.py."""
