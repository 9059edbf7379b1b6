"""What goes into the archives."""

# What a run makes that is the same every time, by milestone. Left out are export/translated.zip and .json, of which the
# files of all targets are made: the files hold all of it, and their reports what it was made with.
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
    # Of a network whose weights were trained elsewhere.
    "weights": ["train/weights.safetensors", "train/training.json"],
    # Of an ONNX file from elsewhere.
    "adopted": ["model/model.onnx", "model/description.json"],
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
    *["rules/*.smk", "scripts/*.py", "scripts/torchship/**/*.py", "models/**/*.py"],
    *["envs/*.yaml", "schemas/*.yaml", "report/*.rst", "tools/*.py"],
    *["profiles/*.md", "profiles/*/*.yaml", "docs/*.md", "docs/example/*"],
    *["tests/*.py", "tests/*.yaml", "tests/*/*.py"],
]


def result_paths():
    """Give all deterministic results of the configured runs."""
    with_data, trained, covered = (
        [
            f"<results>/{{run}}/{stage}/{file}"
            for stage in stages
            for file in DETERMINISTIC[stage]
        ]
        for stages in (("data", "evaluate"), ("train",), ("extract",))
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
    weighted, adopted = (
        [f"<results>/{{run}}/{file}" for file in DETERMINISTIC[kind]]
        for kind in ("weights", "adopted")
    )
    gate = [f"<results>/{{run}}/validate/{file}" for file in DETERMINISTIC["gate"]]
    return [
        *basics,
        *collected(with_data, WITH_DATA),
        *collected(trained, TRAINED),
        *collected(weighted, WEIGHTED),
        *collected(adopted, GIVEN),
        *collected(["<results>/{run}/summary.html"], NETWORKS),
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
