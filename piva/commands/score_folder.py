"""`piva score-folder BENCHMARK --images DIR`: any method's images, scored and recorded as a run of their own."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from piva.commands.arguments import parse, take_name
from piva.config import MetricFlags, Settings, identity, runtime
from piva.errors import ConfigError
from piva.registry import resolve

if TYPE_CHECKING:
    from benchmarks.pictures.runner import Edit
    from piva.data.pie_bench import Case
    from piva.records import RunRecord

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


class FolderConfig(MetricFlags):
    """What `piva score-folder` does."""

    images: Path = runtime()
    """Folder of edited images: <case id>.png (or .jpg, .webp), or laid out as the benchmark's own images are."""

    name: str = identity("folder", pattern="^[A-Za-z0-9][A-Za-z0-9._]*$")
    """What the row is called in tables."""

    root: Path | None = runtime(None)
    """Folder of the benchmark's data; pie-toybox writes its own when none is given."""

    split: Literal["dev", "test"] | None = identity(None)
    """Split of pie-toybox; that of --root where one is given, else test."""

    resize_source: bool = identity(False)
    """Score at the size of the edits where it differs from the source's; otherwise that is a case's error."""

    limit: int | None = runtime(None, ge=1)
    """At most this many cases, spread over the edit types."""

    case: tuple[str, ...] = runtime(())
    """Only these case ids."""

    type: tuple[str, ...] = runtime(())
    """Only these edit types, by number or name."""

    device: str = runtime("cpu")
    """Where the metrics run: auto, cpu, cuda, cuda:1, mps."""

    out: Path = runtime(Path("runs"))
    """Folder that holds all runs."""


class Folder(Settings):
    """The settings of a folder's row: all that is known of how its images were made."""

    name: ClassVar[str] = "folder"
    VERSION: ClassVar[int] = 1

    images: str = runtime()
    """The folder; the key knows the files themselves."""

    resize_source: bool = identity()
    """Whether sources were resized to the size of the edits."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete, or some cases failed or had no image."""
    from benchmarks import BENCHMARKS
    from benchmarks.identity_rows import IDENTITY_ROWS
    from piva.methods import METHODS
    from piva.sampling import SAMPLERS

    name, rest = take_name("benchmark", BENCHMARKS, arguments, "score-folder")
    about = f"Score edited images of {' or '.join(BENCHMARKS)}, named by case id."
    config = parse(FolderConfig, f"score-folder {name or 'BENCHMARK'}", rest, about)
    benchmark = resolve("benchmark", BENCHMARKS, str(name))
    if config.name in METHODS | SAMPLERS | IDENTITY_ROWS:
        raise ConfigError(f"--name {config.name} is a method of this program; call the row something else")
    if not config.images.is_dir():
        raise ConfigError(f"--images {config.images} is no folder")

    from benchmarks.models import load_scorer
    from benchmarks.pictures.launch import plan_run
    from benchmarks.preflight.checks import check_disk
    from benchmarks.running.launches import launching
    from benchmarks.running.plan import spread
    from benchmarks.running.saying import conclude
    from piva.devices import pick_device
    from piva.records import RunFolder

    device = str(pick_device(config.device, "--device"))
    check_disk(config.out)
    root = benchmark.locate(config.root, config.split)
    cases = spread(benchmark.cases(root, types=config.type, ids=config.case), config.limit)
    scorer = load_scorer(device, config, benchmark.pictures)
    record = _describe(benchmark, root, config, scorer)
    path = config.out / record.place
    with RunFolder(path) as folder:  # planned only now: nobody else can add records any more
        plan = plan_run(path, record, cases, batch_size=1, overwrite="retry-errors")
        print(f"{path}: {plan.edits} of {len(plan.cases)} images to score", file=sys.stderr)
        if plan.remains:
            with launching(record, folder, plan.cases, 1, device) as record:
                _execute(folder, record, plan, config, root, scorer)
    return conclude(path, plan)


