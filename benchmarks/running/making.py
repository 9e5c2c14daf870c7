"""What a run is: its record with both keys, and the folder that is named after them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piva.keys import edit_facts, key_of, score_key
from piva.records import RunRecord


@dataclass(frozen=True)
class Making:
    """How the images of a run come about, as far as it is known."""

    name: str
    """Of the row: the method's, or what the images of a folder are called."""
    method: Any
    prior: dict[str, Any]
    """Its settings, `name` and `fingerprint`; both "none" for images made elsewhere."""
    steps: int = 0
    seed: int = 0
    image_size: tuple[int, int] | None = None
    files: str | None = None
    """Digest of the images, where they were made elsewhere."""
    depth: str | None = None
    """Digest of the depth files, where there are some and the method reads them."""


def run_record(benchmark: Any, root: Path, made: Making, scorer: Any) -> RunRecord:
    """The record of a run that was never launched, with both keys."""
    split, method = benchmark.split(root), made.method
    data = {"name": benchmark.name, "version": benchmark.version(), "split": split}
    facts = edit_facts(
        benchmark=data | {name: value for name, value in (("files", made.files), ("depth", made.depth)) if value},
        method=made.name,
        method_version=method.VERSION,
        settings=method,
        prior=weights_of(made.prior["fingerprint"], method),
        steps=made.steps,
        seed=made.seed,
    )
    key = key_of(facts)
    return RunRecord(
        edit_key=key,
        score_key=score_key(key, scorer.spec),
        benchmark=benchmark.name,
        benchmark_version=benchmark.version(),
        split=split,
        root=str(root.resolve()),
        method=made.name,
        method_version=method.VERSION,
        settings=method.model_dump(mode="json"),
        prior=made.prior,
        steps=made.steps,
        seed=made.seed,
        image_size=made.image_size,
        metrics=dict(scorer.spec),
        key_facts=facts,
    )


def weights_of(prior: str, method: Any) -> str:
    """Fingerprint of the prior, and of the ControlNet that the method's auxiliaries start from, where one is given."""
    name = method.aux.controlnet if getattr(method, "auxiliaries", ()) else None
    if name is None:
        return prior
    from piva.auxiliary.controlnet import fingerprint

    return f"{prior}+controlnet/{fingerprint(name, method.aux.controlnet_revision)}"


def run_path(out: Path, record: RunRecord) -> Path:
    """`<out>/<benchmark>/<method>-<edit_key>`."""
    return out / record.benchmark / f"{record.method}-{record.edit_key}"
