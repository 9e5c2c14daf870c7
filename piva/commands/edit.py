"""`piva edit PICTURE --source ... --target ...`: edits one picture of any size."""

import json
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from piva.commands.arguments import parse, prompt_of, take, with_method
from piva.commands.presets import expanded
from piva.commands.score_lines import print_scores
from piva.config import MetricFlags, PriorConfig, Settings, identity, runtime
from piva.errors import COMPLETE, ConfigError, PreflightError

if TYPE_CHECKING:
    from piva.editing import EditInput, EditOutput

PANEL_HEIGHT = 384
"""A panel of a smaller picture is enlarged to about this, with hard pixels."""


PRINTED = ("clip_text", "clip_direction", "lpips", "psnr", "saturation_shift")


class EditConfig(Settings):
    """What `piva edit` does."""

    picture: Annotated[Path, tyro.conf.Positional] = identity()
    """Any image file, of any size."""

    source: Annotated[str, prompt_of("--source")] = identity()
    """What the picture shows."""

    target: Annotated[str, prompt_of("--target")] = identity()
    """What it should show."""

    steps: int = identity(200, ge=1)
    """Updates of the image; of a sampler, its steps over the whole schedule."""

    preset: Literal["authors"] | None = runtime(None)
    """Steps and settings as the method's authors had them (`piva list presets`); flags that are given win."""

    seed: int = identity(0)
    """Of the noise."""

    fit: Literal["crop", "stretch"] = identity("crop")
    """How a picture of another shape is brought to the prior's: cut to its middle part, or stretched."""

    prior: PriorConfig = identity(default_factory=PriorConfig)

    depth: Path | None = identity(None)
    """Inverse depth of the picture, for --method.aux.kind controlnet and controlnet-lora: a PNG of 8 or 16 bits, near =
    white, or an .npy [H, W] in [0, 1], near = 1; of the picture's size."""

    out: Path | None = runtime(None)
    """Folder to write to; edits/<picture>-<method>-<key> otherwise."""


def main(arguments: Sequence[str]) -> int:
    """Writes edited.png, panel.png (source | edit) and edit.json."""
    from piva.methods import METHODS
    from piva.sampling import SAMPLERS

    name, _ = take("--method", arguments)
    names = METHODS | SAMPLERS
    words = expanded(arguments, "pictures", default="piva")
    kind, rest = with_method(EditConfig, names, words if name else ["--method", "piva", *words])
    config: Any = parse(
        kind, "edit", rest, f"Edit one picture. --method is one of {', '.join(names)}; piva by default."
    )
    _check_picture(config.picture)
    _check_depth(config)
    from benchmarks.models import check_method, drop_text_encoder, load_prior, load_scorer
    from benchmarks.preflight.checks import check_disk
    from piva.data.images import ImageFileError, to_eight_bits
    from piva.data.photos import fit_photo, read_photo
    from piva.editing import EditInput

    try:
        photo = read_photo(config.picture)
        depth = _read_depth(config, (photo.height, photo.width))
    except ImageFileError as problem:
        raise PreflightError(str(problem)) from problem
    prior = load_prior(config.prior)
    check_method(config.method, prior, config.steps)
    if config.prior.drop_text_encoder:
        drop_text_encoder(prior, config.method, [(config.source, config.target)])
    image, change = fit_photo(photo, prior.image_size, config.fit)
    image = to_eight_bits(image)
    pixels = sha256(image.numpy().tobytes()).hexdigest()
    case = EditInput(pixels, image, config.source, config.target, _fit_depth(depth, prior.image_size, config.fit))
    key = _key(config, case, prior.fingerprint)
    out = config.out or Path("edits") / f"{config.picture.stem}-{config.method.name}-{key}"
    check_disk(out)
    if change:
        print(f"{config.picture} {change}", file=sys.stderr)
    output = _edit(config, prior, case)
    if output.error:
        raise PreflightError(f"the edit failed: {output.error}; try a smaller --method.step-size or --method.guidance")
    edited = to_eight_bits(output.image)
    _write_images(out, image, edited)
    pictures: Literal["toybox", "real"] = "toybox" if config.prior.model == "toybox" else "real"
    scorer = load_scorer(str(prior.device), MetricFlags(), pictures)
    scores = _scores(scorer, config, image, edited)
    _write_record(out, config, key, change, prior, output, scores)
    print_scores(scores.values, PRINTED)
    print(f"{out / 'edited.png'}\n{out / 'panel.png'}\n{out / 'edit.json'}")
    return COMPLETE


