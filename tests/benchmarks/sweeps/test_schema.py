"""Sweep files: what is read from them, and what is said, by line and key, of those that are wrong."""

from textwrap import dedent

import pytest

from benchmarks.sweeps.schema import Goal, Hyperband, Parameter, read_sweep
from piva.errors import ConfigError

GOOD = """\
    name: lambda
    program: piva
    method: grid
    metric: {name: mean/lpips, goal: minimize, target: 0.1}
    command: ["${env}", "${program}", run, pie-toybox, --method, piva, "${args}"]
    run_cap: 7
    early_terminate: {type: hyperband, min_iter: 3}
    parameters:
      steps: {value: 100}
      method.lam:
        values: [0, 0.4]
      method:
        parameters:
          aux:
            parameters:
              rank: {values: [1, 4]}
    """
"""Of which the tests change a line."""


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "sweep.yaml"
        path.write_text(dedent(text))
        return read_sweep(path)

    return read


def parameter(read, text):
    head = "program: piva\nmethod: random\ncommand: [piva, run, pie-toybox, '${args}']\nparameters:\n  x: "
    return read(head + text).parameters["x"]


def test_a_whole_file(read):
    sweep = read(GOOD)
    assert (sweep.name, sweep.program, sweep.method, sweep.run_cap) == ("lambda", "piva", "grid", 7)
    assert sweep.command == ("${env}", "${program}", "run", "pie-toybox", "--method", "piva", "${args}")
    assert list(sweep.parameters) == ["method.aux.rank", "method.lam", "steps"]  # W&B's order: sorted at every level
    assert sweep.parameters["method.aux.rank"] == Parameter("categorical", (1, 4))
    assert sweep.parameters["steps"] == Parameter("constant", (100,))
    assert sweep.metric == Goal("mean/lpips", "minimize", 0.1)
    assert sweep.early_terminate == Hyperband(min_iter=3, eta=3)
    assert sweep.raw["parameters"]["method"] == {"parameters": {"aux": {"parameters": {"rank": {"values": [1, 4]}}}}}


