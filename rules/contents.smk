"""What goes into the archives."""

# What a run makes that is the same every time, by milestone.
DETERMINISTIC = {
    "basics": ["tensors.json", "devices.json", "autograd.json", "facts.html"],
    "data": [
        *expand("{set}.safetensors", set=["train", "validation", "test"]),
        "datasheet.json",
    ],
    "train": [
        *["weights.safetensors", "history.csv", "replicas.csv", "training.json"],
        *expand("{plot}.{kind}", plot=["loss", "accuracy"], kind=["svg", "png"]),
    ],
    "evaluate": ["metrics.json", "predictions.safetensors"],
    "scan": ["table.csv", "best.json", "network.py", "scan.svg", "scan.png"],
    "surface": ["surface.safetensors", "surface.svg", "surface.png"],
    "extract": ["weights.json", "reference.py", "reference.hpp", "check.json"],
    "export": ["model.onnx", "export.json"],
    "validate": ["errors.safetensors", "validation.json"],
    "gate": ["cases.safetensors", "errors.svg", "errors.png", "gate.html"],
}
# What differs from run to run.
TIMINGS = {
    "basics": ["device.csv", "limits.csv", "device.svg", "device.png"],
    "benchmark": [
        "engines.csv",
        *expand("{plot}.{kind}", plot=["latency", "throughput"], kind=["svg", "png"]),
    ],
}
# The project itself, so that an unpacked archive can be run again.
SOURCES = [
    *["Snakefile", "Makefile", "config.yaml", "targets.yaml", "pyproject.toml"],
    *["requirements.txt", "requirements-dev.txt", "*.md", "LICENSE", "CITATION.cff"],
    *["rules/*.smk", "scripts/*.py", "scripts/torchship/*.py", "models/**/*.py"],
    *["envs/*.yaml", "schemas/*.yaml", "report/*.rst", "tools/*.py"],
    *["profiles/*.md", "profiles/*/*.yaml", "docs/*.md", "docs/example/*"],
    *["tests/*.py", "tests/*.yaml", "tests/*/*.py"],
]


def result_paths():
    """Give all deterministic results of the configured runs."""
    trained, covered = (
        [
            f"<results>/{{run}}/{stage}/{file}"
            for stage in stages
            for file in DETERMINISTIC[stage]
        ]
        for stages in (("data", "train", "evaluate"), ("extract",))
    )
    per_target = [
        f"<results>/{{run}}/{stage}/{{target}}/{file}"
        for stage in ("export", "validate")
        for file in DETERMINISTIC[stage]
    ]
    surfaces = expand(
        "<results>/{run}/evaluate/{file}",
        run=runs_with_surface(),
        file=DETERMINISTIC["surface"],
    )
    scans = collected(
        [f"<results>/{{run}}/scan/{file}" for file in DETERMINISTIC["scan"]], SCANS
    )
    basics = [f"<results>/basics/{file}" for file in DETERMINISTIC["basics"]]
    gate = [f"<results>/{{run}}/validate/{file}" for file in DETERMINISTIC["gate"]]
    return [
        *basics,
        *collected([*trained, "<results>/{run}/summary.html"], TRAINED),
        *collected(covered, COVERED),
        *collected([*per_target, *gate]),
        *surfaces,
        *scans,
    ]


def timing_paths():
    """Give all timings of the configured runs and their plots."""
    per_run = collected(
        [f"<results>/{{run}}/benchmark/{file}" for file in TIMINGS["benchmark"]]
    )
    return [*[f"<results>/basics/{file}" for file in TIMINGS["basics"]], *per_run]


def archived_names(paths):
    """Give the names in the archive: under results/, wherever the results are."""
    return [path.replace("<results>", "results", 1) for path in paths]


def source_paths():
    """Give the project's files by their path in it, sorted."""
    return sorted(
        str(path.relative_to(BASE))
        for pattern in SOURCES
        for path in BASE.glob(pattern)
    )
