"""`piva check env | data DIR | run RUN | memory`: is this machine, or this folder, fit for a run? Is a run whole?"""

import os
import platform
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveInt

from piva.commands.arguments import parse, take, with_method
from piva.config import Settings, identity
from piva.errors import COMPLETE, PREFLIGHT_FAILED, ConfigError
from piva.registry import unknown

USAGE = """\
usage: piva check env         packages, devices, room on the disk; which priors, ControlNets and weights of metrics are
                              here, and what fetches the others
       piva check data DIR    a folder in PIE-Bench's format, a scene (nerfstudio's or NeRF-synthetic's format), or a
                              folder of scenes with edits.yaml or edits.json: everything malformed named
       piva check run RUN...  what is recorded: every line parses, every file is there with its hash, counts and keys
                              agree; a sentence for each problem
       piva check memory      what a batch takes of a GPU's memory, and what fits; needs neither GPU nor weights

`piva check run --help` and `piva check memory --help` tell more.
"""
ABOUT_MEMORY = """\
Estimate the memory an edit takes, by batch size, as Markdown. Without --method NAME: of dds and piva as they come.

example: piva check memory --method piva --method.aux.rank 16 --prior.dtype float16 --batch-sizes 4 8
"""
SHIPPED = ("diffusion", "controlnet", "clip", "perceptual", "judge", "silhouette")


class ShapeConfig(Settings):
    """The prior that is reckoned with."""

    model: str = identity("stable-diffusion-1.5")
    """"stable-diffusion-1.5" (its shape is built in), "toybox", a pipeline folder, or a hub id on this machine."""

    dtype: tuple[Literal["float16", "bfloat16", "float32"], ...] = identity(("float16", "float32"), min_length=1)
    """Number types of the UNet and the text encoder."""