def test_the_file_names_a_sweep_that_has_no_name_and_its_bytes_are_its_digest(read):
    one, other = read(GOOD.replace("    name: lambda\n", "")), read(GOOD)
    assert (one.name, other.name) == ("sweep", "lambda")
    assert one.text_digest != other.text_digest
    assert read(GOOD).text_digest == other.text_digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{value: null}", Parameter("constant", (None,))),
        ("{values: [a, 1, 2.5, true]}", Parameter("categorical", ("a", 1, 2.5, True))),
        ("{values: [1, 2], probabilities: [0.25, 0.75]}",
         Parameter("categorical_w_probabilities", (1, 2), (0.25, 0.75))),
        ("{min: 1, max: 9}", Parameter("int_uniform", min=1, max=9)),
        ("{min: 1.0, max: 9.0}", Parameter("uniform", min=1.0, max=9.0)),
        ("{min: 1, max: 9.0}", Parameter("uniform", min=1, max=9.0)),
        ("{min: 1.0, max: 9}", Parameter("uniform", min=1.0, max=9)),
        ("{distribution: uniform, min: 1, max: 9.5}", Parameter("uniform", min=1, max=9.5)),
        ("{distribution: q_uniform, min: 0, max: 1, q: 0.5}", Parameter("q_uniform", min=0, max=1, q=0.5)),
        ("{distribution: q_log_uniform, min: 0, max: 1}", Parameter("q_log_uniform", min=0, max=1, q=1.0)),
        ("{distribution: log_uniform_values, min: 1.0e-5, max: 1}", Parameter("log_uniform_values", min=1e-5, max=1)),
        ("{distribution: normal}", Parameter("normal", mu=0.0, sigma=1.0)),
        ("{distribution: q_log_normal, mu: 2, q: 5}", Parameter("q_log_normal", mu=2, sigma=1.0, q=5)),
        ("{distribution: beta, a: 2}", Parameter("beta", a=2, b=1)),
    ],
)  # fmt: skip
def test_parameters(read, text, expected):
    assert parameter(read, text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0.4", ":5: parameters.x: must say what it is: value: 0.4 for one value, values: [...], or min and max"),
        ("{valeus: [1]}", ":5: parameters.x: unknown key 'valeus': did you mean 'values'?"),
        ("{values: 3}", ":5: parameters.x.values: must be a list, not a single value"),
        ("{values: []}", ":5: parameters.x.values: must not be empty"),
        ("{min: 3, max: 3}", ":5: parameters.x.max: 3 must be above min, 3"),
        ("{values: [1, 2024-01-01]}", ":5: parameters.x.values[1]: is a date, a set or bytes to YAML"),
        ("{value: {a: 2024-01-01}}", ":5: parameters.x.value: is a date, a set or bytes to YAML"),
        ("{min: 1}", ":5: parameters.x: needs value, values, min and max, or a distribution"),
        ("{distribution: unifrom, min: 0, max: 1}", "unknown distribution 'unifrom': did you mean 'uniform'?"),
        ("{distribution: normal, min: 0}", "parameters.x.min: does not go with the distribution normal, which takes"),
        ("{distribution: uniform, min: 0}", "the distribution uniform needs max"),
        ("{distribution: log_uniform_values, min: 0, max: 1}", "parameters.x.min: must be above 0, not 0"),
        ("{distribution: log_uniform_values, min: 1e-4, max: 1}",
         "must be a number, not '1e-4': YAML wants a point before the exponent, 1.0e-4"),
        ("{distribution: int_uniform, min: 0, max: 1.5}", "parameters.x.max: must be a whole number, not 1.5"),
        ("{distribution: normal, sigma: -1}", "parameters.x.sigma: must be at least 0, not -1"),
        ("{values: [1, 2], probabilities: [1.0]}", "parameters.x.probabilities: has 1 numbers for 2 values"),
        ("{values: [1, 2], probabilities: [0.5, 0.6]}", "parameters.x.probabilities: must sum to 1, not 1.1"),
        ("{parameters: {y: {value: 1}}, values: [1]}", "parameters.x.values: cannot stand beside nested parameters"),
        ("{parameters: {}}", "parameters.x.parameters: must not be empty"),
        ("{parameters: {3a: {value: 1}}}", "'3a' is no name of a flag"),
        ("{min: .inf, max: 1}", "parameters.x.min: must be a finite number"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_said_by_line_and_key(read, text, sentence):
    with pytest.raises(ConfigError) as problem:
        parameter(read, text)
    assert sentence in str(problem.value)


@pytest.mark.parametrize(
    ("line", "instead", "sentence"),
    [
        ("method: grid", "methd: grid", ":3: unknown key 'methd': did you mean 'method'?"),
        ("method: grid", "method: gird", ":3: method: unknown method 'gird': did you mean 'grid'?"),
        ("method: grid", "method: [grid]", ":3: method: must be text, not a list"),
        ("run_cap: 7", "method: random", ":6: 'method' stands here twice, first in line 3"),
        ("run_cap: 7", "run_cap: 0", ":6: run_cap: must be at least 1, not 0"),
        ("run_cap: 7", "run_cap: many", ":6: run_cap: must be a number, not 'many'"),
        ("run_cap: 7", "job: x", ":6: job: is W&B Launch's"),
        ("run_cap: 7", "run_cap: [", "no YAML: "),
        ("name: lambda", "name: a/b", ":1: name: 'a/b' names the folder of the runs too"),
        ("min_iter: 3", "max_iter: 3", ":7: early_terminate: needs min_iter, or max_iter and s"),
        ("min_iter: 3", "min_iter: 3, eta: 1", ":7: early_terminate.eta: must be above 1, not 1"),
        ("min_iter: 3", "min_iter: 3, max_iter: 9", ":7: early_terminate: needs min_iter, or max_iter and s"),
        ("min_iter: 3", "max_iter: 9, s: 0", ":7: early_terminate.s: must be at least 1, not 0"),
        ("min_iter: 3", "min_iter: 3, strict: 1", ":7: early_terminate.strict: must be true or false, not 1"),
        ("type: hyperband, ", "", ":7: early_terminate: needs type: hyperband"),
        ("mean/lpips", "mean/lpip", ":4: metric.name: unknown name 'mean/lpip': did you mean 'mean/lpips'?"),
        ("name: mean/lpips, ", "", ":4: metric: needs the name of a score, such as mean/lpips"),
        ("steps: {value: 100}", "method.aux.rank: {value: 1}", "method.aux.rank is given twice, flat and nested"),
        ('"${args}"]', '"${arks}"]', ":5: command[6]: unknown macro 'arks': did you mean 'args'?"),
        ('"${args}"]', '"-${args}"]', ":5: command[6]: '-${args}': W&B replaces a macro only where it is a word"),
        ("program: piva", "program: train.py", ":5: command: runs '${env} ${program} run pie-toybox --method piva"),
        ("run, pie-toybox", "edit, photo.png", ":5: command: runs '${env} ${program} edit photo.png"),
    ],
)
def test_a_wrong_line_is_said_by_line_and_key(read, line, instead, sentence):
    text = dedent(GOOD)
    assert text.count(line) == 1
    with pytest.raises(ConfigError) as problem:
        read(text.replace(line, instead))
    assert "sweep.yaml" in str(problem.value)
    assert sentence in str(problem.value)


@pytest.mark.parametrize("name", ["method", "parameters", "command"])
def test_a_key_that_must_be_there(read, name):
    lines = dedent(GOOD).splitlines()
    (start,) = (place for place, line in enumerate(lines) if line.startswith(f"{name}:"))
    kept = lines[:start] if name == "parameters" else lines[:start] + lines[start + 1 :]
    with pytest.raises(ConfigError, match=f":1: the key '{name}' is missing"):
        read("\n".join(kept))


def test_bayes_and_pruning_need_a_metric(read):
    text = "\n".join(line for line in dedent(GOOD).splitlines() if not line.startswith("metric"))
    with pytest.raises(ConfigError, match="early_terminate needs a metric"):
        read(text)
    with pytest.raises(ConfigError, match="method bayes needs a metric"):
        read(text.replace("grid", "bayes"))


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file(read, text):
    with pytest.raises(ConfigError, match=r"sweep\.yaml"):
        read(text)


def test_files_that_are_no_mapping_of_safe_yaml(read, tmp_path):
    for text, sentence in [
        ("- a\n- b\n", ":1: must be a mapping of keys to values, not a list"),
        ("a: 1\n---\nb: 2\n", ":2: no YAML"),
        (GOOD.replace("value: 100", "value: !!python/object/apply:os.system [x]"), ":9: parameters.steps.value: could"),
        ("? [a]\n: 1\n", "the key ['a'] must be text"),
    ]:
        with pytest.raises(ConfigError) as problem:
            read(text)
        assert sentence in str(problem.value)
    with pytest.raises(ConfigError, match=r"gone\.yaml: there is no such file"):
        read_sweep(tmp_path / "gone.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"bytes\.yaml cannot be read"):
        read_sweep(tmp_path / "bytes.yaml")


def test_anchors_and_merged_keys(read):
    text = GOOD.replace("values: [0, 0.4]", "&lam\n        values: [0, 0.4]").replace(
        "rank: {values: [1, 4]}", "rank: *lam"
    )
    text = text.replace("method.lam:\n        &lam", "method.lam: &lam")
    assert read(text).parameters["method.aux.rank"].values == (0, 0.4)
    merged = text.replace("rank: *lam", "rank: {<<: *lam, values: [7]}")
    assert read(merged).parameters["method.aux.rank"].values == (7,)
