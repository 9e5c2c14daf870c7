"""What work costs before it is begun: rows through the UNet, seconds, bytes on the disk.

    seconds = rows without gradient x seconds of one + rows with backward x seconds of one

No table says how many rows a method takes: its own loop is run over a prior without a network, and the score engine
counts. Costs add up over runs; what several of them use counts once: a stored psi, and source rows that a row cache
keeps. What an earlier run left in that cache is not known here, and counts as if it were to be done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from benchmarks.depth import Depths
from benchmarks.identity_rows import IDENTITY_ROWS
from benchmarks.running.plan import Plan
from piva.auxiliary.lora import StackedLoRA
from piva.auxiliary.settings import AuxiliarySettings
from piva.auxiliary.stored import psi_key
from piva.data.images import to_eight_bits
from piva.data.pie_bench import load_image
from piva.editing import EditInput, edit_batch, source_digest
from piva.instructed import follows_instructions
from piva.sampling import SAMPLERS
from piva.schedule import t_range
from piva.scores import RowCache

if TYPE_CHECKING:
    from piva.priors import Segment, Tap


USUAL_TIMESTEPS = 1000
"""Of a prior that rows are counted with: Stable Diffusion's."""


@dataclass(frozen=True)
class Rows:
    """Latents sent forward through the UNet; a gradient comes back through those of `backward`, which are no others."""

    forward: int = 0
    backward: int = 0

    def __add__(self, other: Rows) -> Rows:
        return Rows(self.forward + other.forward, self.backward + other.backward)

    def __sub__(self, other: Rows) -> Rows:
        return Rows(self.forward - other.forward, self.backward - other.backward)

    def __mul__(self, times: int) -> Rows:
        return Rows(self.forward * times, self.backward * times)

    @property
    def total(self) -> int:
        """Of both kinds: what records call `unet_rows`."""
        return self.forward + self.backward


@dataclass(frozen=True)
class Rates:
    """Seconds a row."""

    forward: float
    backward: float
    """Of a row that a gradient comes back through, its way forward included."""
    origin: str = ""
    """Where they are from, as a phrase."""

    def seconds(self, rows: Rows) -> float:
        """Time for these rows."""
        return rows.forward * self.forward + rows.backward * self.backward


@dataclass(frozen=True)
class Needs:
    """Rows that a method asks for, for one case."""

    start: Rows = field(default_factory=Rows)  # before the first step
    step: Rows = field(default_factory=Rows)
    source: Rows = field(default_factory=Rows)  # those of a step that a row cache can keep for other runs
    psi: Rows = field(default_factory=Rows)  # once for a source image, whatever is edited from it
    made: Callable[[int], int] = field(default=int)  # of a run's steps, those that are made: a sampler leaves some out

    def edit(self, steps: int) -> Rows:
        """Rows of an edit, without those of a stored psi."""
        return self.start + self.step * self.made(steps)


@dataclass(frozen=True)
class Cost:
    """Of one run, or of many together."""

    cases: int = 0  # edits
    rows: Rows = field(default_factory=Rows)
    seconds: float = 0.0
    disk_bytes: int = 0
    shared: Mapping[str, Cost] = field(default_factory=dict)
    """What has to be done once for all runs that need it, in no other count, by a key that names it."""

    @property
    def whole(self) -> Cost:
        """With what is shared in the counts."""
        parts = [self, *self.shared.values()]
        return Cost(
            cases=self.cases,
            rows=sum((part.rows for part in parts), Rows()),
            seconds=sum(part.seconds for part in parts),
            disk_bytes=sum(part.disk_bytes for part in parts),
        )


def together(costs: Sequence[Cost]) -> Cost:
    """The sum; shared work counts once, as much of it as the run that needs most of it does."""
    shared: dict[str, Cost] = {}
    for key, part in ((key, part) for cost in costs for key, part in cost.shared.items()):
        shared[key] = max(part, shared.get(key, part), key=lambda either: either.rows.total)
    return Cost(
        cases=sum(cost.cases for cost in costs),
        rows=sum((cost.rows for cost in costs), Rows()),
        seconds=sum(cost.seconds for cost in costs),
        disk_bytes=sum(cost.disk_bytes for cost in costs),
        shared=shared,
    )


def run_cost(
    needs: Needs,
    steps: int,
    cases: int,
    rates: Rates,
    case_bytes: int,
    psi: Mapping[str, Cost] | None = None,
    source_rows: Mapping[str, Cost] | None = None,
) -> Cost:
    """The cost of a run.

    Args:
        cases: how many are edited, those included that are only done again to fill their batch.
        case_bytes: of a case's image and record.
        psi: what `psi_cost` says of those that have to be trained first.
        source_rows: what `source_rows_cost` says, where there is a row cache.
    """
    rows = needs.edit(steps) * cases - sum((part.rows for part in (source_rows or {}).values()), Rows())
    return Cost(cases, rows, rates.seconds(rows), case_bytes * cases, {**(psi or {}), **(source_rows or {})})


def psi_cost(needs: Needs, rates: Rates, keys: Collection[str], size: int) -> dict[str, Cost]:
    """Shared cost of training stored psi with these keys, of `size` bytes each."""
    one = Cost(rows=needs.psi, seconds=rates.seconds(needs.psi), disk_bytes=size)
    return {f"psi {key}": one for key in keys}


def source_rows_cost(needs: Needs, rates: Rates, keys: Collection[str], cases: int, size: int) -> dict[str, Cost]:
    """Shared cost of source rows that are kept, of `size` bytes each; a step for each of `source_row_keys`."""
    rows = needs.source * cases
    one = Cost(rows=rows, seconds=rates.seconds(rows), disk_bytes=size * rows.total)
    return {f"source rows {key}": one for key in keys}


