"""Is a run whole? Lines that parse, files that are what their records say, counts that agree, keys that recompute."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from piva.errors import ConfigError
from piva.keys import flat, key_of, score_key
from piva.records.files import CASES_FILE, RUN_FILE, SHARDS, opened
from piva.records.lock import is_busy
from piva.records.merging import sha256_of
from piva.records.model import CaseRecord, RunRecord
from piva.records.reading import parse_case, read_run
from piva.records.run_files import archived, named_files, shards_of, unnamed

NAMED = 5
"""Cases named in a sentence about many."""


@dataclass
class Findings:
    """What a check found: problems, and what is worth knowing but none; a sentence each."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def found(self, sentence: str, changing: bool) -> None:
        """A problem; where the run is being written, it may be none the next moment."""
        (self.notes if changing else self.problems).append(sentence)


def check_run(folder: Path) -> Findings:
    """What is wrong with the run in a folder. Nothing is changed; a run that is being written may be checked, too."""
    findings, busy = Findings(), is_busy(folder)
    if busy:
        findings.notes.append("the run is being written now; what is still to come is no problem")
    cases = _lines(folder, findings)
    _files(folder, cases, busy, findings)
    try:
        record = read_run(folder)
    except ConfigError as problem:
        findings.problems.append(" ".join(str(problem).split()))
        return findings
    _counts(record, cases, busy, findings)
    _keys(folder, record, findings)
    if shards := shards_of(folder):
        findings.notes.append(f"{len(shards)} shards are not merged: piva merge {folder}")
    return findings


def _lines(folder: Path, findings: Findings) -> dict[str, CaseRecord]:
    """Case id -> its last record; every line that is no record is named."""
    cases, content = {}, b""
    with suppress(FileNotFoundError), opened(folder, CASES_FILE) as file:
        content = file.read()
    *lines, torn = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            case = parse_case(line)
        except ValidationError as problem:
            first = problem.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            reason = f"{where}: {first['msg']}" if where else first["msg"]
            findings.problems.append(f"{CASES_FILE}, line {number} is no record ({reason})")
            continue
        except (ValueError, RecursionError) as problem:
            findings.problems.append(f"{CASES_FILE}, line {number} is no record ({problem})")
            continue
        cases[case.case_id] = case
    if torn:
        findings.notes.append(f"the last line of {CASES_FILE} is torn, as a kill leaves it: it does not count")
    return cases


def _files(folder: Path, cases: Mapping[str, CaseRecord], busy: bool, findings: Findings) -> None:
    for case in cases.values():
        for named in named_files(case):
            path = folder / named.path
            if not path.is_file():
                findings.found(f"{case.case_id}: {named.path} is not there", busy)
            elif named.sha256 is not None and sha256_of(path) != named.sha256:
                findings.found(f"{case.case_id}: {named.path} is not the file that was recorded (other SHA-256)", busy)
            elif path.stat().st_size == 0:
                findings.found(f"{case.case_id}: {named.path} is empty", busy)
    if hashes := sum(archived(case) for case in cases.values()):
        findings.notes.append(f"{hashes} images are not here, only their hashes: an archive of records")
    for path in [] if busy else unnamed(folder, cases):
        findings.problems.append(f"{path.relative_to(folder)}: no record names it (piva gc removes it)")


def _counts(record: RunRecord, cases: Mapping[str, CaseRecord], busy: bool, findings: Findings) -> None:
    planned = {case_id for launch in record.launches for case_id in launch.planned}
    if left := sorted(planned - cases.keys()):
        findings.found(f"{len(left)} of {len(planned)} planned cases have no record: {_some(left)}", busy)
    if strange := sorted(cases.keys() - planned):
        findings.found(f"{len(strange)} cases are recorded that no launch planned: {_some(strange)}", busy)
    for case in cases.values():
        if not 0 <= case.launch < len(record.launches):
            findings.found(f"{case.case_id}: {RUN_FILE} has no launch {case.launch}, which made it", busy)
    if stale := [id_ for id_, case in cases.items() if case.status == "ok" and case.score_key != record.score_key]:
        findings.notes.append(f"{len(stale)} cases have scores of other metrics than the run's: {_some(stale)}")
    ended = Counter("edited but not scored" if case.unscored else case.status for case in cases.values())
    counts = ", ".join(f"{count} {status}" for status, count in sorted(ended.items())) or "no case recorded"
    findings.notes.append(counts)


def _keys(folder: Path, record: RunRecord, findings: Findings) -> None:
    if score_key(record.edit_key, record.metrics) != record.score_key:
        findings.problems.append(f"{RUN_FILE}: score_key {record.score_key} is not that of its edit_key and metrics")
    if folder.resolve().name.rpartition("-")[2] != record.edit_key and folder.parent.name != SHARDS:
        findings.notes.append(f"the folder's name does not end in its key, {record.edit_key}: it is not found by key")
    facts = record.key_facts
    if facts is None:
        findings.notes.append("its edit_key cannot be recomputed: it was recorded before runs kept what it is made of")
        return
    if not {"key_version", "prior"} <= facts.keys():
        findings.problems.append(f"{RUN_FILE}: its key_facts are not whole")
        return
    if (made := key_of(facts)) != record.edit_key:
        findings.problems.append(f"{RUN_FILE}: edit_key {record.edit_key} is not that of its key_facts, {made}")
    for name, value, stated in _contradictions(facts, record):
        findings.problems.append(f"{RUN_FILE}: {name} is {value} in its key_facts and {stated} elsewhere in it")


def _contradictions(facts: Mapping[str, Any], record: RunRecord) -> list[tuple[str, Any, Any]]:
    """(name, value in the key's facts, value in the rest of the record) where these two differ."""
    scenes = record.scenes or {}
    benchmark = {"name": record.benchmark, "version": record.benchmark_version, "split": record.split}
    method = {"name": record.method, "version": record.method_version, "settings": record.settings}
    rest = {"benchmark": benchmark | scenes, "method": method, "steps": record.steps, "seed": record.seed}
    stated = flat(json.loads(json.dumps(rest)))
    pairs = [(name, value, stated[name]) for name, value in flat(facts).items() if name in stated]
    prior = record.prior.get("fingerprint")
    if str(facts["prior"]).partition("+controlnet/")[0] != prior:
        pairs.append(("prior", facts["prior"], prior))
    return [(name, value, found) for name, value, found in pairs if value != found]


def _some(case_ids: list[str]) -> str:
    return ", ".join(case_ids[:NAMED]) + (", ..." if len(case_ids) > NAMED else "")
