"""Means that are measured by calls of the prior, outside an edit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any

import torch

from benchmarks.means.mean import MEMORY, NOTHING, Bench, Mean
from benchmarks.speed.contenders import Rows, contenders
from benchmarks.speed.floor import Calls
from piva.auxiliary.lora import StackedLoRA
from piva.data.pie_bench import load_image
from piva.priors.stable_diffusion import StableDiffusionPrior
from piva.scores import RowCache

PIVA = contenders(("piva",), 1)[0]
N_ROWS = (2, 8, 32)
N_ADAPTERS = (1, 8, 32)


def inference_mode(bench: Bench) -> list[Mean]:
    """Rows without gradient under torch.inference_mode, where the engine uses torch.no_grad.

    We found no difference on a CPU. no_grad is used because tensors made in inference mode cannot be saved for a
    backward pass, which would bind every method that differentiates through a score.
    """
    world = bench.world()

    def mean(n: int) -> Mean:
        @cache
        def calls() -> Calls:
            return Calls.of_cases(world, PIVA, Rows(prior=n), 1)

        def seconds(mode: Any, steps: int) -> float:
            with mode:
                return world.seconds_a_call(calls().step, steps)

        def pair(steps: int) -> tuple[float, float]:
            return seconds(nullcontext(), steps), seconds(torch.inference_mode(), steps)

        setting = "none: no_grad, whose results may take part in a backward pass"
        return Mean(f"inference_mode, {n} rows", setting, NOTHING, pair, per=f"call of {n} rows")

    return [mean(n) for n in N_ROWS]


def stacked_lora(bench: Bench) -> list[Mean]:
    """A call of N rows, each through another case's adapters, and its backward pass: ours against peft's mixed batch.

    peft takes `adapter_names` in eval mode only; gradients flow all the same.
    """
    world = bench.world(channels_last=False)  # as the UNet is loaded for peft

    def mean(n: int) -> Mean:
        @cache
        def ways() -> tuple[Calls, Callable[[], None]]:
            ours = Calls.of_cases(world, PIVA, Rows(trained=1), n)
            return ours, mixed_batch(world.prior, ours)

        def pair(steps: int) -> tuple[float, float]:
            ours, theirs = ways()
            return world.seconds_a_call(theirs, steps), world.seconds_a_call(ours.step, steps)

        setting = "none: always (not peft's adapter_names)"
        return Mean(f"stacked LoRA, {n} cases", setting, NOTHING, pair, per=f"call of {n} rows, and backward")

    return [mean(n) for n in N_ADAPTERS]


def mixed_batch(prior: StableDiffusionPrior, calls: Calls) -> Callable[[], None]:
    """The call with gradient of `calls`, by peft."""
    assert calls.trained is not None
    x, t, embedding = calls.trained
    stack = calls.segments[0].adapter
    assert isinstance(stack, StackedLoRA)
    model, names = peft_model(prior, stack), [str(case) for case in range(stack.n_cases)]

    def step() -> None:
        out = model(x.to(prior.dtype), t, embedding, return_dict=False, adapter_names=names)[0]
        out.float().square().mean().backward()
        model.zero_grad(set_to_none=True)

    return step


def peft_model(prior: StableDiffusionPrior, stack: StackedLoRA) -> Any:
    """peft's model of the same UNet with the same adapters: case i's is called "i". Only they keep gradients."""
    from diffusers import UNet2DConditionModel
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    settings = stack.settings
    unet = UNet2DConditionModel.from_pretrained(prior.folder, subfolder="unet", torch_dtype=prior.dtype)
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=list(settings.target_modules))
    model = get_peft_model(unet, config, adapter_name="0")
    for case in range(1, stack.n_cases):
        model.add_adapter(str(case), config)
    for case in range(stack.n_cases):
        set_peft_model_state_dict(model, stack.weights(case), adapter_name=str(case))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)  # peft leaves it to the active adapter alone
    return model.eval().to(prior.device)


def encodings(bench: Bench) -> list[Mean]:
    """Prompts and source images encoded once: embeddings are kept by the prior, latents with the source rows."""
    world, size = bench.world(), bench.options.batch_size

    def prompts(steps: int) -> tuple[float, float]:
        texts = [text for case in world.cases[:size] for text in (case.tgt, "", case.src)]

        def new() -> None:
            world.forget()
            world.prior.embed(texts)

        without = world.seconds_a_call(new, steps) / size
        return without, world.seconds_a_call(lambda: world.prior.embed(texts), steps) / size

    def images(steps: int) -> tuple[float, float]:
        prior, known = world.prior, RowCache()
        batch = torch.stack([load_image(case, prior.image_size) for case in world.cases[:size]])
        for i, latent in enumerate(prior.encode(batch)):
            known.put(i, (latent,))

        def look_up() -> object:
            return torch.stack([found[0] for i in range(size) if (found := known.get(i))])

        without = world.seconds_a_call(lambda: prior.encode(batch), steps) / size
        return without, world.seconds_a_call(look_up, steps) / size

    return [
        Mean("prompts known", "none: always, within a process", NOTHING, prompts, per="prompts of a case"),
        Mean("source latents known", "with source rows, in memory", f"{NOTHING}; {MEMORY}", images, per="image"),
    ]


def compiled(bench: Bench) -> list[Mean]:
    """torch.compile of the UNet, for each call of a step of Piva and for both, without what inductor keeps on disk."""
    size = bench.options.batch_size

    def mean(name: str, rows: Rows) -> Mean:
        worlds = bench.world(compile=False), bench.world(compile=True)

        @cache
        def calls(is_compiled: bool) -> Calls:
            return Calls.of_cases(worlds[is_compiled], PIVA, rows, size)

        def once() -> float:
            from torch._inductor import config

            torch.compiler.reset()
            calls(True)
            started = worlds[True].now()
            with config.patch(force_disable_caches=True):
                calls(True).step()
            return worlds[True].now() - started

        def pair(steps: int) -> tuple[float, float]:
            without, with_it = (
                worlds[is_compiled].seconds_a_call(calls(is_compiled).step, steps) for is_compiled in (False, True)
            )
            return without, with_it

        return Mean(f"compile, {name}", "--prior.compile", NOTHING, pair, per=f"step of {size} cases", once=once)

    return [
        mean("rows without gradient", Rows(prior=4, psi=1)),
        mean("training pass", Rows(trained=2)),
        mean("all rows of a step", Rows(prior=4, psi=1, trained=2)),
    ]