class MemoryConfig(Settings):
    """What `piva check memory` does."""

    prior: ShapeConfig = identity(default_factory=ShapeConfig)

    batch_sizes: tuple[PositiveInt, ...] = identity((1, 2, 4, 8, 16), min_length=1)
    """Numbers of cases edited together."""

    image_size: PositiveInt | None = identity(None)
    """Side of the images in pixels; otherwise the prior's own."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete, or preflight failed."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return COMPLETE
    kind, *rest = arguments
    if kind in ("env", "data") and any(word in ("-h", "--help") for word in rest):
        print(USAGE, end="")
        return COMPLETE
    if kind == "env" and not rest:
        return _environment()
    if kind == "data" and len(rest) == 1:
        return _data(Path(rest[0]))
    if kind == "memory":
        return _memory(rest)
    if kind == "run":
        from piva.commands.check_run import main as check_run

        return check_run(rest)
    if kind == "env":
        raise ConfigError(f"check env takes nothing more, not {' '.join(rest)}")
    if kind == "data":
        raise ConfigError("check data takes one folder: piva check data DIR")
    raise ConfigError(unknown("check", kind, ("env", "data", "run", "memory")))


def _environment() -> int:
    import torch

    import piva
    from piva.folders import cache_folder
    from piva.provenance import package_versions
    from piva.toybox.models.weights import MissingWeights, folder

    print(f"piva {piva.__version__}, Python {platform.python_version()}, {platform.platform()}")
    print(", ".join(f"{name} {version}" for name, version in package_versions().items()))
    cuda = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    print(f"devices: {', '.join(['cpu', *cuda, *mps])}; {torch.get_num_threads()} threads on {os.cpu_count()} cores")
    missing = 0
    for name in SHIPPED:
        try:
            size = sum(file.stat().st_size for file in folder(name).rglob("*") if file.is_file())
            print(f"weights {name}: {size / 1e6:.1f} MB")
        except MissingWeights as problem:
            missing += 1
            print(f"weights {name}: MISSING ({problem})")
    print("\n".join([*_hub_models(), *_metric_weights()]))
    print(f"cache: {cache_folder()}; room here: {shutil.disk_usage('.').free / 1e9:.1f} GB")
    return PREFLIGHT_FAILED if missing else COMPLETE


def _hub_models() -> list[str]:
    """A line for each prior and ControlNet: the revisions of it that are here, to be pinned, or what fetches it."""
    from piva.priors.hub import MODELS

    commits = {model: ", ".join(model.commits) for model in MODELS}
    return [_line(f"{model.kind} {model.id}", found, model.command) for model, found in commits.items()]


def _metric_weights() -> list[str]:
    """A line for each file that metrics of real images need."""
    from piva.metrics.loading import DEFAULTS
    from piva.metrics.lpips import TRUNKS, trunk_weights
    from piva.metrics.open_clip_model import clip_weights
    from piva.metrics.structure import dino_weights

    architecture, _, tag = DEFAULTS["real"].clip.rpartition("/")
    files = [clip_weights(architecture, tag), *(trunk_weights(net) for net in TRUNKS), dino_weights()]
    return [_line(f"metric {file.what}", str(file.find() or ""), file.command) for file in files]


def _line(what: str, found: str, command: str) -> str:
    return f"{what}: {found}" if found else f"{what}: not on this machine; to fetch it: {command}"


def _data(root: Path) -> int:
    from piva.data.edits import find_edits
    from piva.data.scene_files import is_scene

    edits_file = find_edits(root)
    if edits_file is None and not is_scene(root):
        return _pie_bench(root)
    from piva.commands.check_scenes import check_edited_scenes, check_scene

    print("\n".join([check_scene(root)] if edits_file is None else check_edited_scenes(root, edits_file)))
    return COMPLETE


def _pie_bench(root: Path) -> int:
    from benchmarks.pie_bench import locate_pie_bench
    from piva.data.pie_bench import EDIT_TYPES, read

    cases = read(locate_pie_bench(root, ""))
    counts = Counter(case.type_id for case in cases)
    sizes = Counter(f"{case.image_size[1]}x{case.image_size[0]}" for case in cases)
    print(f"{root}: {len(cases)} cases, {', '.join(f'{count} of {size}' for size, count in sizes.items())}")
    for type_id, count in sorted(counts.items()):
        print(f"  {type_id} {EDIT_TYPES[type_id]:<20}{count:>4}")
    known = sum(case.true_edit_path is not None for case in cases)
    print(f"  true edits: {known}; labels for the judge: {sum(case.labels is not None for case in cases)}")
    return COMPLETE


def _memory(arguments: Sequence[str]) -> int:
    from piva.methods import METHODS

    name, _ = take("--method", arguments)
    kind, rest = with_method(MemoryConfig, METHODS, arguments) if name else (MemoryConfig, list(arguments))
    config: Any = parse(kind, "check memory", rest, ABOUT_MEMORY)

    import torch

    from piva.memory import estimate
    from piva.methods.dds import DDS
    from piva.methods.piva import Piva
    from piva.provenance import command_line
    from reports.memory import Line, markdown

    shape, side = _shape(config.prior.model), config.image_size
    size = (side, side) if side else shape.image_size
    methods: list[Any] = [config.method] if name else [DDS(), Piva()]
    lines = []
    for method in methods:
        for dtype in config.prior.dtype:
            found = {n: estimate(shape, method, n, getattr(torch, dtype), size) for n in config.batch_sizes}
            lines.append(Line(method.name, dtype, found))
    print(markdown(shape.name, size, lines, command_line()), end="")
    return COMPLETE


def _shape(model: str) -> Any:
    """The shape of a prior that is known by name, or as its configuration says; its weights are not read."""
    from piva.priors.shapes import SHAPES

    if model in SHAPES:
        return SHAPES[model]
    from benchmarks.models import prior_facts
    from piva.config import PriorConfig

    return prior_facts(PriorConfig(model=model, device="cpu")).shape
