"""Means that are measured by whole edits."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from typing import Any
from unittest.mock import patch

from benchmarks.means.mean import ESTIMATOR, MEMORY, NOTHING, Bench, Mean
from benchmarks.means.options import Options
from benchmarks.speed.contenders import COLD, WARM, contenders
from benchmarks.speed.visits import Keep, our_visits, visiting
from benchmarks.speed.world import World
from piva.methods.dds import DDS
from piva.methods.piva import Piva

_STORED = Piva(aux={"psi": "stored", "psi_steps": 1})  # type: ignore[arg-type]
"""Its training is not measured here, and a later visit takes the same time whatever psi learned."""


def first_visit(world: World, method: Any, steps: int, size: int) -> float:
    """Seconds an edit, in batches of `size`, of cases never seen; no row is kept."""
    with visiting(world, steps, size, "nowhere") as visits:
        return visits.one("first", method).seconds


def later_visit(world: World, method: Any, steps: int, size: int, keep: Keep) -> float:
    """Seconds an edit of cases that were edited before, with the same draws."""
    with visiting(world, steps, size, keep) as visits:
        visits.one("first", method)
        return visits.one("later", method).seconds


def batch(bench: Bench) -> list[Mean]:
    """Cases edited together: their rows go through the UNet in one call, each through its case's adapters."""

    def mean(size: int) -> Mean:
        world = bench.world(size)

        def pair(steps: int) -> tuple[float, float]:
            return first_visit(world, Piva(), steps, 1), first_visit(world, Piva(), steps, size)

        return Mean(f"{size} cases edited together", f"--batch-size {size} (not 1)", f"{NOTHING}; {MEMORY}", pair)

    return [mean(bench.options.batch_size), mean(2 * bench.options.batch_size)]


def stored_psi(bench: Bench) -> list[Mean]:
    """psi trained once and kept, at a later visit; its training belongs to the first one (`benchmarks.speed`)."""
    world, size = bench.world(), bench.options.batch_size

    def pair(steps: int) -> tuple[float, float]:
        methods = (Piva(), _STORED)
        without, with_it = (later_visit(world, method, steps, size, "nowhere") for method in methods)
        return without, with_it

    return [Mean("stored psi, later visit", "--method.aux.psi stored (not alongside)", ESTIMATOR, pair)]


def fused_phi(bench: Bench) -> list[Mean]:
    """phi scored and trained in one pass."""
    return [_methods(bench, "fused phi", "--method.aux.phi fused (not fresh)", Piva(aux={"phi": "fresh"}), Piva())]  # type: ignore[arg-type]


def source_branch(bench: Bench) -> list[Mean]:
    """The source branch at x_t, where its unconditional row is the target branch's, and cancels."""
    without, with_it = Piva(source_branch="source"), Piva(source_branch="current")
    setting = "--method.source-branch current (not source)"
    return [_methods(bench, "unconditional rows cancel", setting, without, with_it)]


def _methods(bench: Bench, name: str, setting: str, without: Any, with_it: Any) -> Mean:
    """First visits under two settings of the method."""
    world, size = bench.world(), bench.options.batch_size

    def pair(steps: int) -> tuple[float, float]:
        return first_visit(world, without, steps, size), first_visit(world, with_it, steps, size)

    return Mean(name, setting, ESTIMATOR, pair)


def rows_in_memory(bench: Bench) -> list[Mean]:
    """Source rows kept in memory: a later edit in one process, with the same draws and another lambda or guidance."""
    world, size = bench.world(), bench.options.batch_size

    def mean(contender: Any) -> Mean:
        def pair(steps: int) -> tuple[float, float]:
            visits = our_visits(world, contender, steps, size)
            return visits[COLD].seconds, visits[WARM].seconds

        name = f"source rows in memory, {contender.name}"
        return Mean(name, "edit_batch(cache=RowCache()), later edit (not the first)", f"{NOTHING}; {MEMORY}", pair)

    return [mean(contender) for contender in contenders(("dds", "piva"), 1) if "stored" not in contender.name]


def rows_on_disk(bench: Bench) -> list[Mean]:
    """Source rows kept on disk: what writing them costs the first run of a sweep, what reading saves later ones."""
    world, size = bench.world(), bench.options.batch_size

    def first(steps: int, keep: Keep) -> float:
        with visiting(world, steps, size, keep) as visits:
            return visits.one("first", DDS()).seconds

    def first_pair(steps: int) -> tuple[float, float]:
        return first(steps, "nowhere"), first(steps, "disk")

    def later_pair(steps: int) -> tuple[float, float]:
        return later_visit(world, DDS(), steps, size, "nowhere"), later_visit(world, DDS(), steps, size, "disk")

    setting, changes = "--row-cache-gb 2 (not 0)", f"{NOTHING}; disk"
    return [
        Mean("source rows on disk, first run, dds", setting, changes, first_pair),
        Mean("source rows on disk, later run, dds", setting, changes, later_pair),
    ]


def channels_last(bench: Bench) -> list[Mean]:
    """Memory order of the UNet's weights."""
    setting = "--prior.channels-last True (not False)"
    return [_priors(bench, "channels last", setting, NOTHING, "channels_last", (False, True))]


def bfloat16(bench: Bench) -> list[Mean]:
    """The UNet and the text encoder in bfloat16."""
    setting = "--prior.dtype bfloat16 (not float32)"
    return [_priors(bench, "bfloat16", setting, "every number: 8 bits of precision", "dtype", ("float32", "bfloat16"))]


def _priors(bench: Bench, name: str, setting: str, changes: str, field: str, values: tuple[Any, Any]) -> Mean:
    """First visits under two settings of the prior."""
    one, other = (bench.world(**{field: value}) for value in values)
    size = bench.options.batch_size

    def pair(steps: int) -> tuple[float, float]:
        return first_visit(one, Piva(), steps, size), first_visit(other, Piva(), steps, size)

    return Mean(name, setting, changes, pair)


def keep_freed_memory(bench: Bench) -> list[Mean]:
    """The C library told to keep freed blocks. That cannot be taken back: each time in a process of its own."""

    def pair(steps: int) -> tuple[float, float]:
        return _apart(bench.options, steps, False), _apart(bench.options, steps, True)

    return [Mean("freed memory is kept", "none: commands do it on a CPU", MEMORY, pair)]


def _apart(options: Options, steps: int, kept: bool) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        return executor.submit(edit_seconds, options, steps, kept).result()


def edit_seconds(options: Options, steps: int, kept: bool) -> float:
    """Seconds an edit in this process, which should be new, with freed memory kept or not."""
    world = Bench(options).world()
    with nullcontext() if kept else patch("piva.allocator.keep_freed_memory", lambda: None):
        first_visit(world, Piva(), 2, options.batch_size)  # loads the prior, and prepares kernels
    return first_visit(world, Piva(), steps, options.batch_size)
