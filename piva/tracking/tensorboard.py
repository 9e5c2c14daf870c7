"""TensorBoard, through Lightning's TensorBoardLogger: event files in the run's folder, in `tensorboard/`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from piva.records import CaseRecord, RunRecord
from piva.tracking.mirror import Look
from piva.tracking.overview import CoursePoints, Pictured, Tally, numbers, pair, settings


class TensorBoardMirror:
    """The names that W&B has, each against its own axis: updates, cases, or updates of one case.

    A later launch adds a file, and TensorBoard shows all as one run. Settings and means stand on its HPARAMS page.
    """

    def start(self, record: RunRecord, folder: Path) -> None:
        from lightning.pytorch.loggers import TensorBoardLogger

        self._logger = TensorBoardLogger(str(folder), name="tensorboard", version="", default_hp_metric=False)
        self._settings = settings(record)
        self._tally, self._course, self._pictured = Tally(record, folder), CoursePoints(), Pictured()
        self._update = self._tally.updates

    def step(self, values: Mapping[str, float]) -> None:
        self._logger.log_metrics({f"live/{name}": value for name, value in values.items()}, self._update)
        self._update += 1

    def look(self, look: Look) -> None:
        self._logger.log_metrics(self._course.seen(look), look.step)
        for case_id, picture in look.pictures.items():
            if self._pictured.shows(case_id):
                self._show(f"edit/{case_id}", picture, look.step)

    def case(self, record: CaseRecord, source: Any, edited: Any) -> None:
        self._tally.add(record)
        cases = self._tally.scored
        if record.status == "ok":
            known = {f"case/{name}": value for name, value in numbers(record).items() if value is not None}
            self._logger.log_metrics(known | self._means(), cases)
        if edited is not None and self._pictured.shows(record.case_id):
            self._show("case/pair", pair(source, edited), cases)
        for step, scores in self._course.rest(record):
            self._logger.log_metrics(scores, step)

    def finish(self) -> None:
        self._logger.log_hyperparams(self._settings, self._means(), self._tally.scored)
        self._logger.finalize("success")

    def _means(self) -> dict[str, float]:
        return {f"mean/{name}": value for name, value in self._tally.means().items()}

    def _show(self, name: str, picture: Any, step: int) -> None:
        self._logger.experiment.add_image(name, picture.detach().float().cpu().clamp(0, 1), step)
