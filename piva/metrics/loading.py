"""From settings to a scorer: which scores, with which models. Loads nothing that was not asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from piva.config import MetricFlags
from piva.errors import ConfigError
from piva.metrics.info import INFO
from piva.metrics.weights import fingerprint
from piva.registry import unknown

if TYPE_CHECKING:
    from piva.metrics.batch import Metric
    from piva.metrics.scorer import Scorer

Pictures = Literal["toybox", "real"]


@dataclass(frozen=True)
class Defaults:
    """What pictures of a kind are scored with unless a flag says otherwise."""

    families: tuple[str, ...]
    clip: str
    lpips: str


DEFAULTS: dict[str, Defaults] = {
    "toybox": Defaults(("fidelity", "drift", "clip", "lpips", "success"), clip="toybox", lpips="toybox"),
    "real": Defaults(("fidelity", "drift", "clip", "lpips", "structure"), clip="ViT-L-14/openai", lpips="squeeze"),
}


def load(flags: MetricFlags, pictures: Pictures, device: Any = "cpu") -> "Scorer":
    """A scorer of what the flags ask for; scores whose weights are not there stay null, with that reason.

    Raises:
        ConfigError: a metric, a model, a weights tag or the folder of weights does not exist.
    """
    if flags.weights is not None and not flags.weights.is_dir():
        raise ConfigError(f"--weights {flags.weights} is no folder")
    from piva.metrics.scorer import Scorer

    defaults = DEFAULTS[pictures]
    names = chosen(flags.metrics, defaults.families)
    families: list[Metric] = []
    missing: dict[str, str] = {}
    for family, build in BUILDERS.items():
        wanted = [name for name in names if INFO[name].family == family]
        try:
            families += [build(flags, defaults, device)] if wanted else []
        except FileNotFoundError as problem:
            missing |= dict.fromkeys(wanted, f"weights missing: {problem}")
    return Scorer(families, missing, device, names=names)


def chosen(asked: Sequence[str], families: Sequence[str]) -> list[str]:
    """Names of the scores asked for, by name or family; those of `families` where nothing is asked for.

    Raises:
        ConfigError: there is no such score or family.
    """
    for name in asked:
        if name not in BUILDERS and (name not in INFO or INFO[name].family == "cost"):
            known = [*BUILDERS, *(name for name, info in INFO.items() if info.family != "cost")]
            raise ConfigError(f"--metrics {name}: {unknown('metric', name, known)}")
    wanted = set(asked or families)
    return [name for name, info in INFO.items() if name in wanted or info.family in wanted]


def _fidelity(flags: MetricFlags, defaults: Defaults, device: Any) -> "Metric":
    from piva.metrics.fidelity import FidelityScores

    return FidelityScores(flags.profile)


def _drift(flags: MetricFlags, defaults: Defaults, device: Any) -> "Metric":
    from piva.metrics.drift import DriftScores

    return DriftScores()


def _clip(flags: MetricFlags, defaults: Defaults, device: Any) -> "Metric":
    from piva.metrics.clip import ClipScores

    name = flags.clip or defaults.clip
    if name == "toybox":
        from piva.toybox.models.clip import load_clip

        toybox = load_clip(device)
        return ClipScores(toybox, f"{toybox.name}/{fingerprint(toybox)}", flags.profile)
    from piva.metrics.open_clip_model import load_open_clip

    clip = load_open_clip(name, device, flags.weights, flags.allow_download)
    return ClipScores(clip, clip.name, flags.profile)


def _lpips(flags: MetricFlags, defaults: Defaults, device: Any) -> "Metric":
    from piva.metrics.lpips import LINEAR_WEIGHTS, LpipsScores, load_net

    name = flags.lpips or defaults.lpips
    if name == "toybox":
        from piva.toybox.models.perceptual import load_lpips

        toybox = load_lpips(device)
        return LpipsScores(toybox, f"{toybox.name}/{fingerprint(toybox)}", flags.profile)
    net = load_net(name, device, flags.weights, flags.allow_download)
    return LpipsScores(net, f"{name}/{LINEAR_WEIGHTS}", flags.profile)


def _success(flags: MetricFlags, defaults: Defaults, device: Any) -> "Metric":
    from piva.metrics.success import SuccessScores
    from piva.toybox.models.judge import load_judge

    judge = load_judge(device)
    return SuccessScores(judge, f"{judge.name}/{fingerprint(judge)}")


def _structure(flags: MetricFlags, defaults: Defaults, device: Any) -> "Metric":
    from piva.metrics.structure import StructureScores, load_dino

    return StructureScores(load_dino(device, flags.weights, flags.allow_download), profile=flags.profile)


BUILDERS: dict[str, Callable[[MetricFlags, Defaults, Any], "Metric"]] = {
    "fidelity": _fidelity,
    "drift": _drift,
    "clip": _clip,
    "lpips": _lpips,
    "success": _success,
    "structure": _structure,
}
"""Family -> what loads its models and makes its metric."""
