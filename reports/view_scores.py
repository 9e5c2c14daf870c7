"""The reading layer's part for scenes: what single views score, from the file that a case's record names."""

import json
import math

from piva.errors import ConfigError
from reports.reading import Run

Views = dict[str, list[float | None]]
"""Number -> its value at each view along the path; None where a view has none."""


def view_scores(run: Run, case_id: str) -> Views:
    """The scores of a scene's views, as they were recorded; empty where the case has none.

    Raises:
        ConfigError: the record names a file outside the run's folder, or the file is damaged.
    """
    case = run.ok.get(case_id)
    if case is None or case.by_view is None:
        return {}
    file = (run.path / case.by_view).resolve()
    if not file.is_relative_to(run.path.resolve()):
        raise ConfigError(f"{run.path.name}: case {case_id} names a file outside the run's folder: {case.by_view}")
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_bytes())
        return {str(name): [_number(value) for value in values] for name, values in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{file} holds no scores of views: {error}") from error


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no score")
    return float(value) if math.isfinite(value) else None
