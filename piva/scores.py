"""The score engine: what a method asks for, in the fewest rows and UNet calls.

One ask for a batch of B cases is at most two calls, three where a method differentiates:
    without gradient   every row of the prior (c and u of both branches) and of auxiliaries that do not train here
    with gradient      the rows auxiliaries are trained on; what is asked of them is read off the same pass
    with a graph       the rows whose x requires grad; frozen weights have none
A row that two requests share (same x, same prompt: the unconditional one, say) is run once. Rows at the noised source
depend on nothing that is being optimised; with a cache they are kept for the next run that draws the same noise.
Nothing here waits for the device.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from types import SimpleNamespace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from piva.cache import TensorCache
from piva.noise import KEY_VERSION
from piva.objectives import cfg_guided, eps_hat
from piva.priors import Adapter, Prior, Segment, Tap
from piva.step import UNCONDITIONAL, Prompt, Request, Step


class Row(NamedTuple):
    """One row per case of a UNet call: an input, a prompt, and the auxiliary it goes through, if any."""

    x: Tensor  # [B,C,H,W]
    prompt: Prompt
    auxiliary: str | None = None
    of_source: bool = False  # whether x is the noised source, whose depth the auxiliary then reads
    features: bool = False  # whether the prior's features are kept
    cases: tuple[int, ...] | None = None  # those it is run for; None: all

    @property
    def key(self) -> Hashable:
        """Rows are the same when they have the same tensor, not an equal one, as input."""
        return id(self.x), self.prompt, self.auxiliary, self.features, self.cases

    @property
    def is_plain(self) -> bool:
        """Whether it is the prior's output for all cases, and nothing besides."""
        return self.auxiliary is None and not self.features and self.cases is None


class Training(Protocol):
    """Auxiliaries that train on the step's own draw."""

    def score(self, engine: ScoreEngine, step: Step) -> list[tuple[Row, Tensor]]:
        """Train on the step's rows, and return each with the network's output [B,C,H,W], detached."""
        ...


class SourceRows(Protocol):
    """Where source latents and outputs [C,H,W] of source rows are kept: `RowCache`, or `piva.row_store.RowStore`."""

    def get(self, key: Hashable) -> tuple[Tensor, ...] | None: ...
    def put(self, key: Hashable, tensors: tuple[Tensor, ...]) -> None: ...


class RowCache(TensorCache):
    """Source latents and rows in memory, for a sweep in one process: the same cases and seed under other settings.

    A run by itself draws nothing twice, nor do two seeds.
    """


