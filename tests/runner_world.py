"""A run of pictures on the stand-ins of `harness_world`."""

from harness_world import PlainScorer, brighten, write_bench

from benchmarks.pictures.runner import Job, execute
from benchmarks.running.plan import compose, spread
from piva.data.pie_bench import read
from piva.disk import now
from piva.provenance import collect
from piva.records import Launch, RunFolder, RunRecord, read_cases


class Run:
    """A run of the stand-ins in a temporary folder; `go` does what remains."""

    def __init__(self, tmp_path, n=10, size=(16, 16)):
        self.root, self.path, self.size = tmp_path / "bench", tmp_path / "run", size
        write_bench(self.root, n)
        self.scorer = PlainScorer()

    def go(
        self,
        edit=brighten,
        batch_size=4,
        score_key="k",
        observers=(),
        goes_on=lambda: True,
        overwrite="retry-errors",
        **facts,
    ):
        cases = spread(read(self.root), None)
        launch = Launch(started=now(), planned=[c.id for c in cases], batch_size=batch_size, provenance=collect())
        record = RunRecord(
            edit_key="e", score_key=score_key, benchmark="pie-bench", benchmark_version=1, root=str(self.root),
            method="dds", method_version=1, settings={}, prior={}, steps=3, seed=0, metrics={}, launches=[launch],
        )  # fmt: skip
        with RunFolder(self.path) as folder:
            folder.write_run(record)
            plan = compose(cases, batch_size, read_cases(self.path), score_key, self.path, overwrite=overwrite)
            job = Job(folder, record, lambda case: self.size, edit, self.scorer, observers, goes_on, **facts)
            execute(job, plan)
        return read_cases(self.path)
