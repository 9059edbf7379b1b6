"""What goes into the archives."""

# The rules whose outputs are the same every time, each with the runs that it is for, and their targets if not all; those of the basics have none.
DETERMINISTIC = [
    (rules.generate_data, WITH_DATA),
    (rules.select_model, NETWORKS),
    (rules.plot_training, TRAINED),
    (rules.plot_scan, SCANS),
    (rules.adopt_onnx, GIVEN),
    (rules.evaluate_network, WITH_DATA),
    (rules.evaluate_surface, runs_with_surface()),
    (rules.plot_surface, runs_with_surface()),
    (rules.extract_weights, COVERED),
    (rules.generate_code, COVERED),
    (rules.check_code, COVERED),
    (rules.export_onnx, RUNS),
    (rules.make_cases, RUNS),
    (rules.validate_target, RUNS),
    (rules.plot_errors, RUNS),
    (rules.write_gate_page, RUNS),
    (rules.write_summary, NETWORKS),
    (rules.deliver_header, COVERED),
    (rules.deliver_cmssw, RUNS, cmssw_targets_of),
    (rules.deliver_card, RUNS),
]
DETERMINISTIC_BASICS = [rules.check_basics, rules.write_basics_page]
# Those whose outputs differ from run to run.
TIMED = [(rules.benchmark_engines, RUNS), (rules.plot_benchmark, RUNS)]
TIMED_BASICS = [rules.benchmark_device, rules.plot_device]
# Those whose outputs no archive holds, and why.
LEFT_OUT = {
    "check_network": "it says that a network runs, which what is trained of it shows",
    "train_network": "of all candidates only the selected one counts, whose files are in model/ and train/",
    "take_weights": "the candidate that came trained is the one that is selected, whose files are there",
    "translate_network": "the files of all targets hold all of it, and their reports what it was made with",
    "find_runtime": "paths of this machine",
    "pack_archive": "it is the archive",
    "pack_timings": "it is the archive",
    "check_archives": "it speaks of the archive",
}
# The project itself, so that an unpacked archive can be run again.
SOURCES = [
    *["Snakefile", "Makefile", "config.yaml", "targets.yaml", "pyproject.toml"],
    *["requirements.txt", "requirements-dev.txt", "*.md", "LICENSE", "CITATION.cff"],
    *["rules/*.smk", "scripts/*.py", "models/**/*.py"],
    *[
        "scripts/torchship/**/*.py",
        "scripts/torchship/**/*.jinja",
        "scripts/torchship/**/*.h",
    ],
    *["envs/*.yaml", "schemas/*.yaml", "report/*.rst", "tools/*.py"],
    *["profiles/*.md", "profiles/*/*.yaml", "docs/*.md"],
    *["examples/*.md", "examples/*/*"],
    *["tests/**/*.py", "tests/*.yaml"],
]


def outputs_of(listed, basics):
    """Return the outputs of some rules, for the runs that each is for, and for the basics where a run asks for them."""
    for_runs = [
        path for rule, *those in listed for path in collected(list(rule.output), *those)
    ]
    return [*(path for rule in basics if BASICS for path in rule.output), *for_runs]


def result_paths():
    """Return all deterministic results of the configured runs."""
    return outputs_of(DETERMINISTIC, DETERMINISTIC_BASICS)


def timing_paths():
    """Return all timings of the configured runs, and their plots."""
    return outputs_of(TIMED, TIMED_BASICS)


def archived_names(paths):
    """Return the names in the archive: under results/, wherever the results are."""
    folder = Path(config["pathvars"]["results"])
    return [f"results/{Path(path).relative_to(folder).as_posix()}" for path in paths]


def archived_config():
    """Return the configuration as the archive has it: where a run writes and how it is watched changes no result."""
    return {**config, **{key: DEFAULTS[key] for key in ("pathvars", "watch")}}


def source_paths():
    """Return the project's files by their path in it, sorted."""
    return project_files(BASE, SOURCES)
