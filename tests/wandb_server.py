"""A stand-in for W&B's server on this machine: as much of it as the client needs to send a run, and to resume one.

What the client sends is kept as the real server would show it, so a test can ask what became of a run. Times between
requests are the client's own; nothing here waits.
"""

import gzip
import json
import re
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HISTORY, SUMMARY = "wandb-history.jsonl", "wandb-summary.json"
KEY = "0" * 40


@dataclass
class ServedRun:
    """What the server knows of one run."""

    fields: dict[str, Any] = field(default_factory=dict)
    """What upsertBucket was last told: groupName, jobType, tags, commit, sweep, ..."""
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    resumed: int = 0
    """How often a client asked for what there is of it, and there was something."""
    exits: list[int] = field(default_factory=list)


class WandbServer(ThreadingHTTPServer):
    """Runs by id, as they arrive; every GraphQL operation by name, in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs: dict[str, ServedRun] = {}
        self.operations: list[str] = []
        self.more: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {}
        """Further operations, by name: variables -> data of the answer, None to refuse."""
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error."""

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        self.operations.append(operation)
        answers = {"UpsertBucket": self._upsert, "RunResumeStatus": self._resume, "CreateRunFiles": self._upload}
        data = (answers | self.more)[operation](asked) if operation in answers | self.more else None
        return {"errors": [{"message": f"{operation} is not served"}]} if data is None else {"data": data}

    def _upsert(self, asked: dict[str, Any]) -> dict[str, Any]:
        is_new = asked["name"] not in self.runs
        run = self.runs.setdefault(asked["name"], ServedRun())
        run.fields |= {name: value for name, value in asked.items() if value is not None}
        run.config |= {name: entry["value"] for name, entry in json.loads(asked["config"] or "{}").items()}
        return {"upsertBucket": {"bucket": self._bucket(asked["name"], asked["project"]), "inserted": is_new}}

    def _resume(self, asked: dict[str, Any]) -> dict[str, Any]:
        known = asked["name"] in self.runs
        if known:
            self.runs[asked["name"]].resumed += 1
        bucket = self._bucket(asked["name"], asked["project"]) if known else None
        return {"model": {"id": "project", "name": asked["project"], "entity": ENTITY, "bucket": bucket}}

    def _bucket(self, name: str, project: str) -> dict[str, Any]:
        run = self.runs[name]
        return {
            "id": f"id-{name}", "name": name, "displayName": run.fields.get("displayName"), "description": None,
            "config": json.dumps({key: {"value": value} for key, value in run.config.items()}),
            "sweepName": run.fields.get("sweep"), "tags": run.fields.get("tags"), "notes": None,
            "project": {"id": "project", "name": project, "entity": ENTITY},
            "historyLineCount": len(run.history), "logLineCount": 0, "eventsLineCount": 0, "eventsTail": "[]",
            "historyTail": json.dumps([json.dumps(line) for line in run.history[-1:]]),
            "summaryMetrics": json.dumps(run.summary), "wandbConfig": json.dumps({"t": 1}),
        }  # fmt: skip

    def _upload(self, asked: dict[str, Any]) -> dict[str, Any]:
        files = [{"name": name, "uploadUrl": f"{self.url}/put/{asked['run']}/{name}"} for name in asked["files"]]
        return {"createRunFiles": {"runID": "id", "uploadHeaders": [], "files": files}}

    def stream(self, run_id: str, sent: dict[str, Any]) -> None:
        """Takes lines of history at their offset, the newest summary, and the exit."""
        run = self.runs.setdefault(run_id, ServedRun())
        for name, chunk in sent.get("files", {}).items():
            lines = [json.loads(line) for line in chunk["content"]] if name in (HISTORY, SUMMARY) else []
            if name == HISTORY:
                run.history[chunk["offset"] : chunk["offset"] + len(lines)] = lines
            elif name == SUMMARY:
                run.summary = lines[-1]
        if sent.get("complete"):
            run.exits.append(sent["exitcode"])


ENTITY = {"id": "entity", "name": "someone"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WandbServer

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_PUT(self) -> None:
        _, _, run_id, name = self.path.split("/", 3)
        self.server.runs[run_id].files[name] = self._body()
        self._reply({})

    def do_POST(self) -> None:
        body = self._body()
        if self.path.endswith("/graphql"):
            asked = json.loads(body)
            operation = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
            self._reply(self.server.answer(operation.group(1), asked.get("variables") or {}))
        elif stream := re.fullmatch(r"/files/.*/([^/]+)/file_stream", self.path):
            self.server.stream(stream.group(1), json.loads(body))
            self._reply({"limits": {}})
        else:
            self._reply({})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _reply(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def wandb_server():
    """A server that runs until the block ends."""
    with WandbServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
