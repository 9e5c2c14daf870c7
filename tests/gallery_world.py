"""A small page of runs to look at: copy, dds (fails on case 1, has not done case 2) and piva on grey squares."""

import json
from pathlib import Path

import numpy as np
from harness_world import case_record, launch, run_record, write_bench, write_run
from PIL import Image

from piva.data.pie_bench import read
from reports.gallery import write_page
from reports.reading import Run, load_runs
from reports.tables.sheet import sheet

NASTY = (
    "<script>window.hurt = 1</script></script> & \"quotes\" 'single' {{ 7 * 7 }} <img src=x onerror='window.hurt = 1'>"
)
NAMES = ["lpips", "saturation_shift", "edit_success"]
METRICS = {"lpips": "lpips@1", "saturation_shift": "saturation-shift@1", "edit_success": "judge@1"}


def numbers(method: str, k: int) -> dict[str, float | None]:
    """Scores of case k: neither in the order of the ids nor alike for the methods; case 3 of piva has no shift."""
    level = {"copy": 0.0, "dds": 0.7, "piva": 0.3}[method]
    return {
        "lpips": level + (k * 7 % 10) / 20,
        "saturation_shift": None if (method, k) == ("piva", 3) else (k * 3 % 10 - 4.5) / 100,
        "edit_success": float(method == "piva" and k % 2 == 0),
    }


def write_runs(root: Path, n: int = 6, size: int = 16, target: str | None = None, **facts) -> list[Run]:
    """Three runs on `n` cases; of piva one more, empty, where it has a `label`.

    Args:
        target: the target prompt of case 0.
        facts: error and traceback of dds's failure; label, a setting of piva.
    """
    bench = write_bench(root / "bench", n=n, size=size)
    if target is not None:
        mapping = bench / "mapping_file.json"
        escaped = target.replace("\\", "\\\\").replace('"', '\\"')
        mapping.write_text(mapping.read_text().replace("a [bright] square number 0", escaped), encoding="utf-8")
    cases = read(bench)
    for key, method in enumerate(("copy", "dds", "piva")):
        folder = root / "runs" / "pie-toybox" / f"{method}-{key}"
        (folder / "images").mkdir(parents=True)
        records = [_record(folder, method, k, case, size, facts) for k, case in enumerate(cases)]
        settings = {"guidance": 7.5, "lam": facts.get("label", 1.0)} if method == "piva" else {"guidance": 7.5}
        made = run_record(
            f"{key:016x}", method, root=str(bench), image_size=(size, size), metrics=METRICS, settings=settings,
            launches=[launch([case.id for case in cases])],
        )  # fmt: skip
        write_run(folder, made, [record for record in records if record is not None])
    if "label" in facts:
        write_run(root / "runs" / "pie-toybox" / "piva-3", run_record("3" * 16, "piva", root=str(bench)), [])
    return load_runs([], root / "runs")


def _record(folder, method, k, case, size, facts):
    if (method, k) == ("dds", 2):
        return None
    level = np.random.default_rng(k).integers(0, 255, (size, size, 3), dtype=np.uint8)
    Image.fromarray(level).save(folder / "images" / f"{case.id}.png")
    known = {
        "scene": "cube" if k % 2 else "red cube",
        "type_id": case.type_id,
        "src": case.src,
        "tgt": case.tgt,
        "image": f"images/{case.id}.png",
    }
    if (method, k) == ("dds", 1):
        failure = {"status": "error", "stage": "edit", "error": facts.get("error", "RuntimeError: no"),
                   "traceback": facts.get("traceback", "Traceback: no")}  # fmt: skip
        return case_record(case.id, **known, **failure)
    return case_record(case.id, **known, metrics=numbers(method, k))


def write(root: Path, **facts) -> Path:
    """The page of `write_runs`, with a breakdown by type; dds is the baseline."""
    runs = write_runs(root, **facts)
    baseline = next(run for run in runs if run.record.method == "dds")
    sections = sheet("", runs, NAMES, [baseline], "", by=["type"]).sections
    title = "pie-toybox (version 1)"
    return write_page(root / "out", title, runs, NAMES, "piva report", against=baseline, sections=sections)


def write_scenes(root: Path) -> Path:
    """A page of two runs over one scene edit with views, their scores and a video; and one that failed."""
    for key, method in enumerate(("dds", "piva")):
        folder = root / "runs" / "noe-toybox" / f"{method}-{key}"
        own = folder / "scenes" / "cube"
        (own / "views").mkdir(parents=True)
        Image.new("RGB", (900, 300), "white").save(own / "views.png")
        (own / "turntable.mp4").write_bytes(b"not really a film")
        for k in range(12):
            for name, level in (("original", 40), ("edited", 120 + 60 * key)):
                Image.new("RGB", (16, 16), (level, 10 * k, 0)).save(own / "views" / f"{name}-{k:03}.png")
        (own / "by_view.json").write_text(
            json.dumps({"lpips": [0.1 * key + 0.01 * k for k in range(12)], "psnr": 12 * [None]})
        )
        files = {
            "field": "edited.safetensors",
            "image": "views.png",
            "turntable": "turntable.mp4",
            "by_view": "by_view.json",
        }
        below = {name: f"scenes/cube/{file}" for name, file in files.items()}
        cases = [
            case_record(
                "cube", type_id="appearance", metrics={"lpips": 0.1 + key}, src="a cube", tgt="a red cube", **below
            ),
            case_record("cone", type_id="addition", status="error", stage="edit", error="no"),
        ]
        record = run_record(
            f"{key:016x}", method, benchmark="noe-toybox", scenes={"views": 12}, image_size=(16, 16),
            launches=[launch(["cone", "cube"])],
        )  # fmt: skip
        write_run(folder, record, cases)
    runs = load_runs([], root / "runs")
    return write_page(root / "out", "noe-toybox (version 1)", runs, ["lpips"], "piva report")
