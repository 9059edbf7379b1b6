"""Scans: the points of a run side by side, and the best, which goes on as the run itself."""


rule choose_best:
    """Table the points of a scan, choose the best, and make its training the run's own."""
    input:
        # Each has the checksums of the three files beside it: to declare them, too, would make Snakemake plan
        # a scan of thousands of points half as long again.
        trainings=point_trainings,
        networks=scanned_networks,
        pins=project("envs/python.yaml"),
    output:
        table=report(
            "<results>/{run}/scan/table.csv",
            caption="../report/scan_table.rst",
            category="{run}",
            labels={"what": "scan, as a table"},
        ),
        best="<results>/{run}/scan/best.json",
        network="<results>/{run}/scan/network.py",
        weights="<results>/{run}/train/weights.safetensors",
        history="<results>/{run}/train/history.csv",
        replicas="<results>/{run}/train/replicas.csv",
        training="<results>/{run}/train/training.json",
    log:
        "<logs>/{run}/choose_best.log",
    wildcard_constraints:
        run=any_of(SCANS),
    conda:
        "../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=source_code("choose_best"),
        neighbours=scanned_neighbours,
        # Their order, too, which is that of the table: Snakemake compares inputs as a set.
        points=points_digest,
        metric=lookup("{run}/scan/metric", within=RUNS),
    script:
        "../scripts/choose_best.py"


rule plot_scan:
    """Plot the metric of every point against each scanned knob."""
    input:
        table=rules.choose_best.output.table,
        best=rules.choose_best.output.best,
        pins=project("envs/plots.yaml"),
    output:
        svg="<results>/{run}/scan/scan.svg",
        png=report(
            "<results>/{run}/scan/scan.png",
            caption="../report/scan.rst",
            category="{run}",
            labels={"what": "scan"},
        ),
    log:
        "<logs>/{run}/plot_scan.log",
    wildcard_constraints:
        run=any_of(SCANS),
    conda:
        "../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_code("plot_scan"),
        style=lookup("plots", within=config),
    script:
        "../scripts/plot_scan.py"
