"""A batch on its way: it is looked at now and then, and a killed one goes on where it was."""

import pytest
import torch
from harness_world import PlainScorer, output, write_bench

from benchmarks.pictures import under_way
from benchmarks.pictures.runner import Job, execute
from benchmarks.running.plan import compose, spread
from piva.cli import main
from piva.data.pie_bench import read
from piva.disk import now
from piva.provenance import collect
from piva.records import Launch, RunFolder, RunRecord, read_cases


def climb(inputs, on_step, steps=range(6)):
    """Adds .02 a step, and shows every second."""
    images = torch.stack([case.image for case in inputs])
    for step in steps:
        line = {"step": step, "direction_rms": torch.ones(len(inputs))}
        on_step(line | ({"images": images + 0.02 * (step + 1)} if step % 2 else {}))
    return [output(case, image + 0.12) for case, image in zip(inputs, images, strict=True)]


def go(tmp_path, edit, **options):
    root, path = tmp_path / "bench", tmp_path / "run"
    if not root.exists():
        write_bench(root, 4)
    cases = spread(read(root), None)
    launch = Launch(started=now(), planned=[c.id for c in cases], batch_size=2, provenance=collect())
    record = RunRecord(
        edit_key="e", score_key="k", benchmark="pie-bench", benchmark_version=1, root=str(root), method="dds",
        method_version=1, settings={}, prior={}, steps=6, seed=0, metrics={}, launches=[launch],
    )  # fmt: skip
    with RunFolder(path) as folder:
        folder.write_run(record)
        plan = compose(cases, 2, read_cases(path), "k", path)
        execute(Job(folder, record, lambda case: (16, 16), edit, PlainScorer(), **options), plan)
    return read_cases(path)


def test_cases_are_scored_and_shown_at_their_intervals(tmp_path):
    looks = []
    cases = go(tmp_path, climb, metrics_every=4, image_every=2, on_look=looks.append)
    assert [(look.step, bool(look.scores)) for look in looks[:3]] == [(2, False), (4, True), (6, False)]
    assert set(looks[1].pictures) == set(looks[1].scores) == set(list(cases)[:2])
    for case in cases.values():
        assert case.course["step"] == [4]
        assert case.course["shift"] == [pytest.approx(0.08, abs=0.004)]
        assert 0 < case.seconds_edit < 0.5  # without what the looks took
    assert not any((tmp_path / "run" / under_way.FOLDER).iterdir())


def test_without_looks_there_is_no_course(tmp_path):
    cases = go(tmp_path, climb)
    assert {case.course for case in cases.values()} == {None}
    assert {case.seconds_edit for case in cases.values()} == {0.5}


def test_the_course_of_an_interrupted_batch_is_kept(tmp_path):
    def interrupted(inputs, on_step):
        climb(inputs, on_step, range(3))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, interrupted, metrics_every=2)
    assert len(list((tmp_path / "run" / under_way.FOLDER).iterdir())) == 2

    def resumed(inputs, on_step):
        return climb(inputs, on_step, range(3, 6) if inputs[0].case_id.endswith("0") else range(6))

    cases = go(tmp_path, resumed, metrics_every=2)
    assert [case.course["step"] for case in cases.values()] == [[2, 4, 6]] * 4
    assert not any((tmp_path / "run" / under_way.FOLDER).iterdir())


def test_a_command_that_was_interrupted_goes_on_inside_the_batch(tmp_path, tiny_pipeline_folder, monkeypatch):
    import benchmarks.running.progress as progress

    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", -1.0)
    root, seen = write_bench(tmp_path / "bench", n=2, size=32), []
    real = progress.Bar.step

    def step(self, values):
        seen.append(values["step"])
        if len(seen) == 4:
            raise KeyboardInterrupt
        real(self, values)

    monkeypatch.setattr(progress.Bar, "step", step)
    flags = ["--root", str(root), "--tracker", "none", "--steps", "5", "--metrics-every", "2"]
    flags += ["--method", "dds", "--prior.model", str(tiny_pipeline_folder), "--metrics", "psnr"]
    assert main(["run", "pie-bench", *flags, "--out", str(tmp_path / "a")]) == 130
    assert main(["run", "pie-bench", *flags, "--out", str(tmp_path / "a")]) == 0
    assert seen == [0, 1, 2, 3, 3, 4]  # step 3 was done, and lost
    assert main(["run", "pie-bench", *flags, "--out", str(tmp_path / "b")]) == 0
    a, b = (read_cases(next((tmp_path / name / "pie-bench").iterdir())) for name in "ab")
    assert [case.image_sha256 for case in a.values()] == [case.image_sha256 for case in b.values()]
    assert [case.course for case in a.values()] == [case.course for case in b.values()]
    assert [case.unet_rows for case in a.values()] == [case.unet_rows for case in b.values()]
