"""Where this project is, and its complete configuration, also where it is a module of another workflow."""

import os
import shlex
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

# Snakemake 9.27 writes the interpreter into shell commands without quotes, which fails on a path with a space in it.
if not sys.executable.startswith("'"):
    sys.executable = shlex.quote(sys.executable)

# Where this file is: `workflow.basedir` is another workflow's, where this one is a module of it.
BASE = Path(str(workflow.current_basedir)).parent
if not (BASE / "scripts").is_dir():
    raise WorkflowError(
        f"ConfigError: {workflow.current_basedir} is no folder here: Snakemake fetches single files of a module from "
        "elsewhere, and steps import the library beside them; clone the project and give the module's snakefile as a path"
    )
if workflow.modifier.path_modifier.prefix:
    raise WorkflowError(
        "ConfigError: a module of this workflow takes no `prefix:`, which would change the paths of its own files as well: "
        "say under pathvars of its configuration where its files go"
    )
sys.path.insert(0, str(BASE / "scripts"))

from torchship.config.checks import require_chosen
from torchship.config.resolve import merge
from torchship.core.errors import ConfigError


def project(path):
    """Return a file of the project as seen from the working directory, wherever that is."""
    return os.path.relpath(BASE / path)


def read_yaml(path):
    """Return what a YAML file of the project holds, by the parser in C where there is one: each job on a cluster plans."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((BASE / path).read_text(encoding="utf-8"), Loader=loader)


DEFAULTS = read_yaml("config.yaml")


def complete():
    """Complete the configuration in place: what is not given has its default.

    The defaults are read here once more, for where this is a module of another workflow Snakemake does not read them.
    The folders under `pathvars` are those that Snakemake puts into the paths of rules, by whatever way they were given.
    """
    # A module has what the other workflow gives it; here Snakemake has put the files under what the user gave.
    whole = workflow.modifier.skip_configfile
    given = config if whole else workflow.config_settings.overwrite_config
    try:
        require_chosen(given, DEFAULTS["runs"])
    except ConfigError as error:
        raise WorkflowError(f"ConfigError: {error}")
    for defaults in (DEFAULTS, read_yaml("targets.yaml")):
        config.update(merge(defaults, config))
    folders = config["pathvars"]
    if isinstance(folders, dict):
        config["pathvars"] = {name: workflow.pathvars.get(name) for name in folders}


complete()
