"""How well samples follow a given depth, and how well silhouettes are read: two measurements of `measure.py`."""

from typing import Any

import torch

from piva.toybox.models.held_out import Held, sample_shares


def measure_silhouette(held: Held) -> dict[str, Any]:
    """IoU of read silhouettes with the renderer's own, on clean renders and on the autoencoder's round trip of them."""
    from diffusers import AutoencoderKL

    from piva.toybox.models.silhouette import intersection_over_union, load_silhouette
    from piva.toybox.models.vae import round_trip

    device = held.options.device
    reader = load_silhouette(device, held.folder("silhouette"))
    vae = AutoencoderKL.from_pretrained(held.folder("diffusion") / "vae").float().to(device).eval()
    softened = torch.cat([round_trip(vae, part.to(device)).cpu() for part in held.images.split(64)])
    clean, soft = (intersection_over_union(reader.predict(x), held.objects) for x in (held.images, softened))
    return {
        "iou": clean.mean().item(),
        "iou_on_reconstructions": soft.mean().item(),
        "iou_on_reconstructions_5_percent": soft.quantile(0.05).item(),
        "n": len(soft),
    }


def measure_controlnet(held: Held) -> dict[str, Any]:
    """IoU of the silhouettes of 25-step samples with the scene whose depth they were given.

    `iou_unconditioned` is that of samples of the same captions from the same noise that were given no depth. A caption
    says much of the silhouette already; `no_caption` is the same for the empty caption, which says nothing of it, and
    without guidance. `color` and `shape` are the shares of steered samples in which the judge sees what the caption
    asks for.
    """
    from diffusers import StableDiffusionPipeline

    from piva.data.depth import depth_condition
    from piva.toybox.captions import caption
    from piva.toybox.models.controlnet import load_controlnet, with_controlnet
    from piva.toybox.models.judge import load_judge
    from piva.toybox.models.sampling import sample
    from piva.toybox.models.silhouette import intersection_over_union, load_silhouette

    options, scenes = held.options, held.scenes[: held.options.samples]
    prompts, seeds, truth = [caption(scene) for scene in scenes], range(len(scenes)), held.objects[: len(scenes)]
    pipeline = StableDiffusionPipeline.from_pretrained(held.folder("diffusion")).to(options.device)
    steered = with_controlnet(pipeline, load_controlnet(options.device, held.folder("controlnet")))
    condition = depth_condition(held.depth[: len(scenes)])
    reader = load_silhouette(options.device, held.folder("silhouette"))

    def compare(captions: list[str], guidance: float) -> tuple[dict[str, float], torch.Tensor]:
        free = sample(pipeline, captions, seeds, guidance=guidance)
        led = sample(steered, captions, seeds, guidance=guidance, condition=condition)
        led_iou, free_iou = (intersection_over_union(reader.predict(images), truth) for images in (led, free))
        numbers = {
            "iou": led_iou.mean().item(),
            "iou_unconditioned": free_iou.mean().item(),
            "iou_5_percent": led_iou.quantile(0.05).item(),
            "iou_unconditioned_5_percent": free_iou.quantile(0.05).item(),
            "closer_than_unconditioned": (led_iou > free_iou).float().mean().item(),
        }
        return numbers, led

    with_caption, led = compare(prompts, options.guidance)
    without, _ = compare([""] * len(scenes), guidance=1.0)
    shares = sample_shares(load_judge(options.device, held.folder("judge")).predict(led), scenes)
    return {
        **with_caption,
        "no_caption": without,
        "color": shares["color"],
        "shape": shares["shape"],
        "guidance": options.guidance,
        "n": len(scenes),
    }
