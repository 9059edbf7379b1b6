"""The archive: everything deterministic in one file that checks itself, timings in another beside it."""

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
    "surface": ["surface.safetensors", "surface.svg", "surface.png"],
    "extract": ["weights.json", "reference.py", "reference.hpp", "check.json"],
    "export": ["model.onnx", "export.json"],
    "validate": ["outputs.safetensors", "validation.json"],
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
    *[
        "Snakefile",
        "Makefile",
        "config.yaml",
        "targets.yaml",
        "requirements.txt",
        "README.md",
        "LICENSE",
    ],
    *[
        "CITATION.cff",
        "rules/*.smk",
        "scripts/*.py",
        "scripts/torchship/*.py",
        "models/*.py",
        "envs/*.yaml",
    ],
    *["schemas/*.yaml", "report/*.rst", "profiles/*/*.yaml", "tools/*.py"],
]


def result_paths():
    """Give all deterministic results of the configured runs."""
    per_run = [
        f"<results>/{{run}}/{stage}/{file}"
        for stage in ("data", "train", "evaluate", "extract")
        for file in DETERMINISTIC[stage]
    ]
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
    basics = [f"<results>/basics/{file}" for file in DETERMINISTIC["basics"]]
    pages = [
        "<results>/{run}/validate/cases.safetensors",
        "<results>/{run}/summary.html",
    ]
    return [*basics, *collected([*per_run, *per_target, *pages]), *surfaces]


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


rule pack_archive:
    """Pack the workflow, its configuration and everything deterministic that it made."""
    input:
        results=result_paths(),
        sources=[project(path) for path in source_paths()],
        code=library("pack_archive"),
        pins=project("envs/archive.yaml"),
    output:
        archive=f"<results>/archive/{config['archive']['name']}.tar.gz",
        checksum=f"<results>/archive/{config['archive']['name']}.tar.gz.sha256",
    log:
        "<logs>/archive/pack_archive.log",
    conda:
        "../envs/archive.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        config=config,
        knobs=lookup("archive", within=config),
        names=archived_names(result_paths()),
        source_names=source_paths(),
    script:
        "../scripts/pack_archive.py"


rule pack_timings:
    """Pack what differs from run to run: timings, their plots, and what this machine is."""
    input:
        results=timing_paths(),
        code=library("pack_timings"),
        pins=project("envs/python.yaml"),
    output:
        archive=f"<results>/archive/{config['archive']['name']}-timings.tar.gz",
        checksum=f"<results>/archive/{config['archive']['name']}-timings.tar.gz.sha256",
    log:
        "<logs>/archive/pack_timings.log",
    conda:
        "../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        names=archived_names(timing_paths()),
        name=lookup("archive/name", within=config),
    script:
        "../scripts/pack_timings.py"


rule check_archives:
    """Verify both archives, every file against its manifest."""
    input:
        archives=[rules.pack_archive.output.archive, rules.pack_timings.output.archive],
        checksums=[
            rules.pack_archive.output.checksum,
            rules.pack_timings.output.checksum,
        ],
        code=library("check_archives"),
        pins=project("envs/python.yaml"),
    output:
        report="<results>/archive/verified.json",
    log:
        "<logs>/archive/check_archives.log",
    conda:
        "../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=30,
    script:
        "../scripts/check_archives.py"