def _check_picture(picture: Path) -> None:
    """Raises PreflightError where it can't be a picture; before torch is imported, which takes seconds."""
    try:
        if not picture.is_file():
            what = "a folder, not a file" if picture.is_dir() else "there is no such file"
            raise PreflightError(f"{picture}: {what}")
    except OSError as problem:  # a name the file system refuses
        raise PreflightError(f"{picture}: {problem.strerror}") from problem


def _check_depth(config: Any) -> None:
    """Raises ConfigError where the method reads depth and there is none, or the other way round."""
    from benchmarks.depth import reads_depth

    if config.depth is not None and not reads_depth(config.method):
        raise ConfigError("--depth: only --method.aux.kind controlnet and controlnet-lora read it, and not blank")
    if config.depth is None and reads_depth(config.method):
        kind = config.method.aux.kind
        raise ConfigError(f"--method.aux.kind {kind} reads depth: give --depth FILE, or take --method.aux.depth blank")


def _read_depth(config: Any, size: tuple[int, int]) -> Any:
    """Depth [1,H,W] of a picture of this (H, W), or None where none is given."""
    from piva.data.depth_files import read_depth
    from piva.data.images import ImageFileError

    if config.depth is None:
        return None
    depth = read_depth(config.depth)
    if tuple(depth.shape[1:]) != size:
        found, wanted = (f"{width}x{height}" for height, width in (depth.shape[1:], size))
        raise ImageFileError(f"{config.depth}: depth is {found}, the picture {wanted}")
    return depth


def _fit_depth(depth: Any, size: tuple[int, int], fit: Literal["crop", "stretch"]) -> Any:
    from piva.data.photos import fit_depth

    return None if depth is None else fit_depth(depth, size, fit)


def _key(config: Any, case: "EditInput", fingerprint: str) -> str:
    from benchmarks.running.making import weights_of
    from piva.keys import edit_key

    facts = {"pixels": case.case_id, "source": config.source, "target": config.target}
    if case.depth is not None:
        facts["depth"] = sha256(case.depth.numpy().tobytes()).hexdigest()
    return edit_key(
        benchmark=facts,
        method=config.method.name,
        method_version=config.method.VERSION,
        settings=config.method,
        prior=weights_of(fingerprint, config.method),
        steps=config.steps,
        seed=config.seed,
    )


def _edit(config: Any, prior: Any, case: "EditInput") -> "EditOutput":
    """The edit; noise is keyed by the digest of the pixels, as edit_key is: a file's name is only a name."""
    from benchmarks.pictures.launch import editor
    from benchmarks.running.progress import Bar

    with Bar(config.method.name, 1, config.steps) as bar:
        edit = editor(config.method, prior, config.steps, config.seed)
        return edit([case], lambda values: bar.step({**values, "cases": 1}))[0]


def _scores(scorer: Any, config: Any, image: Any, edited: Any) -> Any:
    from piva.metrics.batch import ScoreInput

    return scorer.score(ScoreInput(src_image=image, edited=edited, src_prompt=config.source, tgt_prompt=config.target))


def _write_images(out: Path, image: Any, edited: Any) -> None:
    import torch
    from PIL import Image

    from piva.data.images import to_pil
    from piva.disk import disk

    panel = to_pil(torch.cat([image, edited], dim=-1))  # [3, H, 2W]
    scale = max(1, PANEL_HEIGHT // panel.height)
    panel = panel.resize((panel.width * scale, panel.height * scale), Image.Resampling.NEAREST)
    with disk(out):
        to_pil(edited).save(out / "edited.png")
        panel.save(out / "panel.png")


def _write_record(
    out: Path, config: Any, key: str, change: str | None, prior: Any, output: "EditOutput", scores: Any
) -> None:
    from piva.disk import disk, write_atomically
    from piva.provenance import collect

    record = {
        "edit_key": key,
        "method": config.method.name,
        "config": config.model_dump(mode="json"),
        "resized": change,
        "prior": {"name": prior.name, "fingerprint": prior.fingerprint},
        "seconds": output.seconds,
        "unet_rows": output.unet_rows,
        "unet_rows_backward": output.unet_rows_backward,
        "psi_rows": output.psi_rows,
        "aux_parameters": output.aux_parameters,
        "aux_bytes": output.aux_bytes,
        "metrics": scores.values,
        "reasons": scores.reasons,
        "provenance": collect(str(prior.device)).model_dump(),
    }
    with disk(out):
        write_atomically(out / "edit.json", json.dumps(record, indent=2).encode() + b"\n")
