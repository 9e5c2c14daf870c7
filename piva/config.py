"""Settings: small frozen types in which every field says whether it can change a result.

A field is declared with `identity(...)` when another value can give another image or another score,
and with `runtime(...)` when it can only change how, where or how fast the same result is made.
Keys (`piva/keys.py`) are made of identity fields alone. A class with a field that is neither cannot be defined.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

Share = Annotated[float, Field(ge=0, le=1)]
Color = tuple[Share, Share, Share]
"""Red, green and blue in [0, 1]."""
Tracker = Literal["wandb", "tensorboard", "csv", "none"]
Executor = Literal["in-process", "processes", "ray", "slurm"]
Overwrite = Literal["only-missing", "retry-errors", "always", "never"]

_ROLE, _ADDED_LATER = "piva_role", "piva_added_later"


def identity(default: Any = ..., *, added_later: bool = False, **constraints: Any) -> Any:
    """A field that can change the result; `constraints` are pydantic's (`ge`, `le`, `default_factory`, ...).

    A field `added_later`, when runs without it had been recorded, is in no key while it has its default: that means
    what its absence meant, and those runs keep their keys.
    """
    return _field({_ROLE: "identity", _ADDED_LATER: added_later}, default, constraints)


def runtime(default: Any = ..., **constraints: Any) -> Any:
    """A field that cannot change the result beyond float tolerance: device, batch size, folders."""
    return _field({_ROLE: "runtime"}, default, constraints)


def _field(facts: dict[str, Any], default: Any, constraints: dict[str, Any]) -> Any:
    if "default_factory" in constraints:
        return Field(json_schema_extra=facts, **constraints)
    return Field(default, json_schema_extra=facts, **constraints)


class Settings(BaseModel):
    """Base of all settings: frozen, unknown names refused, every field declared identity or runtime.

    The string below a field is its description, on the command line too.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name in cls.model_fields:
            if role_of(cls, name) not in ("identity", "runtime"):
                raise TypeError(f"{cls.__name__}.{name} is declared neither identity(...) nor runtime(...)")


def role_of(settings: type[BaseModel], name: str) -> str | None:
    """How a field was declared: "identity", "runtime", or None for neither."""
    extra = settings.model_fields[name].json_schema_extra
    return str(extra.get(_ROLE)) if isinstance(extra, dict) and _ROLE in extra else None


def identity_values(settings: BaseModel) -> dict[str, Any]:
    """JSON values of the identity fields, nested settings included: what a key is made of."""
    dumped = settings.model_dump(mode="json")
    values = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        facts: Any = field.json_schema_extra
        if facts[_ROLE] == "runtime" or (facts[_ADDED_LATER] and value == field.default):
            continue
        values[name] = identity_values(value) if isinstance(value, BaseModel) else dumped[name]
    return values


class PriorConfig(Settings):
    """The frozen text-to-image model."""

    model: str = identity("toybox")
    """"toybox" (shipped with the package), a pipeline folder of Stable Diffusion, a .safetensors file, or a hub id."""

    revision: str | None = identity(None)
    """Commit of a hub model; pin it, so that the number can be made again."""

    config: str | None = identity(None, added_later=True)
    """For a .safetensors checkpoint: the folder (or hub id) of a pipeline with the same networks; its configuration is
    read, its weights are not. Of SD 1.x none is needed where 1.5's configuration is in the hub's cache."""

    image_size: tuple[PositiveInt, PositiveInt] | None = identity(None, added_later=True)
    """Height and width of the images in pixels, multiples of the VAE's factor (8); otherwise the model's own."""

    dtype: Literal["auto", "float32", "float16", "bfloat16"] = identity("auto")
    """Number type of the weights; auto is float32 on a CPU and float16 elsewhere."""

    device: str = runtime("auto")
    """auto, cpu, cuda, cuda:1, mps; auto takes the first accelerator there is."""

    channels_last: bool | None = runtime(None)
    """Memory order of the UNet's weights. None: channels last on an accelerator; on CPUs it was no faster."""

    compile: bool = runtime(False)
    """Compile the UNet: slow to start, faster in long runs on a GPU."""

    attention: Literal["auto", "sdpa", "eager", "sliced"] = runtime("auto")
    """How the UNet's attention is computed: torch's fused kernels (sdpa, which auto is), plain products with the whole
    matrix (eager), or those a head at a time (sliced: slow, little memory without gradients)."""

    drop_text_encoder: bool = runtime(False)
    """Encode all prompts first, then free the text encoder's memory: in float16 0.25 GB of SD 1.5, 0.7 GB of SD 2.1."""

    allow_download: bool = runtime(False)
    """Fetch a hub model that is not on this machine; otherwise nothing touches the network."""


