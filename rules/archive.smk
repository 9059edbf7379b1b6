"""The archive: everything deterministic in one file that checks itself, timings in another beside it."""

# Where both are, without what their names end with.
ARCHIVE = f"<results>/archive/{lookup('archive/name', within=config)}"


rule pack_archive:
    """Pack the workflow, its configuration and everything deterministic that it made."""
    input:
        results=result_paths(),
        sources=[project(path) for path in source_paths()],
        pins=project("envs/archive.yaml"),
    output:
        archive=f"{ARCHIVE}.tar.gz",
        checksum=f"{ARCHIVE}.tar.gz.sha256",
    log:
        "<logs>/archive/pack_archive.log",
    benchmark:
        "<benchmarks>/archive/pack_archive.tsv"
    conda:
        "../envs/archive.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        code=source_code("pack_archive"),
        config=archived_config(),
        knobs=lookup("archive", within=config),
        # A new commit is a new archive; what it holds keeps the commits that it was made with.
        commit=commit(),
        names=archived_names(result_paths()),
        source_names=source_paths(),
    script:
        "../scripts/pack_archive.py"


rule pack_timings:
    """Pack what differs from run to run: timings, their plots, and what this machine is."""
    input:
        results=timing_paths(),
        pins=project("envs/python.yaml"),
    output:
        archive=f"{ARCHIVE}-timings.tar.gz",
        checksum=f"{ARCHIVE}-timings.tar.gz.sha256",
    log:
        "<logs>/archive/pack_timings.log",
    benchmark:
        "<benchmarks>/archive/pack_timings.tsv"
    conda:
        "../envs/python.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        code=source_code("pack_timings"),
        names=archived_names(timing_paths()),
        name=lookup("archive/name", within=config),
        commit=commit(),
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
        pins=project("envs/python.yaml"),
    output:
        report="<results>/archive/verified.json",
    log:
        "<logs>/archive/check_archives.log",
    benchmark:
        "<benchmarks>/archive/check_archives.tsv"
    conda:
        "../envs/python.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(30),
    params:
        code=source_code("check_archives"),
        runs=list(RUNS),
    script:
        "../scripts/check_archives.py"
