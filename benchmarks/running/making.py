"""What a run is: its record with both keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from piva.keys import edit_facts, key_of, score_key
from piva.records import RunRecord


@dataclass(frozen=True)
class Making:
    """How the edits of a run come about, as far as it is known."""

    name: str
    """Of the row: the method's, or what the images of a folder are called."""
    method: Any
    prior: dict[str, Any]
    """Its settings, `name` and `fingerprint`; both "none" for images made elsewhere."""
    steps: int = 0
    seed: int = 0
    image_size: tuple[int, int] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """What they depend on besides the benchmark's own data: digests of files, settings of a reconstruction."""
    scenes: dict[str, Any] | None = None
    """See `RunRecord.scenes`."""


def run_record(benchmark: Any, root: Path, made: Making, metrics: Mapping[str, str]) -> RunRecord:
    """The record of a run that was never launched, with both keys.

    Args:
        metrics: name of every number -> id of its metric.
    """
    split, method = benchmark.split(root), made.method
    data = {"name": benchmark.name, "version": benchmark.version(), "split": split}
    facts = edit_facts(
        benchmark=data | dict(made.data),
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
        score_key=score_key(key, metrics),
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
        scenes=made.scenes,
        metrics=dict(metrics),
        key_facts=facts,
    )


def weights_of(prior: str, method: Any) -> str:
    """Fingerprint of the prior, and of the ControlNet that the method's auxiliaries start from, where one is given."""
    name = method.aux.controlnet if getattr(method, "auxiliaries", ()) else None
    if name is None:
        return prior
    from piva.auxiliary.controlnet import fingerprint

    return f"{prior}+controlnet/{fingerprint(name, method.aux.controlnet_revision)}"
