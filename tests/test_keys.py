"""Keys change when, and only when, something changes that can change a result."""

import json
from typing import get_args

import pytest

import piva.keys as keys
from piva.config import PriorConfig, RunConfig, Settings, identity, identity_values, runtime
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.methods.sds import SDS

BASE = {
    "benchmark": {"name": "pie-toybox", "version": 1, "split": "test"},
    "method": "piva",
    "method_version": 1,
    "settings": Piva(),
    "prior": "abc/float32",
    "steps": 200,
    "seed": 0,
}


def key(**changed):
    return keys.edit_key(**(BASE | changed))


def test_canonical_json_does_not_depend_on_order():
    assert keys.canonical({"b": 1, "a": "ü"}) == keys.canonical({"a": "ü", "b": 1}) == '{"a":"ü","b":1}'.encode()
    with pytest.raises(ValueError, match="JSON compliant"):
        keys.canonical(float("nan"))


def test_a_key_is_sixteen_digits_and_stays_what_it_was():
    assert keys.digest({"a": 1}) == "dafe3268ae82b7ed"
    assert key() == key()


@pytest.mark.parametrize(("method", "known"), [(DDS(), "a4badd8c39ec49d0"), (Piva(), "c1ab8574bdc0b26b")])
def test_recorded_runs_keep_their_keys(method, known):
    """Those of README's table, which were computed before some of today's fields existed."""
    facts = {
        "method": method.name,
        "settings": method,
        "steps": 100,
        "prior": "43328c37cd3b68f742a9876f54af6503/float32",
    }
    assert key(**facts, benchmark={"name": "pie-toybox", "version": 2, "split": "test"}) == known


@pytest.mark.parametrize(
    "changed",
    [
        {"benchmark": BASE["benchmark"] | {"version": 2}},
        {"benchmark": BASE["benchmark"] | {"split": "dev"}},
        {"method": "dds"},
        {"method_version": 2},
        {"settings": Piva(lam=0.2)},
        {"settings": Piva(guidance=3)},
        {"settings": Piva(psi_at="source")},
        {"settings": Piva(aux={"rank": 8})},
        {"prior": "abc/float16"},
        {"steps": 100},
        {"seed": 1},
    ],
)
def test_a_changed_fact_is_a_new_key(changed):
    assert key(**changed) != key()


def test_an_int_where_a_float_is_meant_is_the_same_key():
    assert key(settings=Piva(guidance=7)) == key(settings=Piva(guidance=7.0))


def another(settings, name):
    """A value that a field does not have: one more, another choice, one entry fewer, something for nothing."""
    value = getattr(settings, name)
    if value is None:
        return 1.5 if float in get_args(type(settings).model_fields[name].annotation) else "another"
    choices = [choice for choice in get_args(type(settings).model_fields[name].annotation) if choice != value]
    return choices[0] if isinstance(value, str) else value[:-1] if isinstance(value, tuple) else value + 1


@pytest.mark.parametrize("method", [SDS(), DDS(), Piva()])
def test_every_identity_field_of_a_method_is_in_its_key(method):
    variants = [method.model_copy(update={n: another(method, n)}) for n in type(method).model_fields if n != "aux"]
    aux = getattr(method, "aux", None)
    if aux is not None:
        changed = [aux.model_copy(update={n: another(aux, n)}) for n in type(aux).model_fields]
        variants += [method.model_copy(update={"aux": other}) for other in changed]
    assert len({key(settings=settings) for settings in [method, *variants]}) == len(variants) + 1


def test_runtime_fields_are_in_no_key():
    class Method(Settings):
        lam: float = identity(1.0)
        threads: int = runtime(1)

    assert key(settings=Method(threads=8)) == key(settings=Method())
    config = PriorConfig(device="cuda", channels_last=True, compile=True)
    assert identity_values(config) == identity_values(PriorConfig())
    assert "batch_size" not in identity_values(RunConfig(batch_size=3))


def test_score_key_adds_the_metrics():
    one, two = keys.score_key("k", {"lpips": "lpips@1"}), keys.score_key("k", {"lpips": "lpips@2"})
    assert len({one, two, keys.score_key("l", {"lpips": "lpips@1"})}) == 3


def test_a_new_key_version_is_a_new_key(monkeypatch):
    old = key()
    monkeypatch.setattr(keys, "KEY_VERSION", keys.KEY_VERSION + 1)
    assert key() != old


def test_content_hash_knows_bytes_and_prompts(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"one")
    first = keys.content_hash(file, "src", "tgt")
    assert keys.content_hash(file, "src", "tgt") == first
    assert keys.content_hash(file, "src", "other") != first
    file.write_bytes(b"two")
    assert keys.content_hash(file, "src", "tgt") != first


def test_a_key_can_be_made_again_from_its_facts_as_json():
    facts = json.loads(json.dumps(keys.edit_facts(**BASE)))
    assert keys.key_of(facts) == key()
    assert keys.key_of(facts | {"seed": 1}) == key(seed=1) != key()


def test_facts_of_an_older_version_keep_their_key(monkeypatch):
    facts, known = keys.edit_facts(**BASE), key()
    monkeypatch.setattr(keys, "KEY_VERSION", keys.KEY_VERSION + 1)
    assert keys.key_of(facts) == known != key()


def test_nested_values_get_dotted_names():
    assert keys.flat({"a": {"b": {"c": 1}, "d": [2]}, "e": {}}) == {"a.b.c": 1, "a.d": [2]}
