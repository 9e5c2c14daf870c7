"""JSON and YAML of others: keys given twice at any depth, links, and how keys are shown."""

from itertools import pairwise

import pytest

from piva.data.json_files import read_json, read_object, repeated_keys, shown_key
from piva.data.yaml_files import read_yaml


def test_keys_given_twice_are_found_at_any_depth(tmp_path):
    (tmp_path / "a.json").write_text(
        '{"b": {"c": 1, "c": 2}, "d": [[{"e": 1, "e": 1, "f": 3}]], "b": {"c": 0, "c": 0}}'
    )
    content, problems = read_object(tmp_path / "a.json", "things")
    assert content["d"] == [[{"e": 1, "f": 3}]]
    assert problems == [f"{place}: appears more than once in a.json" for place in ("b", "b.c", "d[0][0].e")]


def test_yaml_is_read_as_json_is_and_its_merged_keys_are_not_given_twice(tmp_path):
    (tmp_path / "a.yaml").write_text("base: &base {x: 1, y: 2}\nmore: {<<: *base, x: 3}\nx: 1\n'x': 2\n")
    content, wrong = read_yaml(tmp_path / "a.yaml", tmp_path)
    assert wrong is None
    assert content["more"] == {"x": 3, "y": 2}
    assert repeated_keys(content) == ["x"]


def test_yaml_that_names_itself_or_one_part_many_times_is_walked_once(tmp_path):
    names = "abcdefghijklmno"
    lines = [f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in pairwise(names)]
    bomb = "a: &a [x, x]\n" + "".join(lines)
    for text in ("&a [*a]", bomb):
        (tmp_path / "a.yaml").write_text(text)
        content, wrong = read_yaml(tmp_path / "a.yaml", tmp_path)
        assert wrong is None
        assert repeated_keys(content) == []


@pytest.mark.parametrize("read", [read_json, read_yaml])
def test_a_byte_order_mark_is_read_over_and_a_link_out_is_not_followed(tmp_path, read):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read(inside / "a", inside) == ({"a": 1}, None)
    (inside / "link").symlink_to(inside / "a")
    assert read(inside / "link", inside) == ({"a": 1}, None)
    (tmp_path / "out").write_text("{}")
    (inside / "b").symlink_to(tmp_path / "out")
    assert read(inside / "b", inside) == (None, "b leads out of the data folder")
    (inside / "loop").symlink_to("loop")
    assert read(inside / "loop", inside)[0] is None


def test_keys_are_shown_escaped_and_cut():
    assert [shown_key(key) for key in ("w", "a b", "é", "\x1b[2J", "\ud800")] == [
        "w", "a b", "'\\xe9'", "'\\x1b[2J'", "'\\ud800'",
    ]  # fmt: skip
    assert len(shown_key("x" * 1000)) == 62
