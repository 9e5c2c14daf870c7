"""Records to publish beside a paper: without the files that they name, and without what names the machine.

What stays is enough for every table: settings, keys, scores, those of single objects among them, costs, errors, and
where they came from (commit, versions, device, command). Of a path from the root of a disk its last name stays; of
people and machines nothing does. Hashes of images stay, so that who makes them again can compare. What is brought back
from an archive into a folder of runs counts as done there.
"""

import json
import re
import shlex
import socket
from pathlib import Path
from typing import Any

from piva.disk import write_atomically
from piva.errors import ConfigError
from piva.records.files import BY_OBJECT_FILE, CASES_FILE, RUN_FILE
from piva.records.lock import is_busy
from piva.records.model import SCENES, CaseRecord, RunRecord
from piva.records.reading import read_cases, read_run
from piva.records.run_files import shards_of

FILES = frozenset({"image", "field", "turntable", "by_view"})
"""What a case's record says of files that do not come along."""
LEFT_OUT = FILES | {"history"}
"""The course of numbers that only debugging asks for is half of a record."""

_QUOTED = re.compile(r"""(["'])(/[^"'\n]*/)([^"'/\n]+)(?=\1)""")
_BARE = re.compile(r"""(?<![\w./~-])/(?!/)(?:[^\s"'/,;:()<>|]+/)*(?=[^\s"'/])""")
_HOME = re.compile(r"(?<![\w./~-])/(?:home|Users)/[\w.-]+(?![\w./-])")
_FILE_URL = re.compile(r"\bfile://(?=/)")
_PERSON = re.compile(r"(?<![\w.+-])[\w.+-]+@[A-Za-z][\w.-]*")
_FLAG = re.compile(r"(--[\w.-]+=)?(/.*)", re.DOTALL)


def archive(run: Path, out: Path) -> Path:
    """Writes the records of a run below `out`, as `<benchmark>/<method>-<edit_key>`; the folder.

    Raises:
        ConfigError: there is no run, a record is damaged, somebody writes to it, or its shards are not merged.
    """
    if is_busy(run):
        raise ConfigError(f"{run} is being written: wait until it is done")
    if shards_of(run):
        raise ConfigError(f"{run} has shards: piva merge {run}")
    record, cases = read_run(run), read_cases(run)
    folder = out / record.place
    if folder.resolve() == run.resolve():
        raise ConfigError(f"{run} is where its archive would be: give another --out")
    lines = [json.dumps(nameless_case(cases[id_]), separators=(",", ":")) for id_ in sorted(cases)]
    write_atomically(folder / RUN_FILE, nameless_run(record).model_dump_json(indent=1).encode() + b"\n")
    write_atomically(folder / CASES_FILE, "".join(f"{line}\n" for line in lines).encode())
    for id_ in sorted(cases):
        if (scores := run / SCENES / id_ / BY_OBJECT_FILE).is_file():
            write_atomically(folder / SCENES / id_ / BY_OBJECT_FILE, scores.read_bytes())
    return folder


def nameless_run(record: RunRecord) -> RunRecord:
    """The record of a run without what names its machine. Where its key was made of a path, the facts of it go."""
    content = record.model_dump(mode="json")
    facts = content["key_facts"]
    kept = {"metrics": content["metrics"], "key_facts": facts if nameless(facts) == facts else None}
    return RunRecord.model_validate(nameless(content) | kept)


def nameless_case(case: CaseRecord) -> dict[str, Any]:
    """The line of a case without its files and what names its machine; prompts and scores stay as they are."""
    content = case.model_dump(mode="json", exclude=set(LEFT_OUT), exclude_defaults=True)
    kept = {name: content[name] for name in ("src", "tgt", "metrics") if name in content}
    return {"record_version": case.record_version} | nameless(content) | kept


def nameless(value: Any, name: str = "") -> Any:
    """A JSON value without paths, people and machines in its texts; `name` is that of the value's field."""
    if isinstance(value, dict):
        return {key: nameless(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [nameless(inner, name) for inner in value]
    if not isinstance(value, str):
        return value
    if name == "command":
        return shlex.join(_word(word) for word in shlex.split(value))
    return Path(value).name if name == "root" else _text(value)


def _word(word: str) -> str:
    """A word of a command line: a path may have spaces in it."""
    match = None if _HOME.search(word) else _FLAG.fullmatch(word)
    return f"{match[1] or ''}.../{Path(match[2]).name}" if match else _text(word)


def _text(text: str) -> str:
    text = _QUOTED.sub(r"\1.../\3", _HOME.sub("~", _FILE_URL.sub("", text)))
    text = _PERSON.sub("user@host", _BARE.sub(".../", text))
    host = socket.gethostname()
    named = re.escape(host)
    if "." not in host and "-" not in host:  # a plain word is a host's name where it stands as one
        named = rf"(?:(?<=//){named}|{named}(?=:\d))"
    return re.sub(rf"(?<![\w-]){named}(?![\w-])", "host", text)
