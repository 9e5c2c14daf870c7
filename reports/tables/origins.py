"""How each run came about, in sentences: keys, versions, command, code, machine."""

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from piva.records import RunRecord


def how_made(record: RunRecord) -> list[str]:
    """Sentences on one run: keys, versions, command, code, machine."""
    keys = (
        f"edit_key {record.edit_key}, score_key {record.score_key}, method version {record.method_version}, "
        f"{record.steps} steps, seed {record.seed}, prior {record.prior['name']} ({record.prior['fingerprint']})"
    )
    if not record.launches:
        return [keys, "no launch is recorded"]
    made = record.launches[-1].provenance
    commands = [launch.provenance.command for launch in record.launches]
    edits = [command for command in commands if not command.startswith("piva score ")]
    scored = [] if made.command in edits else [f"scored again by: {made.command}"]
    commit = "no git checkout" if made.git_commit is None else made.git_commit[:12]
    commit += " (dirty)" if made.git_dirty else ""
    packages = ", ".join(f"{name} {version}" for name, version in made.packages.items())
    defaults = (record.scenes or {}).get("method_defaults", {})
    own = [f"the benchmark's own default: method.{name} {value:g}" for name, value in defaults.items()]
    return [
        keys,
        *own,
        f"command: {(edits or commands)[-1]}",
        *scored,
        f"piva {made.piva_version}, commit {commit}, {made.device}, {made.cpu}, {made.threads} threads, "
        f"Python {made.python}, {packages}",
    ]


def how_rows_were_made(named: Sequence[tuple[str, RunRecord]], names: Sequence[str] | None = None) -> list[str]:
    """A folded list: how each run (label, record) came about, and the ids of its metrics (of `names`, else all)."""
    parts = ["<details><summary>How each row was made</summary>", ""]
    for label, record in named:
        parts += [f"- **{escape(label, quote=False)}**: " + "; ".join(_code(sentence) for sentence in how_made(record))]
    found: dict[str, Any] = {name: id_ for _, record in named for name, id_ in record.metrics.items()}
    ids = {name: id_ for name, id_ in found.items() if names is None or name in names}
    return [*parts, "", *(f"- {name}: `{id_}`" for name, id_ in ids.items()), "", "</details>"]


def _code(sentence: str) -> str:
    for prefix in ("command: ", "scored again by: "):
        if sentence.startswith(prefix):
            return prefix + code_span(sentence.removeprefix(prefix))
    return escape(sentence, quote=False)


def code_span(text: str) -> str:
    """The text as Markdown's code, which ends at as many backticks as it began with."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"
