"""PIE-Bench's evaluator, written out literally and slowly after its published code: the twin of the `official` profile.

It reads a folder in PIE-Bench's layout and a folder of edits by itself, one image at a time, and uses nothing of piva.
(evaluation/evaluate.py and evaluation/matrics_calculator.py of "PnP Inversion", Ju et al., ICLR 2024.)
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision import transforms

NAN = "nan"


def decode(runs, height, width):
    """Run lengths to 0 and 1, [H, W], one pixel at a time; then the border."""
    flat = np.zeros(height * width)
    for i in range(0, len(runs), 2):
        for j in range(min(runs[i + 1], height * width - runs[i])):
            flat[runs[i] + j] = 1
    mask = flat.reshape(height, width)
    mask[0, :] = mask[-1, :] = mask[:, 0] = mask[:, -1] = 1
    return mask


def mse(a, b):
    return float(((a.astype(np.float64) - b.astype(np.float64)) ** 2).mean())


def psnr(a, b):
    return 10 * math.log10(1 / mse(a, b))


def ssim(a, b):
    """Of [H, W, 3] in 0..1: an 11x11 Gaussian of sigma 1.5 at every pixel of the reflected image, summed tap by tap."""
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    taps /= taps.sum()
    a, b = (np.pad(x.astype(np.float64), ((5, 5), (5, 5), (0, 0)), mode="reflect") for x in (a, b))
    height, width = a.shape[0] - 10, a.shape[1] - 10

    def blur(x):
        total = np.zeros((height, width, 3))
        for i in range(11):
            for j in range(11):
                total += taps[i] * taps[j] * x[i : i + height, j : j + width]
        return total

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    cov = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def lpips(net, a, b):
    """`net` takes -1..1."""
    a, b = (torch.tensor(x.astype(np.float32)).permute(2, 0, 1)[None] for x in (a, b))
    return net(a * 2 - 1, b * 2 - 1).item()


def structure(vit, layer, heads, a, b):
    """Of [H, W, 3] in 0..255, which are not divided by 255."""
    normalise = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    prepare = transforms.Compose([transforms.Resize(224, max_size=480), normalise])
    maps = []
    for image in (a, b):
        caught = []
        handle = vit.blocks[layer].attn.qkv.register_forward_hook(lambda module, x, y, caught=caught: caught.append(y))
        vit(prepare(torch.tensor(image.astype(np.float32)).permute(2, 0, 1))[None])
        handle.remove()
        tokens, width = caught[0].shape[1], caught[0].shape[2] // 3
        key = caught[0].reshape(tokens, 3, heads, width // heads).permute(1, 2, 0, 3)[1]
        flat = key.transpose(0, 1).reshape(tokens, width)
        norm = flat.norm(dim=1, keepdim=True)
        maps.append((flat @ flat.T) / torch.clamp(norm @ norm.T, min=1e-8))
    return F.mse_loss(maps[0], maps[1]).item()


def clip(model, transform, tokenizer, image, text):
    """max(100 cos, 0) of [H, W, 3] in 0..255."""
    picture = model.encode_image(transform(Image.fromarray(np.uint8(image)))[None])[0]
    words = model.encode_text(tokenizer([text]))[0]
    return max(100 * F.cosine_similarity(picture, words, dim=0).item(), 0)


@torch.no_grad()
def evaluate(root: Path, edits: Path, models):
    """{case id: {name: value, or "nan" where the evaluator writes that}}, on the evaluator's own scales.

    Args:
        models: net (LPIPS), vit, layer, heads, model, transform, tokenizer.
    """
    results = {}
    for id_, item in json.loads((root / "mapping_file.json").read_text()).items():
        source = Image.open(root / "annotation_images" / item["image_path"]).convert("RGB")
        edited = Image.open(edits / f"{id_}.png").convert("RGB")
        if edited.size[0] != edited.size[1]:
            right, bottom = edited.size
            edited = edited.crop((right - 512, bottom - 512, right, bottom))
        src, out = np.array(source), np.array(edited)
        assert src.shape == out.shape
        mask = decode(item["mask"], *src.shape[:2])[:, :, None].repeat(3, axis=2)
        prompt = item["editing_prompt"].replace("[", "").replace("]", "")
        a, b = src.astype(np.float32) / 255 * (1 - mask), out.astype(np.float32) / 255 * (1 - mask)
        gone = (1 - mask).sum() == 0
        seen = {"model": models["model"], "transform": models["transform"], "tokenizer": models["tokenizer"]}
        results[id_] = {
            "structure_distance": structure(models["vit"], models["layer"], models["heads"], src, out),
            "psnr_background": NAN if gone else psnr(a, b),
            "lpips_background": NAN if gone else lpips(models["net"], a, b),
            "mse_background": NAN if gone else mse(a, b),
            "ssim_background": NAN if gone else ssim(a, b),
            "clip_text": clip(**seen, image=out, text=prompt),
            "clip_text_region": clip(**seen, image=out * mask, text=prompt),
        }
    return results
