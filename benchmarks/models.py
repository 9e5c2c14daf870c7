"""The models that the settings name, loaded, or what is known of them without their weights."""

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.identity_rows import IDENTITY_ROWS
from piva.config import MetricFlags, PriorConfig
from piva.errors import ConfigError, PreflightError
from piva.instructed import follows_instructions

if TYPE_CHECKING:
    from piva.metrics.loading import Pictures
    from piva.metrics.scene_scorer import SceneScorer
    from piva.metrics.scorer import Scorer
    from piva.priors.facts import PriorFacts
    from piva.priors.stable_diffusion import StableDiffusionPrior

P = TypeVar("P", "StableDiffusionPrior", "PriorFacts")
S = TypeVar("S", "Scorer", "SceneScorer")


def load_prior(config: PriorConfig, method: Any = None) -> "StableDiffusionPrior":
    """The prior that the settings name: text to image, or an InstructPix2Pix model for a method that asks for one.

    Raises:
        ConfigError: the settings do not fit the model.
        PreflightError: its weights are missing, or cannot be used on the device.
    """
    from piva.allocator import keep_freed_memory
    from piva.priors.stable_diffusion import StableDiffusionPrior

    make = StableDiffusionPrior.from_config
    if follows_instructions(method):
        from piva.priors.instruct_pix2pix import InstructPix2PixPrior

        make = InstructPix2PixPrior.from_config
    prior = _opened(make, config)
    if prior.device.type == "cpu":
        keep_freed_memory()
    return prior


def prior_facts(config: PriorConfig, method: Any = None) -> "PriorFacts":
    """What is known of that prior without its weights. Raises as `load_prior` does."""
    from piva.priors.facts import PriorFacts
    from piva.priors.instruct_pix2pix import InstructPix2PixFacts

    return _opened(InstructPix2PixFacts if follows_instructions(method) else PriorFacts, config)


def _opened(make: "Callable[[PriorConfig], P]", config: PriorConfig) -> "P":
    try:
        return make(config)
    except ConfigError:
        raise
    except (OSError, ValueError, RuntimeError) as problem:
        raise PreflightError(f"cannot load the prior {config.model!r}: {problem}") from problem


def load_scorer(device: str, flags: MetricFlags, pictures: "Pictures") -> "Scorer":
    """Every metric asked for whose weights are there; says which are not. Raises as `loaded` does."""
    from piva.metrics.loading import load

    return loaded(load, device, flags, pictures)


def loaded(
    load: "Callable[[MetricFlags, Pictures, str], S]", device: str, flags: MetricFlags, pictures: "Pictures"
) -> "S":
    """The scorer that `load` makes; says which metrics it lacks.

    Raises:
        ConfigError: a metric or a model does not exist.
        PreflightError: the weights that are there cannot be read.
    """
    try:
        scorer = load(flags, pictures, device)
    except ConfigError:
        raise
    except (OSError, ValueError, RuntimeError) as problem:
        raise PreflightError(f"cannot load the metrics' models: {problem}") from problem
    for reason in dict.fromkeys(scorer.missing.values()):
        names = [name for name, why in scorer.missing.items() if why == reason]
        print(f"not scored: {', '.join(names)}: {reason}", file=sys.stderr)
    return scorer


def drop_text_encoder(
    prior: Any, method: Any, captions: Iterable[tuple[str, str]], instructions: Iterable[str] = ()
) -> None:
    """Encodes what the method asks with, of edits with these captions (src, tgt) or instructions; frees the encoder."""
    if follows_instructions(method):
        prior.drop_text_encoder(["", *instructions])
    elif method.name not in IDENTITY_ROWS:
        prior.drop_text_encoder([prompt.spelled(*pair) for pair in captions for prompt in method.prompts])


def check_method(method: Any, prior: Any, steps: int) -> None:
    """Raises ConfigError where the method's settings do not suit the prior, or the number of steps."""
    if method.name not in IDENTITY_ROWS and not follows_instructions(method):
        method.check_steps(steps, len(prior.abar))
        if method.auxiliaries:
            prior.adapter(method.aux, seed=0, case_ids=())  # of no case, which finds the layers and builds nothing
