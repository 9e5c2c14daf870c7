"""Where the benchmarks' data come from."""

import pytest

import benchmarks.pie_bench as pie_bench
from benchmarks.pie_bench import PIE_BENCH, PIE_TOYBOX
from piva.errors import ConfigError, PreflightError
from piva.folders import cache_folder


def test_pie_bench_is_the_users_own_copy(tmp_path):
    with pytest.raises(ConfigError, match="needs --root"):
        PIE_BENCH.locate(None, "test")
    with pytest.raises(ConfigError, match=r"no mapping_file\.json"):
        PIE_BENCH.locate(tmp_path, "test")


def test_toybox_is_written_into_the_cache_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pie_bench, "TOYBOX_CASES", 10)
    root = PIE_TOYBOX.locate(None, "dev")
    assert root == tmp_path / "cache" / f"pie-toybox-v{PIE_TOYBOX.version()}" / "dev"
    cases = PIE_TOYBOX.cases(root)
    assert {case.type_id for case in cases} == {str(k) for k in range(10)}
    assert all(case.true_edit_path and case.labels for case in cases)
    stamp = (root / "mapping_file.json").stat().st_mtime_ns
    assert PIE_TOYBOX.locate(None, "dev") == root
    assert PIE_TOYBOX.split(root) == "dev"
    assert (root / "mapping_file.json").stat().st_mtime_ns == stamp


def test_a_folder_of_the_users_own_says_its_split(tmp_path):
    from piva.toybox.pie_toybox import write

    write(tmp_path, "dev", n=1, size=16)
    assert PIE_TOYBOX.locate(tmp_path, None) == PIE_TOYBOX.locate(tmp_path, "dev") == tmp_path
    assert PIE_TOYBOX.split(tmp_path) == "dev"
    with pytest.raises(ConfigError, match=r"--split test: --root .* holds the dev split"):
        PIE_TOYBOX.locate(tmp_path, "test")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "does not say which split"),
        ("[]", "does not say which split"),
        ('{"split": "dev"}', "does not say which split"),
        ('{"split": "dev", "version": 0}', "holds dev of version 0"),
    ],
)
def test_a_folder_that_is_not_this_version_s_pie_toybox_is_refused(tmp_path, content, sentence):
    (tmp_path / "mapping_file.json").write_text("{}")
    if content is not None:
        (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(ConfigError, match=sentence):
        PIE_TOYBOX.locate(tmp_path, "dev")


def test_the_cache_is_at_home_unless_told(monkeypatch, tmp_path):
    monkeypatch.delenv("PIVA_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "piva"


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    def fail(folder, split, n):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("PIVA_CACHE", str(tmp_path))
    monkeypatch.setattr("piva.toybox.pie_toybox.write", fail)
    with pytest.raises(PreflightError, match="No space left on device; set PIVA_CACHE elsewhere"):
        PIE_TOYBOX.locate(None, "dev")
