"""Stand-ins for the harness's tests: a small data set, a prior without a network, a cheap metric, ready records."""

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from piva.auxiliary.lora import StackedLoRA
from piva.disk import now
from piva.editing import EditInput, EditOutput
from piva.metrics.scorer import Scores
from piva.provenance import collect
from piva.records import CaseRecord, Launch, RunFolder, RunRecord

SIZE = 16


def write_bench(root: Path, n: int = 10, size: int = SIZE) -> Path:
    """`n` cases, spread over the ten types; case k is a grey image of level 20 k with a mask of its left half."""
    mapping = {}
    for k in range(n):
        case_id = f"{k:012d}"
        path = f"{k % 10}/{case_id}.png"
        file = root / "annotation_images" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((size, size, 3), 20 * k % 256, dtype=np.uint8)).save(file)
        mask = [value for row in range(size) for value in (row * size, size // 2)]
        mapping[case_id] = {
            "image_path": path,
            "original_prompt": f"a [grey] square number {k}",
            "editing_prompt": f"a [bright] square number {k}",
            "editing_instruction": "make it bright",
            "editing_type_id": str(k % 10),
            "blended_word": "square square",
            "mask": mask,
        }
    (root / "mapping_file.json").write_text(json.dumps(mapping))
    return root


def case_file(root: Path, k: int) -> Path:
    """The source image of case k."""
    return root / "annotation_images" / str(k % 10) / f"{k:012d}.png"


class PlainPrior:
    """The least that the harness asks of a prior; its latents are the images, and the noise it predicts is none."""

    prediction, half = "epsilon", False

    def __init__(self, size: int = SIZE) -> None:
        self.image_size, self.latent_shape = (size, size), (3, size, size)
        self.name, self.fingerprint = "plain", f"plain-{size}"
        self.device = torch.device("cpu")
        self.abar = torch.linspace(0.999, 0.001, 1000)
        self.cut_prompts: dict[str, str] = {}

    def adapter(self, settings, seed, case_ids) -> StackedLoRA:
        """Any layers will do: of one weight."""
        return StackedLoRA({"layer": torch.nn.Linear(1, 1)}, settings, len(list(case_ids)), self.device)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return images

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents * 0.5

    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        return torch.zeros(len(prompts), 1, 1)

    def predict(self, x: torch.Tensor, t: torch.Tensor, embedding: torch.Tensor, segments=()) -> torch.Tensor:
        weights = [weight.sum() for segment in segments for weight in segment.adapter.parameters()]
        return 0 * x + 0 * sum(weights)  # zeros that a gradient comes back through


class PlainScorer:
    """Mean of the edit, its distance to the source, and one number that never exists."""

    def __init__(self, version: int = 1) -> None:
        self.spec = {"level": f"level@{version}", "shift": "shift@1", "lpips": "lpips-none@1"}
        self.scored = 0

    def score_batch(self, inputs: Sequence) -> list[Scores]:
        self.scored += len(inputs)
        return [self._score(case) for case in inputs]

    def _score(self, case) -> Scores:
        level, shift = case.edited.mean().item(), (case.edited - case.src_image).mean().item()
        return Scores({"level": level, "shift": shift, "lpips": None}, {"lpips": "there are no weights"})


def brighten(inputs: Sequence[EditInput], on_step, steps: int = 3) -> list[EditOutput]:
    """Adds .2; a batch of several that holds a poisoned prompt fails as a whole, as a real one might."""
    if any("poison" in case.tgt for case in inputs):
        raise RuntimeError(f"poisoned batch of {len(inputs)}")
    for step in range(steps):
        on_step({"step": step, "direction_rms": torch.ones(len(inputs))})
    return [output(case, case.image + 0.2) for case in inputs]


def output(case: EditInput, image: torch.Tensor) -> EditOutput:
    """An edit's output with some costs."""
    return EditOutput(
        case_id=case.case_id, image=image.clamp(0, 1), seconds=0.5, unet_rows=12, unet_rows_backward=0, peak_bytes=None,
        history={"direction_rms": [3.0, 2.0, 1.0]}, error=None, aux_parameters=1000, aux_bytes=12_000_000,
    )  # fmt: skip


def use_plain_world(monkeypatch, size: int = SIZE, edit=None) -> PlainScorer:
    """Lets the command line run on the stand-ins: prior, scorer and, unless it is an identity row, the edit."""
    import benchmarks.pictures.launch as launch
    from benchmarks import models

    scorer, real = PlainScorer(), launch.editor
    stand_in = edit or brighten
    monkeypatch.setattr(models, "load_prior", lambda config, method=None: PlainPrior(size))
    monkeypatch.setattr(models, "prior_facts", lambda config, method=None: PlainPrior(size))
    monkeypatch.setattr(models, "load_scorer", lambda device, flags, pictures: scorer)
    monkeypatch.setattr(
        launch,
        "editor",
        lambda method, prior, steps, seed, *rest: (
            real(method, prior, steps, seed, *rest)
            if method.name in launch.IDENTITY_ROWS
            else lambda inputs, on_step: stand_in(inputs, on_step)
        ),
    )
    return scorer


class NotedMirror:
    """A mirror that keeps what it is told, as (call, its arguments); it may fail in one call."""

    def __init__(self, fails: str | None = None) -> None:
        self.told, self.fails = [], fails

    def __getattr__(self, name: str):
        def call(*facts):
            self.told.append((name, facts))
            if name == self.fails:
                raise ConnectionError("gone")

        return call

    @property
    def calls(self) -> list[str]:
        """What was called, in order."""
        return [name for name, _ in self.told]


def launch(planned, **facts) -> Launch:
    """A launch from a clean tree, for these cases."""
    made = collect().model_copy(update={"git_dirty": False, "git_commit": "a" * 40} | facts)
    return Launch(started=now(), planned=list(planned), batch_size=2, provenance=made)


def run_record(key="0123456789abcdef", method="dds", **facts) -> RunRecord:
    """A run on pie-toybox with one metric."""
    launch = Launch(started=now(), planned=["a", "b"], batch_size=2, provenance=collect())
    fields = {
        "edit_key": key, "score_key": "f" * 16, "benchmark": "pie-toybox", "benchmark_version": 1, "split": "test",
        "root": "data", "method": method, "method_version": 1, "settings": {"guidance": 7.5},
        "prior": {"name": "toybox", "fingerprint": "x"}, "steps": 200, "seed": 0, "image_size": (SIZE, SIZE),
        "metrics": {"lpips": "lpips@1"}, "launches": [launch],
    }  # fmt: skip
    return RunRecord(**(fields | facts))


def case_record(case_id: str, **facts) -> CaseRecord:
    """A case of `run_record` that ended well."""
    fields = {"status": "ok", "type_id": "1", "content": "c", "score_key": "f" * 16, "launch": 0}
    return CaseRecord(case_id=case_id, **(fields | facts))


def write_run(folder: Path, record: RunRecord, cases: Sequence[CaseRecord]) -> Path:
    """A run's folder as a finished run leaves it, without images."""
    with RunFolder(folder) as opened:
        opened.write_run(record)
        for case in cases:
            opened.append(case)
    return folder


def die_after(edits: int):
    """An edit function like `brighten` that kills its own process, -9, in the batch after `edits` images."""
    done = 0

    def edit(inputs, on_step):
        nonlocal done
        if done >= edits:
            os.kill(os.getpid(), signal.SIGKILL)
        done += len(inputs)
        return brighten(inputs, on_step)

    return edit
