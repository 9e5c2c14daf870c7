from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from piva.toybox.captions import caption
from piva.toybox.models import tokenizer as tokenizers
from piva.toybox.scene import sample_scene

SCENES = [sample_scene(i, "train") for i in range(600)]
CAPTIONS = tokenizers.wordings(SCENES, 3)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    """As a pipeline reads it back."""
    return tokenizers.prepare(tmp_path_factory.mktemp("tokenizer"), CAPTIONS)


def test_wordings_start_with_the_canonical_one() -> None:
    assert CAPTIONS[0] == [caption(scene) for scene in SCENES]
    assert CAPTIONS[2][5] == caption(SCENES[5], 5 * 3 + 1)
    assert len(CAPTIONS) == 4


def test_every_word_of_the_world_is_one_token(tokenizer: CLIPTokenizer) -> None:
    words = {word for row in CAPTIONS for text in row for word in text.split()}
    assert len(words) > 50
    assert [word for word in words if len(tokenizer(word).input_ids) != 3] == []


@pytest.mark.parametrize("text", ["a zebra rides a red bicycle", "größer 12 naïve", "checkeredly !? x-ray"])
def test_other_words_fall_into_pieces_and_come_back(tokenizer: CLIPTokenizer, text: str) -> None:
    ids = tokenizer(text).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.eos_token_id not in ids[1:-1]  # which is also the unknown token
    decoded = tokenizer.decode(ids, skip_special_tokens=True)
    assert decoded.replace(" ", "") == text.replace(" ", "")


def test_upper_case_and_spaces_do_not_matter(tokenizer: CLIPTokenizer) -> None:
    assert tokenizer("A  Red CUBE").input_ids == tokenizer("a red cube").input_ids


def test_token_rows_are_padded_and_cut(tokenizer: CLIPTokenizer) -> None:
    rows = tokenizers.tokenize(tokenizer, ["", "red " * 100])
    assert rows.shape == (2, tokenizers.MAX_LENGTH)
    assert rows[0].tolist() == [tokenizer.bos_token_id] + [tokenizer.eos_token_id] * (tokenizers.MAX_LENGTH - 1)
    assert rows[1, -1] == tokenizer.eos_token_id


def test_the_longest_caption_fits(tokenizer: CLIPTokenizer) -> None:
    from piva.toybox.models.clip import MAX_LENGTH

    longest = max(len(ids) for row in CAPTIONS for ids in tokenizer(row).input_ids)
    assert longest <= min(MAX_LENGTH, tokenizers.MAX_LENGTH)


def test_merges_join_the_commonest_pair_first() -> None:
    """aab, ab, b: `a` + `b` twice before `a` + `ab` once."""
    assert tokenizers.learn_merges(["b", "ab", "aab"]) == [("a", "b</w>"), ("a", "ab</w>")]
    assert tokenizers.learn_merges(["aaa"]) == [("a", "a</w>"), ("a", "aa</w>")]


def test_saved_and_fresh_tokenizers_agree(tokenizer: CLIPTokenizer, tmp_path: Path) -> None:
    fresh = tokenizers.build(text for row in CAPTIONS for text in row)
    assert fresh(CAPTIONS[1]).input_ids == tokenizer(CAPTIONS[1]).input_ids
    assert tokenizers.token_table(fresh, CAPTIONS).shape == (4, 600, tokenizers.MAX_LENGTH)


def test_the_end_token_has_the_highest_id(tokenizer: CLIPTokenizer) -> None:
    """open_clip pools the text where the highest id stands first."""
    assert tokenizer.eos_token_id == len(tokenizer) - 1
