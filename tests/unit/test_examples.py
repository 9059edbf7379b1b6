"""Each example's data fit its entry, and its whole run is planned: the network, the configuration, every step."""

import os
import subprocess
import sys

import pytest
from support import PROJECT

EXAMPLES = sorted(path.parent for path in (PROJECT / "examples").glob("*/*.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_complete_and_planned(example, tmp_path):
    name = example.name
    assert sorted(path.name for path in example.iterdir() if path.is_file()) == sorted(
        ["README.md", f"make_{name}.py", f"{name}.py", f"{name}.yaml"]
    )
    # The project with the example's network, and nothing else that the user's own models/ might hold.
    project = tmp_path / "project"
    project.mkdir()
    for part in [
        "Snakefile",
        "config.yaml",
        "targets.yaml",
        "rules",
        "scripts",
        "envs",
        "schemas",
        "report",
        "profiles",
    ]:
        (project / part).symlink_to(PROJECT / part)
    (project / "models").mkdir()
    for network in [PROJECT / "models" / "xor.py", example / f"{name}.py"]:
        (project / "models" / network.name).symlink_to(network)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def ran(*command):
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    ran(sys.executable, example / f"make_{name}.py")
    printed = ran(
        sys.executable, "-m", "snakemake", "all", "--dry-run", "--cores", "1", "--configfile", example / f"{name}.yaml"
    )
    assert "rule validate_target:" in printed
    assert "rule pack_archive:" in printed


def test_the_list_of_examples_names_each():
    listed = (PROJECT / "examples" / "README.md").read_text()
    assert len(EXAMPLES) >= 2
    assert [path.name for path in EXAMPLES if f"]({path.name}/)" not in listed] == []
