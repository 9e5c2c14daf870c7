"""Weight files: where they are looked for, in which order, and that nothing is fetched unasked."""

import pytest

from piva.metrics.weights import MissingWeights, WeightFile, hub_offline


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Empty caches of the hub and of torch.hub, and no network."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "torch"))

    def never(*arguments, **options):
        raise AssertionError("nothing may be fetched")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", never)
    monkeypatch.setattr("torch.hub.download_url_to_file", never)
    return tmp_path


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return path


def test_the_places_in_their_order(caches):
    file = WeightFile("W", "someone/model", ("good.safetensors", "fair.bin"), "https://example.org/a/plain.pth")
    assert file.find() is file.find(caches) is None
    kept = put(caches / "torch" / "checkpoints" / "plain.pth")
    assert file.find(caches / "mine") == kept
    snapshot = caches / "hub" / "models--someone--model" / "snapshots" / "abc"
    put(snapshot.parents[1] / "refs" / "main").write_text("abc")
    fair = put(snapshot / "fair.bin")
    assert file.find() == fair
    good = put(snapshot / "good.safetensors")
    assert file.find(caches / "mine") == good
    flat = put(caches / "mine" / "plain.pth")
    assert file.find(caches / "mine") == flat
    own = put(caches / "mine" / "model" / "fair.bin")
    assert file.find(caches / "mine") == file.locate(caches / "mine") == own


def test_a_missing_file_is_said_with_the_command_that_fetches_it(caches):
    with pytest.raises(MissingWeights) as hub:
        WeightFile("CLIP", "someone/model", ("a.bin",)).locate()
    assert str(hub.value) == "CLIP is not on this machine; to fetch it: hf download someone/model a.bin"
    with pytest.raises(MissingWeights) as url:
        WeightFile("LPIPS", url="https://example.org/a.pth").locate()
    where = caches / "torch" / "checkpoints" / "a.pth"
    assert str(url.value).endswith(f"to fetch it: curl -L --create-dirs -o {where} https://example.org/a.pth")


def test_it_is_fetched_into_the_cache_where_that_is_allowed(caches, monkeypatch):
    asked = []
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda url, path: asked.append((url, path)))
    file = WeightFile("LPIPS", url="https://example.org/a.pth")
    where = caches / "torch" / "checkpoints" / "a.pth"
    assert file.locate(allow_download=True) == where
    assert asked == [("https://example.org/a.pth", str(where))]
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda repository, name: f"/hub/{repository}/{name}")
    assert str(WeightFile("CLIP", "a/b", ("c", "d")).locate(allow_download=True)) == "/hub/a/b/c"


def test_the_hubs_library_is_kept_offline_and_let_go_again(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with hub_offline():
        assert constants.is_offline_mode()
    assert not constants.is_offline_mode()
    with hub_offline(False):
        assert not constants.is_offline_mode()
