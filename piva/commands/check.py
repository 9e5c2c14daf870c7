"""`piva check env | data DIR`: is this machine, or this folder, fit for a run?"""

import os
import platform
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from piva.errors import COMPLETE, PREFLIGHT_FAILED, ConfigError
from piva.registry import unknown

USAGE = """\
usage: piva check env         packages, devices, weights, room on the disk
       piva check data DIR    a folder in PIE-Bench's format, every malformed entry named
"""
SHIPPED = ("diffusion", "clip", "perceptual", "judge")


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete, or preflight failed."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return COMPLETE
    kind, *rest = arguments
    if kind == "env" and not rest:
        return _environment()
    if kind == "data" and len(rest) == 1:
        return _data(Path(rest[0]))
    if kind in ("env", "data"):
        raise ConfigError("piva check env takes nothing more; piva check data takes one folder")
    raise ConfigError(unknown("check", kind, ("env", "data")))


def _environment() -> int:
    import torch

    import piva
    from benchmarks.pie_bench import cache_folder
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
    print(f"cache: {cache_folder()}; room here: {shutil.disk_usage('.').free / 1e9:.1f} GB")
    return PREFLIGHT_FAILED if missing else COMPLETE


def _data(root: Path) -> int:
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