class ScoreEngine:
    """Answers a batch of independent cases from one prior and their auxiliaries.

    Args:
        captions: (src, tgt) of every case.
        adapters: auxiliary name -> the adapters of all cases.
        training: trains auxiliaries on the rows they are scored at; None when nothing trains on the step's draw.
        cache: where source rows are kept, and looked for.
        sources: what a case's noised source depends on beside step and timestep: its image and (seed, case id), say;
            needed with a cache.
        depth: [B,1,H,W] scaled inverse depth of every case, near = 1, for auxiliaries that read it.
        depth_src: that of the source, where it is another; in 2D the current picture keeps the source's.
        cameras: [B,16] poses, for auxiliaries with a camera embedding.

    The views of a scene are cases with one adapter for all; `sources`, `depth`, `depth_src` and `cameras` are then set
    anew for each step.
    """

    def __init__(
        self,
        prior: Prior,
        captions: Sequence[tuple[str, str]],
        adapters: Mapping[str, Adapter] | None = None,
        training: Training | None = None,
        cache: SourceRows | None = None,
        sources: Sequence[Hashable] = (),
        depth: Tensor | None = None,
        depth_src: Tensor | None = None,
        cameras: Tensor | None = None,
    ):
        self.prior, self.captions, self.adapters = prior, list(captions), dict(adapters or {})
        self.training, self.cache, self.sources = training, cache, list(sources)
        self.depth, self.depth_src, self.cameras = depth, depth_src, cameras
        self.rows_forward = [0] * len(self.captions)  # rows run so far for each case, without gradient
        self.rows_backward = [0] * len(self.captions)  # and with
        self.rows_cached = [0] * len(self.captions)  # and those the cache had
        self._embeddings: dict[Hashable, Tensor] = {}

    def counts(self) -> dict[str, list[int]]:
        """The rows so far, by the names of the attributes."""
        return {name: list(getattr(self, name)) for name in ("rows_forward", "rows_backward", "rows_cached")}

    def count_on(self, counts: Mapping[str, Sequence[int]]) -> None:
        """Go on from `counts` that an engine for the same cases gave."""
        self.rows_forward, self.rows_backward = list(counts["rows_forward"]), list(counts["rows_backward"])
        self.rows_cached = list(counts["rows_cached"])

    def ask(self, step: Step) -> _Ask:
        """The function a method asks with during `step`."""
        return _Ask(self, step)

    def outputs(self, rows: Sequence[Row], t: Tensor) -> list[Tensor]:
        """The network's raw output [B,C,H,W] of each row, in one call, under the caller's grad mode; rows are counted.

        Args:
            rows: those without an auxiliary first.
            t: [B] timesteps.
        """
        everyone = tuple(range(len(self.captions)))
        return self.call(rows, [everyone] * len(rows), t)

    def call(
        self, rows: Sequence[Row], members: Sequence[tuple[int, ...]], t: Tensor, tap: Tap | None = None
    ) -> list[Tensor]:
        """`outputs`, where row i is run for the cases in members[i] only; `tap` takes features on the way."""
        if not rows:
            return []
        n = len(self.captions)
        x = torch.cat([r.x if len(m) == n else r.x[list(m)] for r, m in zip(rows, members, strict=True)])
        times = torch.cat([t if len(m) == n else t[list(m)] for m in members])
        starts = [sum(len(m) for m in members[:i]) for i in range(len(rows))]
        segments = [self._segment(r, s) for r, s in zip(rows, starts, strict=True) if r.auxiliary]
        counts = self.rows_backward if torch.is_grad_enabled() else self.rows_forward
        for case in (case for m in members for case in m):
            counts[case] += 1
        tapped = {} if tap is None else {"tap": tap}
        out = self.prior.predict(x, times, self._embedding([r.prompt for r in rows], members), segments, **tapped)
        return list(out.split([len(m) for m in members]))

    def _segment(self, row: Row, start: int) -> Segment:
        depth = self.depth_src if row.of_source and self.depth_src is not None else self.depth
        return Segment(self.adapters[str(row.auxiliary)], start, depth, self.cameras)

    def _embedding(self, prompts: Sequence[Prompt], members: Sequence[tuple[int, ...]]) -> Tensor:
        """Embeddings [R,L,D] of a call's rows; steps ask for the same few layouts, which are kept."""
        layout = (tuple(prompts), tuple(members))
        if layout not in self._embeddings:
            texts = [p.spelled(*self.captions[case]) for p, m in zip(prompts, members, strict=True) for case in m]
            if len(self._embeddings) >= 16:  # partial hits of a cache make many layouts
                self._embeddings.clear()
            self._embeddings[layout] = self.prior.embed(texts)
        return self._embeddings[layout]


