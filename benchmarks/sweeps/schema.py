"""W&B's sweep files: `program`, `command`, `method`, `parameters`, `metric`, `early_terminate`, `run_cap`.

What a file may hold is W&B's own schema (`sweeps/config/schema.json` of the package `sweeps` 0.3, which its server
checks files with); what is wrong with a file is said by line and key before anything is run.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.sweeps.command import after_piva, unknown_macro
from benchmarks.sweeps.marked import Marked, read_marked

KEYS = (
    "name", "description", "project", "entity", "program", "command", "method", "parameters", "metric",
    "early_terminate", "run_cap", "apiVersion", "kind", "controller",
)  # fmt: skip
"""At the top of a file. The last three are W&B's bookkeeping, and change nothing here."""

OTHER_KEYS = {
    "job": "W&B Launch's",
    "image_uri": "W&B Launch's",
    "scheduler": "of W&B's own schedulers",
    "metrics": "of W&B's own schedulers, which take several metrics",
}
"""In W&B's schema too, but of no use here."""

BOUNDS: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
    "categorical": ("values",),
    "categorical_w_probabilities": ("values", "probabilities"),
    "int_uniform": ("min", "max"),
    "uniform": ("min", "max"),
    "q_uniform": ("min", "max", "q"),
    "log_uniform": ("min", "max"),
    "q_log_uniform": ("min", "max", "q"),
    "inv_log_uniform": ("min", "max"),
    "log_uniform_values": ("min", "max"),
    "q_log_uniform_values": ("min", "max", "q"),
    "inv_log_uniform_values": ("min", "max"),
    "normal": ("mu", "sigma"),
    "q_normal": ("mu", "sigma", "q"),
    "log_normal": ("mu", "sigma"),
    "q_log_normal": ("mu", "sigma", "q"),
    "beta": ("a", "b"),
    "q_beta": ("a", "b", "q"),
}
"""Distribution -> what describes it. min and max of [q_|inv_]log_uniform are exponents of e."""

DEFAULTS = {"mu": 0.0, "sigma": 1.0, "a": 1, "b": 1, "q": 1.0}
"""What W&B takes where a file says nothing."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Parameter:
    """What one flag is set to: one value, one of several, or a number from a distribution."""

    distribution: str
    """A key of BOUNDS."""
    values: tuple[Any, ...] = ()
    """Of constant (one), categorical and categorical_w_probabilities."""
    probabilities: tuple[float, ...] = ()
    min: float = 0
    max: float = 0
    """Of a distribution with bounds: whole numbers or fractions, as the file has them."""
    mu: float = 0
    sigma: float = 0
    a: float = 0
    b: float = 0
    q: float | None = None
    """Step of a quantised distribution; whole numbers come out where it is written as one."""

    @property
    def is_constant(self) -> bool:
        """Whether it has one value at every point."""
        return self.distribution == "constant"


@dataclass(frozen=True)
class Goal:
    """The score that a search makes small or large."""

    name: str
    goal: Literal["minimize", "maximize"] = "minimize"
    target: float | None = None
    """The sweep ends once a run reaches it."""


@dataclass(frozen=True)
class Hyperband:
    """When a run that does badly is stopped (Hyperband, arXiv 1603.06560, as W&B has it).

    Brackets are at min_iter x eta^k, or at max_iter / eta^k for k = s .. 1.
    """

    type: Literal["hyperband"] = "hyperband"
    min_iter: int | None = None
    max_iter: int | None = None
    s: int | None = None
    eta: float = 3
    strict: bool = True
    """Whether a run is compared by its metric at the bracket; otherwise by its best before."""


@dataclass(frozen=True)
class Sweep:
    """A sweep file."""

    path: Path
    text_digest: str
    """Of its bytes."""
    name: str
    """The file's, without its ending, where it has no `name`."""
    description: str
    program: str
    command: tuple[str, ...]
    method: Literal["grid", "random", "bayes"]
    parameters: Mapping[str, Parameter]
    """By dotted name, nested ones too, in the order in which W&B's grid takes them."""
    metric: Goal | None = None
    early_terminate: Hyperband | None = None
    run_cap: int | None = None
    project: str | None = None
    entity: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The file as W&B's server is given it."""


