"""Nothing outside the data's folder is read: every file that a process opens is noted while it meets hostile data."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness_world import case_file, write_bench
from hostile_pictures import encoded, noise
from scene_folders import write_nerfstudio, write_synthetic

WATCHED = """
import json, os, sys
opened = set()
WATCHED = {"open", "os.listdir", "os.scandir", "os.open", "shutil.copyfile"}
def note(event, arguments):
    if event in WATCHED and isinstance(arguments[0], (str, bytes, os.PathLike)):
        opened.add(os.fsdecode(arguments[0]))
sys.addaudithook(note)
sys.path.insert(0, {tests!r})
import pytest
from pathlib import Path
from harness_world import use_plain_world
from piva.cli import main
from piva.data.edits import read_edits
from piva.data.pie_bench_parquet import parquet_files
from piva.data.scenes import read_scene
from piva.errors import ConfigError, PreflightError
base = Path({base!r})
with pytest.MonkeyPatch.context() as patch:
    use_plain_world(patch)
    run = ["--steps", "3", "--tracker", "none", "--out", str(base / "runs"), "--root"]
    codes = [main(["run", "pie-bench", "--method", "dds", *run, str(base / "bench")])]
    codes.append(main(["run", "pie-bench", "--method", "dds", *run, str(base / "linked")]))
    codes.append(main(["report", "--runs", str(base / "runs"), "--out", str(base / "report")]))
    for folder in ("bench", "linked", "capture", "blender", "scenes"):
        codes.append(main(["check", "data", str(base / folder)]))
refused = []
scenes, lists = ["capture", "blender", "json"], ["scenes/edits.json", "linked-edits/edits.yaml"]
readers = {path: read_scene for path in scenes} | {path: read_edits for path in lists} | {"hub": parquet_files}
for path, read in readers.items():
    try:
        read(base / path)
    except (ConfigError, PreflightError) as problem:
        refused.append(path)
print(json.dumps([codes, refused, sorted(os.path.realpath(path) for path in opened)]))
"""


def _link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(target)


@pytest.fixture
def base(tmp_path):
    """Data whose every part tries to lead to the folder `outside`."""
    outside = tmp_path / "outside"
    write_bench(outside / "bench", 2)
    write_nerfstudio(outside / "scene", 3)
    (outside / "secret.png").write_bytes(encoded(noise(16), "PNG"))
    (outside / "hub.parquet").write_bytes(b"PAR1")
    (outside / "edits.yaml").write_text("- scene: scene\n")
    _pie_bench(tmp_path, outside)
    _scenes(tmp_path, outside)
    return tmp_path


def _pie_bench(base: Path, outside: Path) -> None:
    root = write_bench(base / "bench", 8)
    mapping = json.loads((root / "mapping_file.json").read_text())
    _link(case_file(root, 1), outside / "secret.png")
    mapping[f"{2:012d}"]["image_path"] = "../../outside/secret.png"
    mapping[f"{3:012d}"]["image_path"] = str(outside / "secret.png")
    mapping[f"{4:012d}"]["image_path"] = "link/secret.png"
    _link(root / "annotation_images/link", outside)
    _link(root / "true_edits/5" / f"{5:012d}.png", outside / "secret.png")
    _link(root / "depth/6" / f"{6:012d}.png", outside / "secret.png")
    (root / "mapping_file.json").write_text(json.dumps(mapping))
    (base / "linked").mkdir()
    _link(base / "linked/mapping_file.json", outside / "bench/mapping_file.json")
    _link(base / "linked/annotation_images", outside / "bench/annotation_images")
    _link(base / "hub/0_random_140/V1-00000-of-00001.parquet", outside / "hub.parquet")


def _scenes(base: Path, outside: Path) -> None:
    write_nerfstudio(base / "capture", 3, lambda content: content.update(ply_file_path="../outside/points.ply"))
    _link(base / "capture/images/01.png", outside / "secret.png")
    write_synthetic(base / "blender", ("train",))
    _link(base / "blender/train/r_1.png", outside / "secret.png")
    (base / "json").mkdir()
    _link(base / "json/transforms.json", outside / "scene/transforms.json")
    _link(base / "json/images", outside / "scene/images")
    (base / "scenes").mkdir()
    _link(base / "scenes/linked", outside / "scene")
    entry = {"source": "a", "target": "b", "type": "addition"}
    edits = [entry | {"scene": name} for name in ("linked", "../outside/scene", str(outside / "scene"))]
    (base / "scenes/edits.json").write_text(json.dumps(edits))
    _link(base / "linked-edits/edits.yaml", outside / "edits.yaml")


def test_no_file_outside_the_data_is_opened(base):
    script = WATCHED.replace("{tests!r}", repr(str(Path(__file__).parents[1]))).replace("{base!r}", repr(str(base)))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    codes, refused, opened = json.loads(done.stdout.splitlines()[-1])
    assert codes == [1, 3, 0, 3, 3, 3, 3, 3]
    assert refused == [
        "capture", "blender", "json", "scenes/edits.json", "linked-edits/edits.yaml", "hub",
    ]  # fmt: skip
    below = [path for path in opened if Path(path).is_relative_to(base)]
    own = [base / name for name in ("bench", "linked", "capture", "blender", "json", "scenes", "hub", "runs", "report")]
    assert [path for path in below if not any(Path(path).is_relative_to(folder) for folder in own)] == []
    assert str(case_file(base / "bench", 0)) in below  # files that may be read are seen to be
    assert "/etc/passwd" not in opened
