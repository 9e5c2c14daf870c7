"""Published numbers: what the file holds, and beside which runs they are shown."""

from types import SimpleNamespace

import pytest
from harness_world import case_record, launch, run_record, write_run
from pydantic import ValidationError
from report_world import four_runs

from piva.metrics import INFO
from piva.metrics.clip import ClipScores
from piva.metrics.fidelity import FidelityScores
from piva.metrics.lpips import LINEAR_WEIGHTS, LpipsScores
from piva.metrics.structure import StructureScores
from reports.reading import load_runs
from reports.tables.documents import markdown
from reports.tables.published import Papers, papers, quoted

STRUCTURE = "structure-distance/dino_vitb8/keys-11/224-bilinear/0..255@1"


def run_of(root, benchmark="pie-bench", metric_id=STRUCTURE, cases=700):
    ids = [f"{k:012d}" for k in range(cases)]
    record = run_record("aa11", "dds", benchmark=benchmark, split=None, launches=[launch(ids)],
                        metrics={"structure_distance": metric_id})  # fmt: skip
    write_run(root / benchmark / "dds-aa11", record, [case_record(ids[0], metrics={"structure_distance": 0.02})])
    return load_runs([], root)


def test_metrics_are_our_official_ones_and_values_are_raw():
    ids = FidelityScores("official").ids | ClipScores(None, "ViT-L-14/openai/224-bicubic", "official").ids
    ids |= LpipsScores(None, f"squeeze/{LINEAR_WEIGHTS}", "official").ids
    ids |= StructureScores(SimpleNamespace(blocks=range(12)), profile="official").ids
    for number in papers().numbers:
        assert number.metric_id in (None, ids.get(number.metric))
        low, high = INFO[number.metric].range
        assert low <= number.value <= high
    dds = {n.metric: n.value for n in papers().numbers if n.row == "DDS" and n.metric_id}
    assert dds == {"structure_distance": 0.01474, "lpips_background": 0.0506, "mse_background": 0.00451,
                   "clip_text": 0.2586}  # fmt: skip


def test_what_is_from_notes_says_so():
    for number in papers().numbers:
        seen = papers().sources[number.source].seen
        assert number.checked == (seen is not None)
        assert number.note


def test_they_stand_beside_a_run_of_the_same_setting_in_a_table_of_their_own(tmp_path):
    runs = run_of(tmp_path)
    assert {number.metric for number in quoted(runs)} == {"structure_distance"}
    text = markdown("pie-bench", runs, ["structure_distance"], [], "piva report")
    ours, published = text.split("Published: quoted from others")
    assert "14.74" not in ours
    assert "| DDS | Stable Diffusion 1.x | 14.74 |" in published
    assert "NOT CHECKED |" in published
    assert "| Direct Inversion + Prompt-to-Prompt | not said | 11.65 |" in published
    assert "**" not in published.split("<details>")[0]  # nobody is best
    assert "no edit" not in published  # of 151 images


@pytest.mark.parametrize(
    "other", [{"benchmark": "pie-toybox"}, {"metric_id": "structure-distance/other@1"}, {"cases": 20}]
)
def test_they_do_not_stand_beside_another_setting(tmp_path, other):
    runs = run_of(tmp_path, **other)
    assert quoted(runs) == []
    assert "Published" not in markdown("x", runs, ["structure_distance"], [], "piva report")


def test_a_toybox_run_has_none(tmp_path):
    assert quoted(four_runs(tmp_path)) == []


def test_a_number_without_a_source_is_refused():
    content = papers().model_dump()
    content["numbers"][0]["source"] = "nobody"
    with pytest.raises(ValidationError, match="no such source: nobody"):
        Papers.model_validate(content)
