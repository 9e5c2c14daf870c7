"""From the arguments of `piva run` to its settings; of pictures and of scenes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from piva.commands.arguments import parse, take, take_name, with_method
from piva.commands.literals import unpacked
from piva.commands.presets import expanded
from piva.config import RunConfig, identity, runtime
from piva.errors import ConfigError
from piva.registry import resolve
from piva.scenes.config import SceneRunConfig

if TYPE_CHECKING:
    from benchmarks.scenes.benchmark import SceneBenchmark, SceneDefaults

ABOUT_IMAGES = """\
Edit and score the cases of {names}; or of scenes, which have flags of their own: piva run {scenes} --help. \
--method is one of {methods}; or all: every one of them, one after another."""

ABOUT_SCENES = """\
Reconstruct, edit and score the scenes of {name}. --method is one of {methods}.
Reconstructions are kept in the cache folder, and shared by all runs.{lam}

example: piva run {name}{root} --method piva --limit 3
"""


def run_settings(arguments: Sequence[str]) -> tuple[Any, Any]:
    """(benchmark, settings with a field `method`) of what follows `piva run`.

    Raises:
        ConfigError: a name or a value is not allowed. (What tyro finds wrong ends the program.)
    """
    from benchmarks import BENCHMARKS, SCENE_BENCHMARKS

    name, rest = take_name("benchmark", BENCHMARKS | SCENE_BENCHMARKS, arguments, "run")
    if name in SCENE_BENCHMARKS:
        benchmark = resolve("benchmark", SCENE_BENCHMARKS, name)
        return benchmark, scene_settings(benchmark, rest)
    config = image_settings(name, rest)
    return resolve("benchmark", BENCHMARKS | SCENE_BENCHMARKS, str(name)), config


def image_settings(name: str | None, arguments: Sequence[str]) -> Any:
    """RunConfig with a field `method`; without a benchmark's name only for --help."""
    from benchmarks import BENCHMARKS, SCENE_BENCHMARKS
    from benchmarks.identity_rows import IDENTITY_ROWS
    from piva.methods import METHODS
    from piva.sampling import SAMPLERS

    names = METHODS | SAMPLERS | IDENTITY_ROWS
    kind, rest = with_method(RunConfig, names, expanded(unpacked(arguments), "pictures"))
    about = ABOUT_IMAGES.format(
        names=" or ".join(BENCHMARKS), scenes="|".join(SCENE_BENCHMARKS), methods=", ".join(names)
    )
    config: Any = parse(kind, f"run {name or 'BENCHMARK'}", rest, about)
    if config.unet_rows is None:
        return config
    from benchmarks.costs.equal_rows import steps_within

    return config.model_copy(update={"steps": steps_within(config.unet_rows, config.method), "unet_rows": None})


def scene_settings(benchmark: "SceneBenchmark", arguments: Sequence[str]) -> Any:
    """SceneRunConfig with the benchmark's own defaults and a field `method`."""
    from piva.instructed import SCENE_EDITORS
    from piva.methods import METHODS

    names = METHODS | SCENE_EDITORS

    defaults = benchmark.defaults
    own = {} if defaults.lam is None else {"lam": defaults.lam}
    words = unpacked(arguments)
    check_scene_method(take("--method", words)[0])
    kind, rest = with_method(_with_defaults(defaults), names, expanded(words, "scenes"), own)
    lam = f" lambda is {defaults.lam:g} unless given, for methods that have one." if own else ""
    root = "" if benchmark.toybox else " --root DIR"
    about = ABOUT_SCENES.format(name=benchmark.name, methods=", ".join(names), lam=lam, root=root)
    return parse(kind, f"run {benchmark.name}", rest, about)


def check_scene_method(name: str | None) -> None:
    """Raises ConfigError for what edits pictures only."""
    from piva.sampling import SAMPLERS

    if name in SAMPLERS:
        raise ConfigError(
            f"--method {name} samples a picture from its beginning to its end, which gives a field no direction: it "
            "edits pictures only; all other methods edit scenes"
        )


def _with_defaults(defaults: "SceneDefaults") -> type[SceneRunConfig]:
    """The settings with the benchmark's own defaults, which --help then shows."""
    fields = SceneRunConfig.model_fields
    changed: dict[str, Any] = {
        "steps": (int, identity(defaults.steps, ge=1, description=fields["steps"].description)),
        "eval_views": (int, identity(defaults.eval_views, ge=2, description=fields["eval_views"].description)),
        "metrics_every": (int, runtime(defaults.metrics_every, ge=0, description=fields["metrics_every"].description)),
    }
    return create_model("SceneRunConfig", __base__=SceneRunConfig, __doc__=SceneRunConfig.__doc__, **changed)
