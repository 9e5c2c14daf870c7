"""Whatever the code needs travels with it: packages, weights, templates, the console script."""

import ast
import graphlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("piva", "benchmarks", "reports")


def sources():
    return [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]


def test_every_folder_with_code_is_a_package():
    bare = {str(file.parent.relative_to(ROOT)) for file in sources() if not (file.parent / "__init__.py").exists()}
    assert bare == set()


def test_every_file_that_is_no_code_is_package_data():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11 and newer
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    travelling = {
        file
        for package, globs in patterns.items()
        for glob in globs
        for file in (ROOT / package.replace(".", "/")).glob(glob)
    }
    others = {
        file
        for folder in ("piva", "benchmarks", "reports/templates")
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc")
    }
    assert {str(file.relative_to(ROOT)) for file in others - travelling} == set()


def test_imports_point_one_way():
    offenders = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "piva").rglob("*.py")
        if "commands" not in file.parts and file.name != "cli.py"
        for line in file.read_text().splitlines()
        if line.strip().startswith(("import benchmarks", "import reports", "from benchmarks", "from reports"))
    ]
    assert offenders == []


def module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_no_imports_run_in_a_circle():
    modules = {module(file): file for file in sources()}
    arrows = {}
    for name, file in modules.items():
        nodes = list(ast.walk(ast.parse(file.read_text())))
        froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
        plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        taken = [f"{node.module}.{alias.name}" for node in froms for alias in node.names]
        named = [path if path in modules else path.rpartition(".")[0] for path in taken]
        arrows[name] = {other for other in [*plain, *named] if other in modules} - {name}
    graphlib.TopologicalSorter(arrows).prepare()  # raises CycleError, which names the circle


def test_sources_are_short():
    long = {str(file.relative_to(ROOT)): n for file in sources() if (n := len(file.read_text().splitlines())) > 330}
    assert long == {}


def test_a_wheel_holds_everything(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"  # a copy: setuptools would pack what an earlier build left in build/lib
    for folder in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("piva-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"piva/cli.py", "benchmarks/pictures/runner.py", "reports/templates/index.html.j2"} <= set(names)
    weights = {f"piva/toybox/weights/{file.relative_to(ROOT / 'piva/toybox/weights')}" for file in
               (ROOT / "piva/toybox/weights").rglob("*") if file.is_file()}  # fmt: skip
    assert weights <= set(names)
    assert not any(name.startswith("tests/") for name in names)
