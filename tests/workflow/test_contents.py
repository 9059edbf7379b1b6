"""What rules make is archived, or left out for a reason: nothing is forgotten, nothing stands there twice."""

import copy
import json
import re
from collections import Counter

import pytest
from driver import PROJECT, Workflow
from support import DEFAULTS

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("contents")]

# The workflow, and what its rules say of themselves.
TELLING = """
import json

include: {snakefile!r}

LISTS = [DETERMINISTIC, TIMED, [(rule, None) for rule in [*DETERMINISTIC_BASICS, *TIMED_BASICS]]]
facts = {{
    "outputs": {{rule.name: list(map(str, rule.output)) for rule in workflow.rules if rule.output}},
    "archived": [rule.rule.name for listed in LISTS for rule, *_ in listed],
    "left out": LEFT_OUT,
    "config": archived_config(),
    "files": archived_names(result_paths()) + archived_names(timing_paths()),
}}
with open("facts.json", "w") as stream:
    json.dump(facts, stream)
"""
# A run of each kind: with a scan and a surface, with weights from elsewhere and no data, with a file from elsewhere.
# Where it writes and how it is watched is said as well.
RUNS = """
pathvars: {results: elsewhere/made, logs: elsewhere/logs}
watch: {log_every: 7}
runs: [xor, taken, given]
models:
  xor:
    scan: {grid: {train/learning_rate: [0.01, 0.1]}}
  taken:
    network: {file: xor, arguments: {hidden: 2}, weights: mine.pt}
    inputs: {x: {shape: [batch, 2], low: 0.0, high: 1.0}}
    outputs: {y: {shape: [batch, 1]}}
  given:
    onnx: {file: mine.onnx}
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the rules say, and the outputs of each job of `all`, by its rule."""
    folder = tmp_path_factory.mktemp("telling")
    (folder / "Snakefile").write_text(TELLING.format(snakefile=str(PROJECT / "Snakefile")))
    (folder / "mine.yaml").write_text(RUNS)
    for name in ("mine.pt", "mine.onnx"):
        (folder / name).touch()
    workflow = Workflow(folder, configs=[folder / "mine.yaml"], snakefile=folder / "Snakefile")
    text = workflow.run("all", "--dry-run")
    jobs = re.findall(r"^ *(?:local)?rule (\w+):\n(?: +.*\n)*? +output: (.*)\n", text, re.MULTILINE)
    facts = json.loads((folder / "facts.json").read_text())
    return facts, [(rule, named(file)) for rule, files in jobs for file in files.split(", ")]


def named(file):
    """Return the name in an archive of an output as Snakemake prints it."""
    return file.removesuffix(" (update)").replace("elsewhere/made/", "results/", 1)


def problems(facts):
    """Return what is wrong with the lists in rules/contents.smk."""
    listed = [*facts["archived"], *facts["left out"]]
    return [
        *(f"{rule} is listed twice" for rule, times in Counter(listed).items() if times > 1),
        *(f"{rule} is listed, but makes nothing" for rule in listed if rule not in facts["outputs"]),
        *(f"{rule} is neither archived nor left out" for rule in facts["outputs"] if rule not in listed),
        *(f"{rule} is left out for no reason" for rule, reason in facts["left out"].items() if len(reason) < 10),
        *(f"{file} is archived twice" for file, times in Counter(facts["files"]).items() if times > 1),
    ]


def test_each_output_of_a_rule_is_archived_or_left_out_for_a_reason(told):
    facts, planned = told
    assert problems(facts) == []
    kept = [file for rule, file in planned if rule not in facts["left out"]]
    assert sorted(kept) == sorted(facts["files"])
    assert {rule for rule, _ in planned} ^ facts["outputs"].keys() == set()


def test_where_a_run_writes_and_how_it_is_watched_is_in_no_archive(told):
    facts, _ = told
    assert facts["config"]["runs"] == ["xor", "taken", "given"]
    assert {key: facts["config"][key] for key in ("pathvars", "watch")} == {
        key: DEFAULTS[key] for key in ("pathvars", "watch")
    }


@pytest.mark.parametrize(
    ("forget", "problem"),
    [
        (lambda facts: facts["archived"].remove("make_cases"), "make_cases is neither archived nor left out"),
        (lambda facts: facts["archived"].append("make_cases"), "make_cases is listed twice"),
        (lambda facts: facts["left out"].update(make_cases="that is too large"), "make_cases is listed twice"),
        (lambda facts: facts["left out"].update(find_runtime=""), "find_runtime is left out for no reason"),
        (lambda facts: facts["left out"].pop("take_weights"), "take_weights is neither archived nor left out"),
        (lambda facts: facts["outputs"].update(another=["a"]), "another is neither archived nor left out"),
        (lambda facts: facts["left out"].update(gone="it is no more"), "gone is listed, but makes nothing"),
        (
            lambda facts: facts["files"].append(facts["files"][0]),
            "results/basics/tensors.json is archived twice",
        ),
    ],
)
def test_what_is_forgotten_is_named(told, forget, problem):
    facts = copy.deepcopy(told[0])
    forget(facts)
    assert problem in problems(facts)
