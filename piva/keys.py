"""Content keys: what a result depends on, as sixteen hexadecimal digits.

edit_key covers everything that can change an edited image, score_key that and everything that can change a
score. Runtime settings (device, batch size, folders) are in neither. Code is not hashed: a method, a metric or a
benchmark whose results change raises its VERSION, and the version is part of the key; what all results depend on
(the keyed noise, the loop) raises KEY_VERSION.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from piva.config import Settings, identity_values

KEY_VERSION = 2
_DIGITS = 16


def canonical(value: Any) -> bytes:
    """The one JSON spelling of a value: sorted names, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of the canonical JSON, with KEY_VERSION folded in."""
    return _digest(KEY_VERSION, value)


def _digest(version: int, value: Any) -> str:
    return hashlib.sha256(canonical([version, value])).hexdigest()[:_DIGITS]


def edit_key(
    *,
    benchmark: Mapping[str, Any],
    method: str,
    method_version: int,
    settings: Settings,
    prior: str,
    steps: int,
    seed: int,
) -> str:
    """Key of one run: one benchmark, one method configuration, one seed. Arguments as of `edit_facts`."""
    return key_of(
        edit_facts(
            benchmark=benchmark, method=method, method_version=method_version, settings=settings, prior=prior,
            steps=steps, seed=seed,
        )
    )  # fmt: skip


def key_of(facts: Mapping[str, Any]) -> str:
    """The edit_key that `edit_facts` come to, of whatever version they are."""
    return _digest(facts["key_version"], {name: value for name, value in facts.items() if name != "key_version"})


def edit_facts(
    *,
    benchmark: Mapping[str, Any],
    method: str,
    method_version: int,
    settings: Settings,
    prior: str,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """What a run's edit_key is made of, as JSON values; a record keeps it, so that the key can be made again.

    Args:
        benchmark: name, version and split.
        prior: fingerprint of the prior: its weights and the number type they run in.
        steps: updates of the representation.
    """
    return {
        "key_version": KEY_VERSION,
        "benchmark": dict(benchmark),
        "method": {"name": method, "version": method_version, "settings": identity_values(settings)},
        "prior": prior,
        "steps": steps,
        "seed": seed,
    }


def score_key(edit: str, metrics: Mapping[str, str]) -> str:
    """Key of the scores of a run: its edit_key and the id (with version) of every metric."""
    return digest({"edit": edit, "metrics": dict(metrics)})


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in full."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def content_hash(image_path: Path, *facts: Any) -> str:
    """Key of a case's content: the bytes of its image and the JSON facts (prompts, mask, ...) beside it.

    A case whose content differs from what was recorded is done again.
    """
    return digest({"image": file_hash(image_path), "facts": list(facts)})


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values under dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found
