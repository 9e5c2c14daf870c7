"""Shards of a run: whose share of the work is which, where it lies, and what of it remains.

A shard is a run folder of its own, `<run>/shards/<i>-of-<n>`, and has every n-th batch of the full plan. What the run
itself has is no shard's to do again; `piva merge` brings shards into it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.running.plan import Batch, C, Plan
from piva.errors import ConfigError
from piva.records import RUN_FILE, RunRecord, read_cases, read_run
from piva.records.files import SHARDS
from piva.records.run_files import shards_of

if TYPE_CHECKING:
    from benchmarks.running.runs import Runs


def check_shard(shard: str | None) -> None:
    """Raises ConfigError for a share that there is not."""
    number, of = shard_of(shard)
    if number > of:
        raise ConfigError(f"--shard {shard}: of {of} shards the last is {of}/{of}")


def shard_of(shard: str | None) -> tuple[int, int]:
    """(number from 1, of how many); 1 of 1 is all there is."""
    number, of = (shard or "1/1").split("/")
    return int(number), int(of)


def shard_folder(run: Path, shard: str) -> Path:
    """Where a shard "2/8" of a run lies."""
    number, of = shard_of(shard)
    return run / SHARDS / f"{number}-of-{of}"


def folder_of(runs: Runs, record: RunRecord) -> Path:
    """The folder of the run, or of the shard that the settings name."""
    run = runs.config.out / record.place
    return run if runs.config.shard is None else shard_folder(run, runs.config.shard)


def planned(runs: Runs, record: RunRecord) -> Plan[Any]:
    """What remains to be done of the run, or of the shard that the settings name."""
    run = runs.config.out / record.place
    whole = runs.plan(record, run)
    return whole if runs.config.shard is None else planned_shard(runs, record, whole, runs.config.shard)


def planned_shard(runs: Runs, record: RunRecord, whole: Plan[Any], shard: str) -> Plan[Any]:
    """What remains to be done of a shard.

    Args:
        whole: what the run's own folder leaves to do.

    Raises:
        ConfigError: the run is recorded with other scores, so that no merge would take the shard.
    """
    run = runs.config.out / record.place
    if (run / RUN_FILE).exists() and read_run(run).score_key != record.score_key:
        raise ConfigError(f"{run} is scored by other metrics: without --shard, the same command scores it again first")
    path = shard_folder(run, shard)
    return of_shard(whole, runs.plan(record, path), read_cases(path).keys(), runs.share(*shard_of(shard)))


def of_shard(whole: Plan[C], own: Plan[C], held: Collection[str], share: Collection[str]) -> Plan[C]:
    """What a shard has to do: of its share, what the run lacks, as far as the shard lacks it.

    A case that failed in the run is tried as the run itself would, which is alone. Cases of the run that only have to
    be scored again are left to it.

    Args:
        whole: what the run's folder leaves to do.
        own: what the shard's folder leaves to do.
        held: ids that the shard has a record of.
        share: ids that are the shard's to do.
    """
    lacking = {id_ for batch in whole.batches for id_ in batch.wanted}.intersection(share)
    batches: dict[tuple[str, ...], Batch[C]] = {}
    for plan, ids in ((whole, lacking.difference(held)), (own, lacking.intersection(held))):
        for batch in plan.batches:
            if wanted := batch.wanted & ids:
                members = tuple(case.id for case in batch.cases)
                known = batches[members].wanted if members in batches else frozenset()
                batches[members] = Batch(batch.cases, wanted | known)
    return replace(own.only(lacking), batches=tuple(batches.values()))


def unmerged(run: Path) -> str | None:
    """What to say of shards that lie below a run."""
    found = shards_of(run)
    if not found:
        return None
    return f"{len(found)} shards lie in {run / SHARDS}, and count once they are brought in: piva merge {run}"
