"""Small runs on the disk for the tests of reports."""

from harness_world import case_record, launch, run_record, write_run

from reports.reading import load_runs


def make(root, key, method, values, planned=None, cases=(), record=None, made=None):
    """A run whose case k has lpips values[k]; further records in `cases`."""
    ids = [f"{k:012d}" for k in range(len(values))]
    ended = [
        case_record(id_, type_id=str(k % 2), metrics={"lpips": v, "saturation_shift": -v if v is not None else None},
                    reasons={} if v is not None else {"lpips": "no weights"}, seconds_edit=2.0, unet_rows=800)
        for k, (id_, v) in enumerate(zip(ids, values, strict=True))
    ]  # fmt: skip
    metrics = {"lpips": "lpips@1", "saturation_shift": "sat@1"}
    facts = {"launches": [launch(planned or ids, **(made or {}))], "metrics": metrics} | (record or {})
    write_run(root / "pie-toybox" / f"{method}-{key}", run_record(key, method, **facts), [*ended, *cases])


def four_runs(root):
    """dds, piva with two lambdas and copy, over the same four cases of two types."""
    make(root, "aa11", "dds", [0.1, 0.2, 0.3, 0.4])
    make(root, "bb22", "piva", [0.05, 0.25, 0.1, 0.1], record={"settings": {"guidance": 7.5, "lam": 0.4}})
    make(root, "cc33", "piva", [0.05, 0.1, 0.1, 0.1], record={"settings": {"guidance": 7.5, "lam": 1.0}})
    make(root, "dd44", "copy", [0.0, 0.0, 0.0, 0.0], record={"settings": {}})
    return load_runs([], root)
