"""A CLIPTokenizer with a small vocabulary of the Toybox's own: every word of its captions is one token.

The vocabulary also holds each byte, alone and at the end of a word, so that any other prompt tokenizes too: an unknown
word falls into pieces, at worst into bytes.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTokenizer

from piva.toybox.captions import caption
from piva.toybox.scene import Scene

BOS, EOS, WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
MAX_LENGTH = 40
"""Tokens of a prompt, start and end included; ours. The longest caption of the world has 24 words."""


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Byte-pair merges that make every one of `words` a single token."""
    trainer = trainers.BpeTrainer(
        vocab_size=100_000,
        min_frequency=1,
        end_of_word_suffix=WORD_END,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    learner = Tokenizer(models.BPE(end_of_word_suffix=WORD_END))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner.train_from_iterator(sorted(set(words)), trainer)
    return [tuple(merge) for merge in json.loads(learner.to_str())["model"]["merges"]]


def build(captions: Iterable[str], max_length: int = MAX_LENGTH) -> CLIPTokenizer:
    """The tokenizer of the words in `captions`."""
    words = {word for caption in captions for word in caption.lower().split()}
    merges = learn_merges(words)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    symbols = [*alphabet, *(byte + WORD_END for byte in alphabet), *("".join(merge) for merge in merges), BOS, EOS]
    vocabulary = {symbol: index for index, symbol in enumerate(dict.fromkeys(symbols))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=max_length)


def save(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Writes what `CLIPTokenizer.from_pretrained(folder)` reads, and vocab.json and merges.txt for older readers."""
    tokenizer.save_pretrained(folder)
    tokenizer.backend_tokenizer.model.save(str(folder))


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Token ids [B,L] (int64), padded and cut to the tokenizer's length."""
    return tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids


def wordings(scenes: list[Scene], paraphrases: int) -> list[list[str]]:
    """Captions [1 + paraphrases][N]: the canonical wording of every scene, then paraphrases of it."""
    seeds = [[None] * len(scenes)]
    seeds += [[i * paraphrases + k for i in range(len(scenes))] for k in range(paraphrases)]
    return [[caption(scene, seed) for scene, seed in zip(scenes, row, strict=True)] for row in seeds]


def prepare(folder: Path, captions: list[list[str]], max_length: int = MAX_LENGTH) -> CLIPTokenizer:
    """The tokenizer kept in `folder`, made from `captions` on the first call."""
    if not (folder / "tokenizer_config.json").exists():
        save(build((text for row in captions for text in row), max_length), folder)
    return CLIPTokenizer.from_pretrained(folder)


def token_table(tokenizer: CLIPTokenizer, captions: list[list[str]]) -> Tensor:
    """Token ids [P,N,L] of captions [P][N], as int16 to save memory."""
    return torch.stack([tokenize(tokenizer, row).to(torch.int16) for row in captions])