class _Ask:
    """One step's questions; what was answered once in the step is not computed again."""

    def __init__(self, engine: ScoreEngine, step: Step):
        self.engine, self.step = engine, step
        self._known: dict[Hashable, Tensor] = {}
        self._features: dict[Hashable, list[Tensor]] = {}
        self._kept_alive: list[Row] = []  # an id() is only as good as its tensor's life
        self._trained = False

    def __call__(self, **requests: Request) -> SimpleNamespace:
        """The scores [B,C,H,W] under the names of their requests."""
        rows = {row.key: row for request in requests.values() for row in self._rows(request)}
        if any(row.auxiliary for row in rows.values()):
            self._train()
        missing = [row for key, row in rows.items() if key not in self._known]
        self._kept_alive += missing
        with torch.no_grad():  # first: while it runs, no graph takes memory
            self._frozen([row for row in missing if not row.x.requires_grad])
        self._differentiable([row for row in missing if row.x.requires_grad])
        wanted = {name: self._rows(request)[0].key for name, request in requests.items() if request.features}
        features = {name: self._features[key] for name, key in wanted.items()}
        return SimpleNamespace(**{name: self._score(request) for name, request in requests.items()}, features=features)

    def _score(self, request: Request) -> Tensor:
        """u + s (c - u) of the rows of a request."""
        got = {row.prompt: self._known[row.key] for row in self._rows(request)}
        if len(got) == 1:
            return next(iter(got.values()))
        return cfg_guided(got[UNCONDITIONAL], got[request.prompt], request.guidance)

    def _rows(self, request: Request) -> list[Row]:
        of_source = request.x is self.step.x_t_src
        return [
            Row(request.x, prompt, request.auxiliary, of_source, request.features, request.cases)
            for prompt in request.prompts
        ]

    def _train(self) -> None:
        """The call with gradient, once a step: its rows are known afterwards."""
        if self.engine.training is None or self._trained:
            return
        self._trained = True
        for row, output in self.engine.training.score(self.engine, self.step):
            self._know(row, output)
            self._kept_alive.append(row)

    def _differentiable(self, rows: Sequence[Row]) -> None:
        """Rows whose x requires grad: a call of their own, with a graph from x to the score."""
        everyone = tuple(range(len(self.engine.captions)))
        for row, output in zip(*self._call([(row, row.cases or everyone) for row in rows]), strict=True):
            self._know(row, output)

    def _frozen(self, rows: Sequence[Row]) -> None:
        """The call without gradient; a case whose source row is in the cache sits that row out."""
        cache, everyone = self.engine.cache, tuple(range(len(self.engine.captions)))
        kept = [row for row in rows if cache is not None and row.of_source and row.is_plain]
        keys = {row.key: self._cache_keys(row) for row in kept}
        found = {row.key: [_first(cache.get(key)) for key in keys[row.key]] for row in kept if cache is not None}
        for case in (case for got in found.values() for case in everyone if got[case] is not None):
            self.engine.rows_cached[case] += 1
        absent = {key: tuple(case for case in everyone if got[case] is None) for key, got in found.items()}
        calls = [(row, members) for row in rows if (members := absent.get(row.key, row.cases or everyone))]
        for row, output in zip(*self._call(calls), strict=True):
            if row.key not in found:
                self._know(row, output)
            for case in absent.get(row.key, ()):
                found[row.key][case] = output[case]
                cache.put(keys[row.key][case], (output[case],))  # type: ignore[union-attr]
        for row in kept:
            self._know(row, torch.stack([one for one in found[row.key] if one is not None]))

    def _call(self, calls: Sequence[tuple[Row, tuple[int, ...]]]) -> tuple[list[Row], list[Tensor]]:
        """Rows, each for its cases, in one call, in an order that priors want; outputs [B,C,H,W], zeros elsewhere."""
        calls = sorted(calls, key=lambda call: (call[0].auxiliary is not None, not call[0].features))
        rows, n = [row for row, _ in calls], len(self.engine.captions)
        tap = Tap(n * sum(row.features for row in rows)) if any(row.features for row in rows) else None
        outputs = self.engine.call(rows, [members for _, members in calls], self.step.t, tap)
        for i, row in enumerate(row for row in rows if row.features):
            self._features[row.key] = [maps[i * n : (i + 1) * n] for maps in tap.maps]  # type: ignore[union-attr]
        return rows, [_spread(output, members, n) for (_, members), output in zip(calls, outputs, strict=True)]

    def _cache_keys(self, row: Row) -> list[Hashable]:
        """What a source row depends on, per case: weights, draws and source latent, step, timestep, prompt."""
        engine, step = self.engine, self.step
        return [
            (engine.prior.fingerprint, (KEY_VERSION, source), step.index, t, row.prompt.spelled(*captions))
            for source, t, captions in zip(engine.sources, step.timesteps, engine.captions, strict=True)
        ]

    def _know(self, row: Row, output: Tensor) -> None:
        """File a row's predicted noise, converted from what the network puts out; zeros where it was not run."""
        noise = eps_hat(output, row.x, self.step.abar, self.engine.prior.prediction)
        if row.cases is not None:
            noise = _spread(noise[list(row.cases)], row.cases, len(noise))
        self._known[row.key] = noise


def _spread(output: Tensor, members: tuple[int, ...], n: int) -> Tensor:
    """[M,C,H,W] of some cases -> [n,C,H,W] of all."""
    if len(members) == n:
        return output
    spread = output.new_zeros(n, *output.shape[1:])
    spread[list(members)] = output
    return spread


def _first(tensors: tuple[Tensor, ...] | None) -> Tensor | None:
    return tensors[0] if tensors else None
