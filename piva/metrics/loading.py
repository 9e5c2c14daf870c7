"""From settings to a scorer of images or of scenes: which scores, with which models. Loads only what is asked for."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from piva.config import MetricFlags
from piva.errors import ConfigError
from piva.metrics.info import INFO, SCENE_SCORES
from piva.metrics.weights import fingerprint
from piva.registry import unknown

if TYPE_CHECKING:
    from piva.metrics.batch import Metric
    from piva.metrics.clip import ClipModel
    from piva.metrics.scene_scorer import SceneScorer
    from piva.metrics.scorer import Scorer
    from piva.metrics.views import SceneMetric
    from piva.toybox.models.judge import Judge

Pictures = Literal["toybox", "toybox-clutter", "real"]
M = TypeVar("M")


@dataclass(frozen=True)
class Defaults:
    """What pictures of a kind are scored with unless a flag says otherwise."""

    families: tuple[str, ...]
    scene_families: tuple[str, ...]
    """For scenes besides `families`."""
    clip: str
    lpips: str


DEFAULTS: dict[str, Defaults] = {
    "toybox": Defaults(
        ("fidelity", "drift", "clip", "lpips", "success"), ("consistency", "janus"), clip="toybox", lpips="toybox"
    ),
    # The judge knows no clutter and no coloured light: it would read another object's attributes.
    "toybox-clutter": Defaults(
        ("fidelity", "drift", "clip", "lpips"), ("consistency", "objects"), clip="toybox", lpips="toybox"
    ),
    "real": Defaults(
        ("fidelity", "drift", "clip", "lpips", "structure"), ("consistency",), clip="ViT-L-14/openai", lpips="squeeze"
    ),
}


def load(flags: MetricFlags, pictures: Pictures, device: Any = "cpu") -> "Scorer":
    """A scorer of what the flags ask for; scores whose weights are not there stay null, with that reason.

    Raises:
        ConfigError: a metric, a model, a weights tag or the folder of weights does not exist.
    """
    _check_folder(flags)
    from piva.metrics.scorer import Scorer

    defaults = DEFAULTS[pictures]
    names = chosen(flags.metrics, defaults.families, IMAGE_SCORES)
    builders = [((family,), build) for family, build in BUILDERS.items()]
    families, missing = _built(builders, names, flags, defaults, device)
    return Scorer(families, missing, device, names=names)


def load_scene(flags: MetricFlags, pictures: Pictures, device: Any = "cpu") -> "SceneScorer":
    """A scorer of edited scenes, as `load` makes one of images; scores that need a mask are left out.

    Raises:
        ConfigError: as in `load`, or the profile is not strict.
    """
    _check_folder(flags)
    if flags.profile != "strict":
        raise ConfigError(f"--profile {flags.profile} is how PIE-Bench's authors score images: scenes have only strict")
    from piva.metrics.scene_scorer import SceneScorer

    defaults = DEFAULTS[pictures]
    names = chosen(flags.metrics, (*defaults.families, *defaults.scene_families), SCENE_SCORES)
    alone = [((family,), build) for family, build in BUILDERS.items() if family != "clip"]
    of_images, missing = _built(alone, names, flags, defaults, device)
    of_scenes, also_missing = _built(SCENE_BUILDERS.items(), names, flags, defaults, device)
    return SceneScorer(of_images, of_scenes, missing | also_missing, device, names=names)


def chosen(asked: Sequence[str], families: Sequence[str], offered: Collection[str]) -> list[str]:
    """Names of the scores asked for, by name or family; those of `families` where nothing is asked for.

    Args:
        offered: names that there are to choose from.

    Raises:
        ConfigError: there is no such score or family.
    """
    known = [*dict.fromkeys(INFO[name].family for name in offered), *offered]
    for name in asked:
        if name not in known:
            raise ConfigError(f"--metrics {name}: {unknown('metric', name, known)}")
    wanted = set(asked or families)
    return [name for name, info in INFO.items() if name in offered and (name in wanted or info.family in wanted)]


def _check_folder(flags: MetricFlags) -> None:
    if flags.weights is not None and not flags.weights.is_dir():
        raise ConfigError(f"--weights {flags.weights} is no folder")


def _built(
    builders: Iterable[tuple[tuple[str, ...], Callable[[MetricFlags, Defaults, Any], M]]],
    names: Sequence[str],
    flags: MetricFlags,
    defaults: Defaults,
    device: Any,
) -> tuple[list[M], dict[str, str]]:
    """The metrics that score some of `names`, and for the names whose weights are not there, that reason."""
    metrics: list[M] = []
    missing: dict[str, str] = {}
    for families, build in builders:
        wanted = [name for name in names if INFO[name].family in families]
        try:
            metrics += [build(flags, defaults, device)] if wanted else []
        except FileNotFoundError as problem:
            missing |= dict.fromkeys(wanted, f"weights missing: {problem}")
    return metrics, missing


def _fidelity(flags: MetricFlags, defaults: Defaults, device: Any) -> "Metric":
    from piva.metrics.fidelity import FidelityScores

    return FidelityScores(flags.profile)


def _drift(flags: MetricFlags, defaults: Defaults, device: Any) -> "Metric":
    from piva.metrics.drift import DriftScores

    return DriftScores()


def _clip(flags: MetricFlags, defaults: Defaults, device: Any) -> "Metric":
    from piva.metrics.clip import ClipScores

    return ClipScores(*_clip_model(flags, defaults, device), flags.profile)


def _clip_model(flags: MetricFlags, defaults: Defaults, device: Any) -> "tuple[ClipModel, str]":
    """The model, and its name in ids."""
    name = flags.clip or defaults.clip
    if name == "toybox":
        from piva.toybox.models.clip import load_clip

        toybox = load_clip(device)
        return toybox, f"{toybox.name}/{fingerprint(toybox)}"
    from piva.metrics.open_clip_model import load_open_clip

    clip = load_open_clip(name, device, flags.weights, flags.allow_download)
    return clip, clip.name


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

    return SuccessScores(*_judge(device))


def _judge(device: Any) -> "tuple[Judge, str]":
    """The judge, and its name in ids."""
    from piva.toybox.models.judge import load_judge

    judge = load_judge(device)
    return judge, f"{judge.name}/{fingerprint(judge)}"


def _structure(flags: MetricFlags, defaults: Defaults, device: Any) -> "Metric":
    from piva.metrics.structure import StructureScores, load_dino

    return StructureScores(load_dino(device, flags.weights, flags.allow_download), profile=flags.profile)


def _scene_clip(flags: MetricFlags, defaults: Defaults, device: Any) -> "SceneMetric":
    from piva.metrics.scene_clip import SceneClipScores

    return SceneClipScores(*_clip_model(flags, defaults, device))


def _janus(flags: MetricFlags, defaults: Defaults, device: Any) -> "SceneMetric":
    from piva.metrics.janus import JanusScores

    return JanusScores(*_judge(device))


def _objects(flags: MetricFlags, defaults: Defaults, device: Any) -> "SceneMetric":
    from piva.metrics.objects import ObjectScores

    return ObjectScores()


BUILDERS: dict[str, Callable[[MetricFlags, Defaults, Any], "Metric"]] = {
    "fidelity": _fidelity,
    "drift": _drift,
    "clip": _clip,
    "lpips": _lpips,
    "success": _success,
    "structure": _structure,
}
"""Family -> what loads its models and makes its metric."""

SCENE_BUILDERS: dict[tuple[str, ...], Callable[[MetricFlags, Defaults, Any], "SceneMetric"]] = {
    ("clip", "consistency"): _scene_clip,
    ("janus",): _janus,
    ("objects",): _objects,
}
"""Families of scores -> what makes the metric of all of them for a scene."""

IMAGE_SCORES: tuple[str, ...] = tuple(name for name, info in INFO.items() if info.family in BUILDERS)
"""What the edit of an image can be scored with."""