class MetricFlags(Settings):
    """Which metrics score the edits, and with which models; edits are the same with any of them."""

    metrics: tuple[str, ...] = identity(())
    """Only these scores, by name (clip_text) or family (clip); all that suit the benchmark otherwise."""

    profile: Literal["strict", "official"] = identity("strict")
    """Background scores over the background alone (strict), or all scores as PIE-Bench's evaluator makes them."""

    clip: str | None = identity(None)
    """CLIP model: an open_clip MODEL/TAG, MODEL/FILE, or toybox. Otherwise ViT-L-14/openai on real images."""

    lpips: Literal["alex", "vgg", "squeeze", "toybox"] | None = identity(None)
    """LPIPS net; otherwise squeeze on real images, toybox on Toybox."""

    weights: Path | None = runtime(None)
    """Folder with weight files of metrics, looked in before the caches of open_clip, the hub and torch.hub."""

    allow_download: bool = runtime(False)
    """Fetch weights of metrics that are not on this machine; without it their scores are null, with that reason."""


class RaySettings(Settings):
    """The Ray cluster of --executor ray."""

    address: str | None = runtime(None)
    """Of a running cluster: auto, or HOST:PORT. None: one on this machine, for as long as the run takes."""

    cpus: float = runtime(1.0, gt=0)
    """CPU cores a worker takes; torch gets as many threads."""

    gpus: float | None = runtime(None, ge=0)
    """GPUs a worker takes; .5 puts two on each. None: one, where the cluster has any and --prior.device leaves it."""


class SlurmSettings(Settings):
    """The array job of --executor slurm: a job for each of --workers shards."""

    cluster: Literal["slurm", "local"] = runtime("slurm")
    """local: processes of this machine instead, to try it out."""

    partition: str | None = runtime(None)
    """Name of the partition."""

    hours: float = runtime(4.0, gt=0)
    """Time limit of a job."""

    cpus: int = runtime(4, ge=1)
    """CPU cores of a job."""

    gpus: int = runtime(1, ge=0)
    """GPUs of a job."""

    mem_gb: float = runtime(16.0, gt=0)
    """Memory of a job, GB."""

    options: tuple[str, ...] = runtime(())
    """Further options of sbatch, as NAME=VALUE: account=vision constraint=h100."""


class ExecutionFlags(Settings):
    """Who does the work of a run, and what of it; the same records come of any of these."""

    executor: Executor = runtime("in-process")
    """in-process; processes (one for each GPU, or several on a CPU); ray; slurm."""

    workers: int | None = runtime(None, ge=1)
    """Processes, Ray workers or Slurm jobs at once. None: one for each GPU; without one, as many as the cores are good
    for; 8 Slurm jobs."""

    ray: RaySettings = runtime(default_factory=RaySettings)

    slurm: SlurmSettings = runtime(default_factory=SlurmSettings)

    shard: str | None = runtime(None, pattern=r"^[1-9]\d*/[1-9]\d*$")
    """I/N: only the I-th of N shares of the work, in a folder of its own below the run; `piva merge RUN` brings them
    together."""

    overwrite: Overwrite = runtime("only-missing")
    """only-missing: what has no record yet; retry-errors: failed cases too; always: every case; never: nothing, where
    any case has a record."""

    max_errors: int | None = runtime(None, ge=1)
    """End the run when so many cases have failed."""


class RunConfig(ExecutionFlags, MetricFlags):
    """What `piva run` does: one run for each seed, with one method, on one benchmark."""

    root: Path | None = runtime(None)
    """Folder of the benchmark's data; pie-toybox writes its own when none is given."""

    split: Literal["dev", "test"] | None = identity(None)
    """Split of pie-toybox: choose settings on dev, report on test. That of --root where one is given, else test."""

    steps: int = identity(200, ge=1)
    """Updates of the image; of a sampler, its steps over the whole schedule."""

    unet_rows: int | None = runtime(None, ge=1)
    """Instead of --steps: as many of them as so many UNet rows for a case allow, to compare methods at equal rows."""

    preset: Literal["authors"] | None = runtime(None)
    """Steps and settings as the method's authors had them (`piva list presets`); flags that are given win."""

    seeds: Annotated[tuple[int, ...], tyro.conf.arg(aliases=["--seed"])] = identity((0,), min_length=1)
    """One run for each."""

    prior: PriorConfig = identity(default_factory=PriorConfig)

    limit: int | None = runtime(None, ge=1)
    """At most this many cases, spread over the edit types."""

    case: tuple[str, ...] = runtime(())
    """Only these case ids."""

    type: tuple[str, ...] = runtime(())
    """Only these edit types, by number or name."""

    batch_size: int = runtime(8, ge=1)
    """Cases edited together; results agree across sizes within float tolerance."""

    row_cache_gb: float = runtime(0.0, ge=0)
    """Keep UNet rows at the noised source on disk, at most so many GiB, for runs with other settings and the same seed:
    a sweep over lambda, guidance or methods computes them once. Results agree within float tolerance."""

    out: Path = runtime(Path("runs"))
    """Folder that holds all runs."""

    tracker: Tracker = runtime("wandb")
    """Mirror of the run: W&B (offline where no key is set), TensorBoard, a CSV of per-step values, or none."""

    tags: tuple[str, ...] = runtime(())
    """Tags of the run in W&B, besides split and prior."""

    metrics_every: int = runtime(0, ge=0)
    """Score edits on their way every so many steps, so that late drift shows; 0: never."""

    image_every: int = runtime(0, ge=0)
    """Show edits on their way to W&B or TensorBoard every so many steps, each time a pass of the VAE; 0: never."""

    dry_run: bool = runtime(False)
    """Say what would be done, and do nothing."""