def read_sweep(path: Path) -> Sweep:
    """The sweep of a file.

    Raises:
        ConfigError: "FILE:LINE: key.path: what is wrong".
    """
    document = read_marked(path)
    keys = document.mapping((*KEYS, *OTHER_KEYS))
    for name in keys.keys() & OTHER_KEYS.keys():
        keys[name].wrong(f"is {OTHER_KEYS[name]}; piva has no use for it")
    for name in ("method", "parameters", "command"):
        if name not in keys:
            document.wrong(f"the key {name!r} is missing")
    method: Any = keys["method"].text(("grid", "random", "bayes"))
    program = keys["program"].text() if "program" in keys else ""
    metric = _goal(keys["metric"]) if "metric" in keys else None
    pruning = _hyperband(keys["early_terminate"]) if "early_terminate" in keys else None
    if metric is None and (method == "bayes" or pruning):
        document.wrong(f"{'method bayes' if method == 'bayes' else 'early_terminate'} needs a metric")
    return Sweep(
        path=path,
        text_digest=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
        name=_name(keys["name"]) if "name" in keys else path.stem,
        description=keys["description"].text() if "description" in keys else "",
        program=program,
        command=_command(keys["command"], program),
        method=method,
        parameters=_parameters(keys["parameters"]),
        metric=metric,
        early_terminate=pruning,
        run_cap=keys["run_cap"].integer(least=1) if "run_cap" in keys else None,
        project=keys["project"].text() if "project" in keys else None,
        entity=keys["entity"].text() if "entity" in keys else None,
        raw=document.value(),
    )


def _name(given: Marked) -> str:
    """The sweep's name, which is that of its folder too."""
    name = given.text()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]*", name):
        given.wrong(f"{name!r} names the folder of the runs too: letters, digits, dots, dashes and spaces only")
    return name


def _command(given: Marked, program: str) -> tuple[str, ...]:
    parts = [str(item.value()) for item in given.items()]
    for part, item in zip(parts, given.items(), strict=True):
        if problem := unknown_macro(part):
            item.wrong(problem)
    rest = after_piva(parts, program)
    if rest is None or rest[:1] != ["run"]:
        given.wrong(
            f"runs {' '.join(parts)!r}, which is not piva run BENCHMARK: a sweep here edits and scores a benchmark's "
            "cases (`wandb agent` runs any program)"
        )
    return tuple(parts)


def _parameters(given: Marked) -> dict[str, Parameter]:
    """Dotted name -> parameter, in W&B's order: by name, at each level of nesting."""
    found: dict[str, Parameter] = {}
    for name, entry in _flat(given, ""):
        if name in found:
            entry.wrong(f"{name} is given twice, flat and nested")
        found[name] = _parameter(entry)
    return found


