"""Records: what a run writes to disk, and how it is read back.

    runs/<benchmark>/<method>-<edit_key>/
        run.json       what the run is: written first, atomically, and again at each launch
        run.lock       who writes to it now; empty when nobody does
        cases.jsonl    one line per case as it ends; flushed to the disk; later lines win
        images/<id>.png
        scenes/<id>/   of the edit of a scene: its field, views, turntable, contact sheet, scores by view

A case's image is written before its line is. A process killed at any point leaves at most one torn last line,
which readers ignore and the next writer cuts off. The disk is the truth; trackers only mirror it.

A machine that loses its power keeps every line (each is waited for), and may lose the images of the last seconds (they
are not). Such a case has a line whose image is gone or has another hash: `piva check run` names it, and the command
that made the run edits it again.
"""

from piva.records.files import CASES_FILE, RUN_FILE
from piva.records.folder import RunFolder
from piva.records.lock import BusyError, is_busy, is_locked
from piva.records.model import IMAGES, RECORD_VERSION, SCENES, CaseRecord, Launch, Record, RunRecord, Stage, Status
from piva.records.reading import each_line, find_run, parse_case, read_cases, read_run, run_folders

__all__ = [
    "CASES_FILE", "IMAGES", "RECORD_VERSION", "RUN_FILE", "SCENES", "BusyError", "CaseRecord", "Launch", "Record",
    "RunFolder", "RunRecord", "Stage", "Status", "each_line", "find_run", "is_busy", "is_locked", "parse_case",
    "read_cases", "read_run", "run_folders",
]  # fmt: skip
