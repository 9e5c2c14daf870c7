"""Seconds a UNet row takes on this machine: from what was recorded here before, or from a second of measurement."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.costs.cost import Needs, Rates, Rows, needs_of
from piva.auxiliary.training import AuxiliaryTraining
from piva.errors import ConfigError
from piva.methods.piva import Piva
from piva.noise import DrawPlan
from piva.provenance import Provenance, collect
from piva.records import CASES_FILE, CaseRecord, RunRecord, read_cases, read_run, run_folders
from piva.scores import Row, ScoreEngine
from piva.step import TARGET

BACKWARD_RATIO = 2.3
"""Seconds of a row with backward over those of one without, where no record tells them apart (ours: Toybox, a CPU)."""

RUNS_READ = 20
"""Of the runs recorded, the latest so many are looked at."""

SECONDS_OF_MEASUREMENT = 0.5
"""For each kind of call."""

PNG_SHARE, RECORD_BYTES = 0.5, 2048
"""Size of a PNG over that of its pixels (ours: Toybox edits .45, photographs .6), and of a case's record."""


class Calibration:
    """Rates and sizes with one prior: from what is recorded below `outs`, else measured; once for each batch size.

    Args:
        weights: gives the prior with its weights, to be measured where `prior` has none.
        like: which runs take as long a row; of pictures all do, of scenes rows include rendering.
    """

    def __init__(
        self,
        prior: Any,
        method: Any,
        *outs: Path,
        weights: Callable[[], Any] | None = None,
        like: Callable[[RunRecord], bool] = lambda record: record.scenes is None,
    ):
        self.prior, self._method, self._weights = prior, method, weights
        self._earlier = [run for out in outs for run in earlier_runs(out) if like(run.record)]
        self._found = dict[int, Rates]()

    def rates(self, batch: int) -> Rates:
        """Of edits of so many cases together."""
        if batch not in self._found:
            self._found[batch] = self.recorded(batch) or self._measured(batch)
        return self._found[batch]

    def recorded(self, batch: int) -> Rates | None:
        """The same, from records alone."""
        return recorded_rates(self._earlier, self.prior, batch)

    @property
    def case_bytes(self) -> int:
        """Of a case's image and record."""
        return case_bytes(self._earlier, self.prior.image_size)

    def _measured(self, batch: int) -> Rates:
        """Rates from the calls of the method; where it trains nothing, the rows with backward are Piva's."""
        method, needs = self._method, needs_of(self._method)
        if not getattr(method, "auxiliaries", ()):
            method = Piva(t_min=0, t_max=len(self.prior.abar) - 1)
            piva = needs_of(method).step
            needs = Needs(step=Rows(needs.step.forward or piva.forward, piva.backward))
        return measured_rates(self._weights() if self._weights else self.prior, method, needs, batch)


@dataclass(frozen=True)
class Earlier:
    """A run that was recorded before."""

    path: Path
    record: RunRecord
    cases: Sequence[CaseRecord]


def earlier_runs(out: Path) -> list[Earlier]:
    """Those of the latest RUNS_READ runs below `out` that can be read."""
    folders = [folder for folder in run_folders(out) if (folder / CASES_FILE).is_file()]
    folders.sort(key=lambda folder: (folder / CASES_FILE).stat().st_mtime, reverse=True)
    found = []
    for folder in folders[:RUNS_READ]:
        try:
            found.append(Earlier(folder, read_run(folder), tuple(read_cases(folder).values())))
        except ConfigError:  # a damaged record is in the way of a report, not of an estimate
            continue
    return found


def fit(edits: Sequence[tuple[Rows, float]]) -> tuple[float, float]:
    """(forward, backward) seconds a row that leave the least squared relative errors of these edits' seconds.

    Where the edits do not tell the two apart (all of one method, say), their ratio is taken to be BACKWARD_RATIO.
    """
    shares = np.array([(rows.forward / seconds, rows.backward / seconds) for rows, seconds in edits])
    if np.linalg.cond(shares) < 30:
        forward, backward = np.linalg.lstsq(shares, np.ones(len(edits)), rcond=None)[0]  # shares @ rates = 1
        if 0 < forward < backward:
            return float(forward), float(backward)
    combined = shares @ (1.0, BACKWARD_RATIO)
    forward = combined.sum() / np.square(combined).sum()
    return float(forward), float(BACKWARD_RATIO * forward)