def _flat(given: Marked, prefix: str) -> Iterator[tuple[str, Marked]]:
    entries = given.mapping()
    if not entries:
        given.wrong("must not be empty")
    for name, entry in sorted(entries.items()):
        if not NAME.fullmatch(name):
            entry.wrong(f"{name!r} is no name of a flag: letters, digits, _ . and - only, a letter first")
        inner = entry.mapping() if entry.node.tag == "tag:yaml.org,2002:map" else {}
        if "parameters" in inner:
            for other in inner.keys() - {"parameters"}:
                inner[other].wrong("cannot stand beside nested parameters")
            yield from _flat(inner["parameters"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", entry


def _parameter(given: Marked) -> Parameter:
    if given.node.tag != "tag:yaml.org,2002:map":
        given.wrong(f"must say what it is: value: {given.value()!r} for one value, values: [...], or min and max")
    keys = given.mapping(
        ("distribution", "value", "values", "probabilities", "min", "max", "mu", "sigma", "a", "b", "q")
    )
    kind = _distribution(given, keys)
    for name, entry in keys.items():
        if name not in (*BOUNDS[kind], "distribution"):
            entry.wrong(f"does not go with the distribution {kind}, which takes {', '.join(BOUNDS[kind])}")
    for name in BOUNDS[kind]:
        if name not in keys and name not in DEFAULTS:
            given.wrong(f"the distribution {kind} needs {name}")
    if kind == "constant":
        return Parameter(kind, (keys["value"].value(),))
    if "values" in BOUNDS[kind]:
        values = tuple(item.value() for item in keys["values"].items())
        return Parameter(kind, values, _probabilities(keys["probabilities"], values) if "probabilities" in keys else ())
    if "min" in keys and keys["min"].number() >= keys["max"].number():
        keys["max"].wrong(f"{keys['max'].value()} must be above min, {keys['min'].value()}")
    bounds: dict[str, Any] = {name: _bound(kind, name, keys.get(name)) for name in BOUNDS[kind]}
    return Parameter(kind, **bounds)


def _distribution(given: Marked, keys: Mapping[str, Marked]) -> str:
    """The one named, or what W&B takes the keys for."""
    if "distribution" in keys:
        return keys["distribution"].text(BOUNDS)
    if "value" in keys:
        return "constant"
    if "values" in keys:
        return "categorical_w_probabilities" if "probabilities" in keys else "categorical"
    if "min" not in keys or "max" not in keys:
        given.wrong("needs value, values, min and max, or a distribution")
    whole = all(type(keys[name].number()) is int for name in ("min", "max"))
    return "int_uniform" if whole else "uniform"


def _bound(kind: str, name: str, given: Marked | None) -> float | int:
    if given is None:
        return DEFAULTS[name]
    if kind == "int_uniform":
        return given.integer()
    if name == "q" or (name == "min" and kind.endswith("_values")):
        return given.number(above=0)
    return given.number(least=0 if name in ("sigma", "a", "b") else None)


def _probabilities(given: Marked, values: tuple[Any, ...]) -> tuple[float, ...]:
    found = tuple(float(item.number(least=0)) for item in given.items())
    if len(found) != len(values):
        given.wrong(f"has {len(found)} numbers for {len(values)} values")
    if not math.isclose(sum(found), 1, rel_tol=1e-5, abs_tol=1e-8):
        given.wrong(f"must sum to 1, not {sum(found):g}")
    return found


def _goal(given: Marked) -> Goal:
    from piva.metrics import INFO

    keys = given.mapping(("name", "goal", "target", "impute", "impute_while_running"))
    if "name" not in keys:
        given.wrong("needs the name of a score, such as mean/lpips")
    name = keys["name"].text([f"mean/{metric}" for metric in INFO])
    goal: Any = keys["goal"].text(("minimize", "maximize")) if "goal" in keys else "minimize"
    return Goal(name, goal, keys["target"].number() if "target" in keys else None)


def _hyperband(given: Marked) -> Hyperband:
    keys = given.mapping(("type", "min_iter", "max_iter", "s", "eta", "strict"))
    if "type" not in keys:
        given.wrong("needs type: hyperband")
    keys["type"].text(("hyperband",))
    if ("min_iter" not in keys and "max_iter" not in keys) or ("max_iter" in keys and "s" not in keys):
        given.wrong("needs min_iter, or max_iter and s")
    min_iter, max_iter, s = (
        keys[name].integer(least=1) if name in keys else None for name in ("min_iter", "max_iter", "s")
    )
    eta = keys["eta"].number(above=1) if "eta" in keys else 3
    strict = keys["strict"].truth() if "strict" in keys else True
    return Hyperband(min_iter=min_iter, max_iter=max_iter, s=s, eta=eta, strict=strict)
