"""The conventions of the rules, by their text."""

import re

import pytest
from support import PROJECT

FILES = sorted(PROJECT.glob("rules/*.smk"))
# Each rule that runs a script, by its name.
STEPS = {
    name: body
    for path in FILES
    for name, body in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)+)", path.read_text(), re.MULTILINE)
    if "    script:\n" in body
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_says_where_it_writes_what_it_needs_and_how_long_it_took(name):
    body = STEPS[name]
    assert re.match(r'    """[^"]+[.]"""\n', body)
    for word in ("input", "output", "log", "benchmark", "conda", "resources", "params"):
        assert f"    {word}:\n" in body, word
    for resource in ("mem_mb=", "runtime="):
        assert resource in body
    log, benchmark = (
        re.search(rf'"<{kind}>/(.*)\.{ending}"', body)[1] for kind, ending in (("logs", "log"), ("benchmarks", "tsv"))
    )
    assert log == benchmark


@pytest.mark.parametrize("name", STEPS)
def test_a_step_takes_values_by_lookups_and_named_functions(name):
    assert not re.search(r"lambda|config\[|(?:input|output)\[", STEPS[name])


def test_files_of_rules_can_be_read_at_one_sitting():
    lengths = {path.name: len(path.read_text().splitlines()) for path in [PROJECT / "Snakefile", *FILES]}
    assert lengths.pop("Snakefile") <= 60
    assert max(lengths.values()) <= 135
    included = re.findall(r'include: "rules/(\w+\.smk)"', (PROJECT / "Snakefile").read_text())
    assert sorted(included) == sorted(lengths)


@pytest.mark.parametrize("name", ["translate_network", "export_onnx", "make_cases", "validate_target"])
def test_a_step_before_the_gate_takes_back_what_pages_say_before_all_else(name):
    assert "        claims=claims,\n" in STEPS[name]
    script = (PROJECT / "scripts" / f"{name}.py").read_text()
    body = script.partition("    with step() as snakemake:\n")[2]
    first = next(line for line in body.splitlines() if not line.strip().startswith("#"))
    assert first.strip() == "withdraw(map(Path, snakemake.params.claims), snakemake.wildcards.run)"


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_given_no_file_that_it_does_not_read(name):
    # Those that are waited for, or found beside another file or in the project.
    waited_for = {"pins", "checked", "checksums", "schema", "validation"}
    named = re.search(r"    input:\n((?:        .*\n)+)", STEPS[name])[1]
    words = set(re.findall(r"\w+", (PROJECT / "scripts" / f"{name}.py").read_text()))
    assert set(re.findall(r"^        (\w+)=", named, re.MULTILINE)) <= words | waited_for
