"""Edit success by an attribute classifier: did the edit do what was asked, and nothing else?

changed: every attribute that differs between the two labels has its target value
kept: every other attribute has its source value
edit_success: both
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from torch import Tensor

from piva.metrics.batch import Batch, Labels, Missing, Value
from piva.metrics.cache import FeatureCache

NO_LABELS = "the case has no attribute labels"
NOTHING_CHANGES = "the prompt changes no attribute that the judge knows"


class Judge(Protocol):
    """Reads every attribute off a picture."""

    def predict(self, images: Tensor) -> list[dict[str, str]]: ...


def judged(prediction: Mapping[str, str], labels: Labels) -> dict[str, Value]:
    """edit_success, changed and kept of one picture: 1.0 or 0.0.

    Args:
        prediction: attribute -> value, as read off the edited picture.
        labels: (in the source, in the ideal edit), with the same attributes as each other.
    """
    source, target = labels
    unknown = sorted(set(target) - set(prediction))
    if unknown:
        return dict.fromkeys(
            ("edit_success", "changed", "kept"), Missing(f"the judge does not know {', '.join(unknown)}")
        )
    asked = [attribute for attribute in target if target[attribute] != source[attribute]]
    kept = all(prediction[attribute] == target[attribute] for attribute in target if attribute not in asked)
    if not asked:
        return {"edit_success": Missing(NOTHING_CHANGES), "changed": Missing(NOTHING_CHANGES), "kept": float(kept)}
    changed = all(prediction[attribute] == target[attribute] for attribute in asked)
    return {"edit_success": float(changed and kept), "changed": float(changed), "kept": float(kept)}


class SuccessScores:
    """edit_success, changed and kept.

    Args:
        judge: the attribute classifier.
        name: classifier and weights, as the ids show them.
        size: side of the square pictures it was made for; others are not judged.
    """

    VERSION: ClassVar[int] = 1

    def __init__(self, judge: Judge, name: str, size: int = 64) -> None:
        self.judge, self.size = judge, size
        self.ids = {
            key: f"{key.replace('_', '-')}/{name}/{size}/all-attributes@{self.VERSION}"
            for key in ("edit_success", "changed", "kept")
        }

    def score(self, batch: Batch, cache: FeatureCache) -> dict[str, list[Value]]:
        """See `Metric.score`."""
        rows = [row for row, case in enumerate(batch.inputs) if case.labels is not None]
        reasons: Sequence[str] = [NO_LABELS] * len(batch)
        if batch.edited.shape[-2:] != (self.size, self.size):
            height, width = batch.edited.shape[-2:]
            rows, reasons = [], [f"the judge reads {self.size}x{self.size} pictures, not {height}x{width}"] * len(batch)
        result: dict[str, list[Value]] = {name: [Missing(reason) for reason in reasons] for name in self.ids}
        predictions = self.judge.predict(batch.edited[rows]) if rows else []
        for row, prediction in zip(rows, predictions, strict=True):
            labels = batch.inputs[row].labels
            assert labels is not None
            for name, value in judged(prediction, labels).items():
                result[name][row] = value
        return result
