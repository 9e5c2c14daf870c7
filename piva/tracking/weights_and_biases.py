"""Weights & Biases, through Lightning's WandbLogger."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from piva.records import CaseRecord, RunRecord
from piva.tracking.mirror import Look
from piva.tracking.overview import CoursePoints, Pictured, Tally, goal, numbers, pair, settings
from piva.tracking.wandb_session import agent_waits, begin, leave_sweep

AXES = {"live/*": "update", "case/*": "cases", "mean/*": "cases", "edit/*": "step", "course/*": "step"}
"""What is plotted against what."""


class WandbMirror:
    """One W&B run: group = benchmark, job type = method, id = edit_key (`piva.tracking.wandb_session`).

    `live/*` are the scalars of every update, in the order in which batches ran; `case/*` the scores of each case, and
    the sizes of its auxiliaries; `mean/*` their means over the cases so far, which a sweep can take as its metric;
    `edit/<case>` pictures of an edit on its way, `course/<case>/*` its scores then; `turntable/<case>` a video.

    Args:
        tags: besides split and prior.
    """

    def __init__(self, tags: Sequence[str] = ()) -> None:
        self._tags = tags

    def start(self, record: RunRecord, folder: Path) -> None:
        import wandb
        from lightning.pytorch.loggers import WandbLogger

        self._wandb, self._folder, self._is_agents = wandb, folder, agent_waits()
        self._run = begin(record, folder, settings(record), self._tags)
        self._logger = WandbLogger(experiment=self._run)
        for axis in dict.fromkeys(AXES.values()):
            self._run.define_metric(axis)
        for names, axis in AXES.items():
            self._run.define_metric(names, step_metric=axis)
        for name in record.metrics:
            self._run.define_metric(f"case/{name}", step_metric="cases", summary=_best(name))
        self._tally, self._course, self._pictured = Tally(record, folder), CoursePoints(), Pictured()
        self._update, self._told = self._tally.updates, False

    def step(self, values: Mapping[str, float]) -> None:
        self._logger.log_metrics({"update": self._update, **{f"live/{name}": value for name, value in values.items()}})
        self._update += 1

    def look(self, look: Look) -> None:
        shown = {case_id: picture for case_id, picture in look.pictures.items() if self._pictured.shows(case_id)}
        pictures = {f"edit/{case_id}": self._picture(picture, case_id) for case_id, picture in shown.items()}
        self._log({"step": look.step, **self._course.seen(look), **pictures})

    def case(self, record: CaseRecord, source: Any, edited: Any) -> None:
        self._tally.add(record)
        if record.status != "ok":
            self._log({"cases": self._tally.scored, "failed": self._tally.failed})
            return
        known = {f"case/{name}": value for name, value in numbers(record).items() if value is not None}
        if edited is not None and self._pictured.shows(record.case_id):
            text = f"{record.case_id}: {record.src} -> {record.tgt}"
            known["case/pair"] = self._picture(pair(source, edited), text)
        self._tell_means(known)
        self._show_scene(record)

    def _tell_means(self, known: Mapping[str, Any]) -> None:
        means = {f"mean/{name}": value for name, value in self._tally.means().items()}
        self._log({"cases": self._tally.scored, **known, **means})
        self._told = True

    def _show_scene(self, record: CaseRecord) -> None:
        if record.turntable is not None:
            video = self._wandb.Video(str(self._folder / record.turntable), format="mp4", caption=record.tgt)
            self._log({f"turntable/{record.case_id}": video})
        for step, scores in self._course.rest(record):
            self._log({"step": step, **scores})

    def finish(self) -> None:
        try:
            self._tell_result()
        finally:
            self._run.finish(exit_code=0 if self._tally.is_complete else 1)
            if self._is_agents:
                leave_sweep()

    def _tell_result(self) -> None:
        if not self._told and self._tally.scored:  # nothing was left to do, and a sweep wants its metric
            self._tell_means({})
        best = {f"case/{name}": {_best(name): value} for name, value in self._tally.best().items()}
        self._run.summary.update({"n": self._tally.scored, "failed": self._tally.failed, **best})
        columns, rows = self._tally.table()
        self._logger.log_table("cases_table", columns, rows)

    def _log(self, values: dict[str, Any]) -> None:
        self._logger.log_metrics(values)

    def _picture(self, image: Any, caption: str) -> Any:
        """W&B's image of a tensor [3,H,W] in [0,1]."""
        pixels = (255 * image.detach().float().cpu().clamp(0, 1)).round().byte()
        return self._wandb.Image(pixels.permute(1, 2, 0).numpy(), caption=caption)


def _best(name: str) -> str:
    """What W&B keeps of the cases' values in its summary: the best, where higher or lower is better."""
    return {"maximize": "max", "minimize": "min"}.get(goal(name) or "", "none")
