"""A CLIPTokenizer with a small vocabulary of the Toybox's own: every word of its captions is one token.

The vocabulary also holds each byte, alone and at the end of a word, so that any other prompt tokenizes too: an unknown
word falls into pieces, at worst into bytes.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from torch import Tensor
from transformers import CLIPTokenizer

from piva.toybox.captions import caption
from piva.toybox.scene import Scene

BOS, EOS, WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
MAX_LENGTH = 40
"""Tokens of a prompt, start and end included; ours. The longest caption of the world has 24 words."""


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, the most frequent pair first, until every one of `words` is a single token.

    `tokenizers` has a trainer for this, but it breaks ties between pairs differently in every run.
    """
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    spelled = [list("".join(piece for piece, _ in bytes_of(word))) for word in sorted(set(words))]
    spelled = [[*symbols[:-1], symbols[-1] + WORD_END] for symbols in spelled]
    merges: list[tuple[str, str]] = []
    while pairs := Counter(pair for symbols in spelled for pair in pairwise(symbols)):
        merges.append(max(pairs, key=lambda pair: (pairs[pair], pair)))
        spelled = [_merged(symbols, merges[-1]) for symbols in spelled]
    return merges


def _merged(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    """`symbols` with every occurrence of the pair joined, from the left."""
    joined: list[str] = []
    for symbol in symbols:
        if joined and (joined[-1], symbol) == pair:
            joined[-1] += symbol
        else:
            joined.append(symbol)
    return joined


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
    seeds: list[list[int | None]] = [[None] * len(scenes)]
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
