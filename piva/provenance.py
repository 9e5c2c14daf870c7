"""Where a result came from: code, packages, machine, command line."""

import hashlib
import os
import platform
import re
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

import piva

PACKAGES = (
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "peft",
    "lightning",
    "torchmetrics",
    "open_clip_torch",
    "lpips",
    "numpy",
    "pillow",
)
"""The packages whose version can change a number."""
DRIVER = Path("/proc/driver/nvidia/version")


class Provenance(BaseModel):
    """Enough to say how a number was made; nothing in it is part of a key."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    command: str
    """The command line, quoted for a shell."""
    piva_version: str
    git_commit: str | None
    """None where the package does not run from a git checkout."""
    git_dirty: bool | None
    git_diff_hash: str | None = None
    """SHA-256 of `git diff HEAD --binary`: of what a dirty tree has besides the commit. None for a clean one."""
    packages: dict[str, str]
    python: str
    platform: str
    cpu: str
    threads: int
    """Threads torch may use."""
    device: str
    """What torch calls the device, with its name: "cuda:0 (NVIDIA H100)"; "cpu"."""
    gpus: tuple[str, ...] = ()
    """Names of all GPUs that the process sees."""
    driver: str | None = None
    """Version of NVIDIA's driver."""
    determinism: dict[str, bool | str | None] = {}
    """torch's switches that make the same numbers come out again, or not; empty in records before version 2."""


def collect(device: str = "cpu") -> Provenance:
    """The provenance of work that this process does on `device`."""
    root = Path(piva.__file__).resolve().parent.parent
    commit, dirty = git_state(root)
    return Provenance(
        command=command_line(),
        piva_version=piva.__version__,
        git_commit=commit,
        git_dirty=dirty,
        git_diff_hash=diff_hash(root) if dirty else None,
        packages=package_versions(),
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_cpu_name(),
        threads=_threads(),
        device=_device_name(device),
        gpus=_gpus(),
        driver=_driver(),
        determinism=_determinism(),
    )


def command_line() -> str:
    """This process's command, with the program's name instead of its path."""
    return shlex.join([Path(sys.argv[0]).name or "python", *sys.argv[1:]])


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """Commit and whether tracked files differ from it; (None, None) where `root` is no git checkout."""
    if not (root / ".git").exists():
        return None, None
    commit = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain", "--untracked-files=no")
    return None if commit is None else commit.decode().strip(), None if status is None else bool(status.strip())


def package_versions() -> dict[str, str]:
    """Installed versions of PACKAGES; one that is not installed is left out."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def diff_hash(root: Path) -> str | None:
    """SHA-256 of everything in which tracked files differ from the commit."""
    diff = _git(root, "diff", "HEAD", "--binary")
    return None if diff is None else hashlib.sha256(diff).hexdigest()


def _gpus() -> tuple[str, ...]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ()
    return tuple(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))


def _driver() -> str | None:
    """From the file that the driver itself keeps; no tool has to be there, and no GPU is waited for."""
    try:
        text = DRIVER.read_text()
    except OSError:
        return None
    found = re.search(r"Kernel Module .*?\s(\d+(?:\.\d+)+)\s", text)
    return found.group(1) if found else None


def _determinism() -> dict[str, bool | str | None]:
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn.deterministic": torch.backends.cudnn.deterministic,
        "cudnn.benchmark": torch.backends.cudnn.benchmark,
        "cudnn.allow_tf32": torch.backends.cudnn.allow_tf32,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "CUBLAS_WORKSPACE_CONFIG": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name} x{os.cpu_count()}"


def _threads() -> int:
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else os.cpu_count() or 1


def _device_name(device: str) -> str:
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda"):
        return device
    return f"{device} ({torch.cuda.get_device_name(device)})"
