"""open_clip models: prepared as open_clip prepares pictures, scored as a hand-written call, loaded from here only."""

import json

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import save_file

from piva.errors import ConfigError
from piva.metrics.batch import Batch, ScoreInput
from piva.metrics.cache import FeatureCache
from piva.metrics.clip import ClipScores
from piva.metrics.open_clip_model import clip_weights, load_open_clip
from piva.metrics.weights import MissingWeights, fingerprint


@pytest.fixture(scope="module")
def by_hand(tiny_open_clip):
    """(model, its own transform of PIL pictures, its tokenizer), as open_clip's README loads them."""
    architecture, _, file = tiny_open_clip.partition("/")
    model = open_clip.create_model(architecture, file).eval()
    transform = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    return model, transform, open_clip.get_tokenizer(architecture)


def photo(seed, height=70, width=96):
    """A smooth 8-bit picture, as photographs are, [H, W, 3]."""
    coarse = torch.from_numpy(np.random.default_rng(seed).random((1, 3, 7, 9), dtype=np.float32))
    fine = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)[0].clamp(0, 1)
    return (fine * 255).round().byte().permute(1, 2, 0).numpy()


def as_tensor(picture):
    return torch.from_numpy(picture).permute(2, 0, 1).float() / 255


def test_pictures_are_prepared_as_open_clip_does(tiny_open_clip, by_hand):
    clip = load_open_clip(tiny_open_clip)
    pictures = [photo(0), photo(1)]
    expected = torch.stack([by_hand[1](Image.fromarray(picture)) for picture in pictures])
    prepared = clip.prepare(torch.stack([as_tensor(picture) for picture in pictures]))
    one_level = 1 / 255 / min(clip.std)
    assert prepared.shape == expected.shape == (2, 3, 32, 32)
    assert (prepared - expected).abs().max() <= 1.01 * one_level
    assert (prepared - expected).abs().mean() < 0.2 * one_level


@torch.inference_mode()
def test_scores_are_those_of_a_hand_written_call(tiny_open_clip, by_hand):
    model, transform, tokenizer = by_hand
    src, edited = photo(2), photo(3)
    mask = torch.zeros(70, 96, dtype=torch.bool)
    mask[10:50, 20:70] = True
    case = ScoreInput(
        src_image=as_tensor(src),
        edited=as_tensor(edited),
        src_prompt="a red cube",
        tgt_prompt="a blue cat",
        mask=mask,
    )
    clip = load_open_clip(tiny_open_clip)
    scores = ClipScores(clip, clip.name).score(Batch([case]), FeatureCache())

    def image(picture):
        return model.encode_image(transform(Image.fromarray(np.uint8(picture)))[None], normalize=True)[0]

    text_src, text_tgt = model.encode_text(tokenizer(["a red cube", "a blue cat"]), normalize=True)
    change = image(edited) - image(src)
    expected = {
        "clip_text": image(edited) @ text_tgt,
        "clip_text_region": image(edited * mask.numpy()[:, :, None]) @ text_tgt,
        "clip_image": image(edited) @ image(src),
        "clip_direction": F.cosine_similarity(change, text_tgt - text_src, dim=0),
    }
    for name, value in expected.items():
        assert scores[name] == [pytest.approx(value.item(), abs=0.01)], name


def test_a_file_is_named_by_its_content(tiny_open_clip):
    clip = load_open_clip(tiny_open_clip)
    assert clip.name == f"tiny-clip/{fingerprint(clip.model)}/32-bicubic"
    assert not clip.model.training


def test_in_the_official_profile_a_cosine_is_cut_at_0(tiny_open_clip):
    clip = load_open_clip(tiny_open_clip)
    pictures = [as_tensor(photo(seed)) for seed in range(6)]
    texts = ["red", "a dog", "7 blue birds", "", "snow", "x"]
    cases = [
        ScoreInput(src_image=p, edited=p, src_prompt="", tgt_prompt=t) for p, t in zip(pictures, texts, strict=True)
    ]
    strict = ClipScores(clip, "c").score(Batch(cases), FeatureCache())["clip_text"]
    official = ClipScores(clip, "c", "official").score(Batch(cases), FeatureCache())["clip_text"]
    assert min(strict) < 0 < max(strict)
    assert official == [max(value, 0) for value in strict]


def test_a_tag_is_found_in_the_hubs_cache_and_decides_on_the_activation(tiny_open_clip, tmp_path, monkeypatch):
    import huggingface_hub
    from open_clip import pretrained

    facts = {"hf_hub": "someone/tiny/", "quick_gelu": True, "mean": (0.5,) * 3, "std": (0.25,) * 3}
    monkeypatch.setitem(pretrained._PRETRAINED, "tiny-clip", {"mine": facts})
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingWeights, match="CLIP tiny-clip/mine is not on this machine; to fetch it: hf download"):
        load_open_clip("tiny-clip/mine")
    repository = tmp_path / "models--someone--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    weights = torch.load(tiny_open_clip.partition("/")[2], weights_only=True)
    save_file(weights, repository / "snapshots" / "abc" / "open_clip_model.safetensors")
    clip = load_open_clip("tiny-clip/mine")
    assert clip.name == "tiny-clip/mine/32-bicubic"
    assert (clip.mean, clip.std) == ([0.5] * 3, [0.25] * 3)
    assert type(clip.model.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"


def test_a_tokenizer_that_is_not_here_is_missing_too(tmp_path):
    vision = {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 8}
    text = {"context_length": 16, "vocab_size": 99, "width": 32, "heads": 2, "layers": 1}
    text |= {"hf_tokenizer_name": "nobody/no-such-tokenizer"}
    (tmp_path / "tiny-hub.json").write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(tmp_path)
    torch.save(open_clip.create_model("tiny-hub").state_dict(), tmp_path / "weights.pt")
    with pytest.raises(
        MissingWeights, match=r"the tokenizer .* of CLIP tiny-hub is not on this machine; to fetch it: --allow"
    ):
        load_open_clip(f"tiny-hub/{tmp_path / 'weights.pt'}")


@pytest.mark.parametrize(
    ("clip", "sentence"),
    [
        ("ViT-L-14-quickgel/openai", "unknown model 'ViT-L-14-quickgel': did you mean 'ViT-L-14-quickgelu'"),
        ("ViT-L-14/opnai", "unknown weights tag 'opnai': did you mean 'openai'?; or give a file, ViT-L-14/FILE"),
        ("ViT-L-14", "unknown weights tag ''"),
    ],
)
def test_models_and_tags_that_do_not_exist(clip, sentence):
    with pytest.raises(ConfigError) as caught:
        load_open_clip(clip)
    assert f"--clip {clip}: " in str(caught.value)
    assert sentence in str(caught.value)


def test_where_the_default_comes_from():
    weights = clip_weights("ViT-L-14", "openai")
    assert weights.command == "hf download timm/vit_large_patch14_clip_224.openai open_clip_model.safetensors"
    assert weights.url == ""
    assert clip_weights("ViT-L-14", "laion400m_e32").kept_in.parts[-2:] == (".cache", "clip")
