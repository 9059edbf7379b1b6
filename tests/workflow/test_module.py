"""The workflow as a module of another, from a local path."""

import json

import pytest
from driver import PROJECT, Workflow, rules_in

pytestmark = [pytest.mark.workflow, pytest.mark.long]

MODULE = """
configfile: "mine.yaml"

module torchship:
    snakefile: {snakefile!r}
    config: {config}

use rule * from torchship{names}
"""
CONSUMER = """
rule card:
    input: rules.ts_select_model.output.shipped.format(run="xor")
    output: "card.txt"
    shell: "cp {input} {output}"
"""
SMALL = "train: {replicas: 4, epochs: 5, record_every: 5}"
FOLDERS = "pathvars: {results: made/results, logs: made/logs, benchmarks: made/benchmarks}"


def module_in(folder, text, settings):
    (folder / "Snakefile").write_text(text)
    (folder / "mine.yaml").write_text(settings)
    return Workflow(folder, snakefile=folder / "Snakefile", configs=[folder / "mine.yaml"])


def test_a_workflow_takes_the_rules_under_names_of_its_own(tmp_path):
    text = MODULE.format(snakefile=str(PROJECT / "Snakefile"), config='config["torchship"]', names=" as ts_*")
    settings = f"mine: 1\ntorchship:\n  {SMALL}\n  {FOLDERS}\n"
    workflow = module_in(tmp_path, text + CONSUMER, settings)
    done = rules_in(workflow.run("card"))
    assert sorted(done[:2]) == ["ts_check_network", "ts_generate_data"]
    assert done[2:] == ["ts_train_network", "ts_select_model", "card"]
    model = json.loads((tmp_path / "card.txt").read_text())
    # What the module's configuration leaves out has the defaults, and its folders are its own.
    assert (model["section"]["train"]["epochs"], model["section"]["train"]["optimizer"]) == (5, "Adam")
    assert (tmp_path / "made/logs/xor/select_model.log").exists()
    assert not (tmp_path / "results").exists()
    planned = rules_in(workflow.run("ts_all", "--dry-run"))
    assert {"ts_validate_target", "ts_check_archives", "ts_all"} <= set(planned)
    assert planned.count("ts_train_network") == 0


def test_a_prefix_is_refused(tmp_path):
    text = MODULE.format(snakefile=str(PROJECT / "Snakefile"), config="config", names="")
    text = text.replace("    config: config", '    config: config\n    prefix: "sub"')
    workflow = module_in(tmp_path, text, SMALL)
    assert "ConfigError: a module of this workflow takes no `prefix:`" in workflow.run("all", "--dry-run", check=False)


def test_a_workflow_takes_the_rules_as_they_are_called_here(tmp_path):
    text = MODULE.format(snakefile=str(PROJECT / "Snakefile"), config="config", names="")
    workflow = module_in(tmp_path, text, SMALL)
    assert {"train_network", "validate_target", "all"} <= set(rules_in(workflow.run("all", "--dry-run")))
    (tmp_path / "mine.yaml").write_text(f"{SMALL}\nmine: 1\n")
    assert "ConfigError: unknown key mine; allowed here: " in workflow.run("all", "--dry-run", check=False)
    (tmp_path / "mine.yaml").write_text(f"{SMALL}\nmodels: {{mine: {{}}}}\n")
    assert "ConfigError: models/mine is not among runs [xor]" in workflow.run("all", "--dry-run", check=False)
