"""Small models that several metric tests share."""

import open_clip
import pytest
import torch
import torch.nn.functional as F


class SmallOpenClip:
    """A random open_clip model of two small towers at 32 pixels, without its tokenizer."""

    def __init__(self):
        torch.manual_seed(0)
        vision = {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 8}
        text = {"context_length": 8, "vocab_size": 300, "width": 32, "heads": 2, "layers": 1}
        self.model = open_clip.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text).eval()

    @staticmethod
    def tokens(texts):
        rows = [[1, *[2 + byte for byte in text.encode()[:6]], 299] for text in texts]
        return torch.tensor([row + [0] * (8 - len(row)) for row in rows])

    def encode_image(self, images):
        images = F.interpolate(images, size=(32, 32), mode="bicubic", antialias=True)
        return self.model.encode_image(images)

    def encode_text(self, texts):
        return self.model.encode_text(self.tokens(texts))


@pytest.fixture(scope="session")
def small_clip():
    return SmallOpenClip()