def source_row_keys(prior: Any, method: Any, seed: int, steps: int) -> list[str]:
    """What the source rows of each step depend on besides the case: two runs share the steps whose keys are equal.

    A step's timesteps are drawn from the range that t_min, t_max and t_law give it. (Draws from two ranges may fall on
    the same timestep by chance; that counts as if they did not.)
    """
    ranges = (t_range(method.t_law, method.t_min, method.t_max, step, steps) for step in range(steps))
    return [f"{prior.fingerprint} seed {seed} step {step} t {low}-{high}" for step, (low, high) in enumerate(ranges)]


def needs_of(method: Any) -> Needs:
    """What the method asks for: counted in an edit of two steps, and taken to go on as its second one does.

    Both are at the largest timestep: a method that asks for less at small ones is taken to ask for all.
    """
    if method.name in IDENTITY_ROWS:
        return Needs()
    if method.name in SAMPLERS:
        return _needs_of_sampler(method)
    if follows_instructions(method):
        return Needs(step=Rows(forward=method.rows_per_edit), made=method.edits)
    method = method.model_copy(update={"t_min": method.t_max})
    if method.auxiliaries:  # counted with a picture, which has no camera; to be told one takes no further rows
        method = method.model_copy(update={"aux": method.aux.model_copy(update={"camera": False})})
    prior, cache = _Counter(max(USUAL_TIMESTEPS, method.t_max + 1)), RowCache()
    case = EditInput("", torch.zeros(3, *prior.image_size), "source", "target", torch.zeros(1, *prior.image_size))
    first, again = (edit_batch(prior, method, [case], steps=steps, seed=0, cache=cache)[0] for steps in (2, 1))
    forward, backward = (int(first.history[f"rows_{way}"][-1]) for way in ("forward", "backward"))
    step, both = Rows(forward, backward), Rows(first.unet_rows - first.unet_rows_backward, first.unet_rows_backward)
    source, psi = Rows(forward=again.rows_cached), Rows(backward=first.psi_rows)
    return Needs(start=both - step * 2, step=step, source=source, psi=psi)


def _needs_of_sampler(method: Any) -> Needs:
    """Counted in an edit of a tenth of the schedule's timesteps: each of its steps asks for the same."""
    from piva.sampling.batch import sample_batch

    prior, steps = _Counter(USUAL_TIMESTEPS), USUAL_TIMESTEPS // 10
    case = EditInput("", torch.zeros(3, *prior.image_size), "source", "target")
    (output,) = sample_batch(prior, method, [case], steps=steps, seed=0)
    return Needs(step=Rows(output.unet_rows // method.made(steps)), made=method.made)


def edited(plan: Plan) -> int:
    """How many edits a plan makes: a batch is edited whole, however few of it are wanted."""
    return sum(len(batch.cases) for batch in plan.batches)


def untrained_psi(plan: Plan, method: Any, prior: Any, store: Path, depths: Depths | None = None) -> set[str]:
    """Keys of the stored psi that the plan's edits need and `store` does not hold.

    Args:
        depths: of cases, where the method's auxiliaries read them.
    """
    if not getattr(method, "auxiliaries", ()) or method.aux.psi != "stored":
        return set()
    span, keys = (method.t_min, method.t_max), set()
    for case in (case for batch in plan.batches for case in batch.cases if case.fault is None):
        image = to_eight_bits(load_image(case, prior.image_size))
        source = source_digest(image, depths(case.id) if depths else None, method.aux)
        keys.add(psi_key(prior, source, case.src, method.aux, span))
    return {key for key in keys if not (store / key).is_dir()}


def psi_bytes(method: Any, prior: Any) -> int:
    """Size of a stored psi: the weights of one case."""
    parameters = prior.adapter(method.aux, 0, ()).parameters()  # [0, ...]: of no case
    return sum(parameter.shape[1:].numel() * parameter.element_size() for parameter in parameters)


class _Counter:
    """A prior without a network: latents of four numbers, and one weight to adapt."""

    name = fingerprint = "none"
    image_size, latent_shape = (2, 2), (1, 2, 2)
    prediction, half, device = "epsilon", False, torch.device("cpu")

    def __init__(self, timesteps: int) -> None:
        self.abar = torch.linspace(0.99, 0.01, timesteps)
        self._layers = {"layer": nn.Linear(1, 1)}
        self.cut_prompts: dict[str, str] = {}

    def encode(self, images: Tensor) -> Tensor:
        return images[:, :1]

    def decode(self, latents: Tensor) -> Tensor:
        return latents.expand(-1, 3, -1, -1)

    def embed(self, prompts: Sequence[str]) -> Tensor:
        return torch.zeros(len(prompts), 1, 1)

    def predict(
        self, x: Tensor, t: Tensor, embedding: Tensor, segments: Sequence[Segment] = (), tap: Tap | None = None
    ) -> Tensor:
        """Zeros that a gradient comes back through, to x and to the adapters."""
        if tap is not None:
            tap.maps.append(x[: tap.rows])
        weights = [parameter.sum() for segment in segments for parameter in segment.adapter.parameters()]
        return 0 * x + 0 * sum(weights)

    def adapter(self, settings: AuxiliarySettings, seed: int, case_ids: Iterable[str]) -> StackedLoRA:
        return StackedLoRA(self._layers, settings, len(list(case_ids)), self.device)