def recorded_rates(runs: Sequence[Earlier], prior: Any, batch: int) -> Rates | None:
    """Rates from edits with the same prior on the same machine, as many together; None where there are none."""
    here = collect(str(prior.device))
    edits = [
        (_rows(case), case.seconds_edit)
        for run in runs
        if run.record.prior.get("fingerprint") == prior.fingerprint
        for case in run.cases
        if case.seconds_edit and case.unet_rows and case.batch == batch
        if _same_machine(run.record.launches[case.launch].provenance, here)
    ]
    return Rates(*fit(edits), f"fitted to {len(edits)} edits recorded before") if edits else None


def measured_rates(prior: Any, method: Any, needs: Needs, batch: int) -> Rates:
    """Rates from a few calls of the kinds and sizes that the method makes, on the prior itself."""
    case_ids = tuple(str(case) for case in range(batch))
    z = torch.zeros(batch, *prior.latent_shape, device=prior.device)
    draws = DrawPlan(0, case_ids, method.t_min, method.t_max, prior.abar.cpu(), z)
    adapters = {name: prior.adapter(method.aux, 0, case_ids) for name in method.auxiliaries}
    depth = torch.zeros(batch, 1, *prior.image_size, device=prior.device)
    engine = ScoreEngine(prior, [("a picture", "another picture")] * batch, adapters, depth=depth)
    rows, t = [Row(z, TARGET)] * max(needs.step.forward, 1), draws.at(0).t
    with torch.no_grad():
        forward = _seconds(lambda: engine.outputs(rows, t), prior.device) / (len(rows) * batch)
    if not (needs.start + needs.step + needs.psi).backward:
        return Rates(forward, BACKWARD_RATIO * forward, "measured now")
    training = AuxiliaryTraining(method.aux, adapters, draws, half=prior.half)
    try:
        with torch.enable_grad():
            backward = _seconds(lambda: training.fresh_pass(engine, z, z, 0, "calibration/"), prior.device)
    except torch.cuda.OutOfMemoryError:  # a method that trains nothing may fit all the same
        return Rates(forward, BACKWARD_RATIO * forward, f"measured now, but training {batch} together does not fit")
    return Rates(forward, backward / (len(training.names) * batch), "measured now")


def case_bytes(runs: Sequence[Earlier], image_size: tuple[int, int]) -> int:
    """Bytes of a case's image and record: the mean of what was recorded at this size, else an estimate."""
    same = [run for run in runs if run.record.image_size == tuple(image_size)]
    images = [run.path / case.image for run in same for case in run.cases if case.image]
    sizes = [image.stat().st_size for image in images if image.is_file()]
    if not sizes:
        return round(3 * image_size[0] * image_size[1] * PNG_SHARE) + RECORD_BYTES
    lines = sum((run.path / CASES_FILE).stat().st_size for run in same)
    return round((sum(sizes) + lines) / len(sizes))


def _rows(case: CaseRecord) -> Rows:
    """What a case's edit took, the training of its stored psi included, as its seconds are."""
    total, backward = case.unet_rows or 0, case.unet_rows_backward or 0
    return Rows(total - backward, backward + (case.psi_rows or 0))


def _same_machine(made: Provenance, here: Provenance) -> bool:
    return (made.device, made.cpu, made.threads) == (here.device, here.cpu, here.threads)


def _seconds(call: Callable[[], Any], device: torch.device) -> float:
    """Median wall time of `call`, after one that warms up."""
    times: list[float] = []
    call()
    while sum(times) < SECONDS_OF_MEASUREMENT:
        _wait(device)
        start = time.perf_counter()
        call()
        _wait(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