def find_image(images: Path, case: "Case", annotations: Path) -> Path | None:
    """The file of a case's edit: `<id>.<suffix>`, or below the same subfolders as the source; None if there is none."""
    below = case.image_path.relative_to(annotations) if case.image_path.is_relative_to(annotations) else None
    places = [images / f"{case.id}{suffix}" for suffix in SUFFIXES]
    if below is not None:
        places += [images / below, *(images / below.with_suffix(suffix) for suffix in SUFFIXES)]
    return next((place for place in places if place.is_file()), None)


def _execute(folder: Any, record: "RunRecord", plan: Any, config: FolderConfig, root: Path, scorer: Any) -> None:
    from benchmarks.pictures.runner import Job, execute
    from benchmarks.running.progress import Bar

    find = _finder(config.images, root, plan.cases)
    size = _sizes(find, config)
    with Bar(config.name, plan.edits + len(plan.rescore), 1) as bar:
        execute(Job(folder, record, size, _reader(find, config), scorer, (bar,), costs_known=False), plan)


def _finder(images: Path, root: Path, cases: Sequence["Case"]) -> Callable[[str], Path | None]:
    found = {case.id: find_image(images, case, root.resolve() / "annotation_images") for case in cases}
    return found.__getitem__


def _sizes(find: Callable[[str], Path | None], config: FolderConfig) -> Callable[["Case"], tuple[int, int]]:
    """Each case's size of scoring: the source's own, or its edit's."""

    def size(case: "Case") -> tuple[int, int]:
        path = find(case.id)
        if not config.resize_source or path is None:
            return case.image_size
        height, width = _read(path, config).shape[-2:]
        return int(height), int(width)

    return size


def _read(path: Path, config: FolderConfig) -> Any:
    """The edit in a file, [3, H, W]; in the official profile the corner of it that PIE-Bench's evaluator scores."""
    from piva.data.images import bottom_right, read_image

    image = read_image(path)
    return bottom_right(image) if config.profile == "official" else image


def _reader(find: Callable[[str], Path | None], config: FolderConfig) -> "Edit":
    """An edit function that reads what someone else edited."""
    from benchmarks.identity_rows import unedited
    from benchmarks.pictures.runner import Skipped

    def edit(inputs: Sequence[Any], on_step: Any) -> list[Any]:
        outputs = []
        for case in inputs:
            path = find(case.case_id)
            if path is None:
                raise Skipped(f"no image named {case.case_id} in the folder")
            image = _read(path, config)
            if image.shape != case.image.shape:
                sizes = ("x".join(map(str, reversed(shape[1:]))) for shape in (image.shape, case.image.shape))
                raise ValueError(
                    "the edit is {}, its source {}; --resize-source scores at the edit's size".format(*sizes)
                )
            outputs.append(unedited(case.case_id, image))
        return outputs

    return edit


def _describe(benchmark: Any, root: Path, config: FolderConfig, scorer: Any) -> "RunRecord":
    """The run's record; its key covers every file that belongs to a case, whichever are asked for."""
    from benchmarks.running.making import Making, run_record
    from piva.keys import digest

    method = Folder(images=str(config.images.resolve()), resize_source=config.resize_source)
    cases = benchmark.cases(root)
    find = _finder(config.images, root, cases)
    files = {case.id: _content(path, config) for case in cases if (path := find(case.id)) is not None}
    if not files:
        raise ConfigError(f"--images {config.images} has no image named by a case id, such as {cases[0].id}.png")
    none = {"name": "none", "fingerprint": "none"}
    return run_record(benchmark, root, Making(config.name, method, none, data={"files": digest(files)}), scorer.spec)


def _content(path: Path, config: FolderConfig) -> str:
    """What the key knows of an image: its file, and whether only a corner of it is kept and scored."""
    from piva.data.images import image_size
    from piva.keys import file_hash

    height, width = image_size(path)
    return file_hash(path) + ("/bottom-right" if config.profile == "official" and height != width else "")
