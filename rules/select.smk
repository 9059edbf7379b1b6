"""Selection: what ships of a run's trainings, and their pictures."""


rule select_model:
    """Table a run's candidates, and make the best of them the model that ships."""
    input:
        unpack(data_if_any()),
        # Each has the checksums of the three files beside it: to declare them, too, would make Snakemake plan
        # a scan of thousands of points half as long again.
        trainings=candidate_trainings,
        networks=candidate_networks,
        pins=project("envs/python.yaml"),
    output:
        table=report(
            "<results>/{run}/train/candidates.csv",
            caption="../report/candidates.rst",
            category="{run}",
            labels={"what": "candidates, as a table"},
        ),
        shipped=update("<results>/{run}/model/model.json"),
        network=update("<results>/{run}/model/network.py"),
        weights=update("<results>/{run}/model/weights.safetensors"),
        training=update("<results>/{run}/train/training.json"),
        history=update("<results>/{run}/train/history.csv"),
        replicas=update("<results>/{run}/train/replicas.csv"),
    log:
        "<logs>/{run}/select_model.log",
    benchmark:
        "<benchmarks>/{run}/select_model.tsv"
    wildcard_constraints:
        run=any_of(NETWORKS),
    conda:
        "../envs/python.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=source_code("select_model"),
        neighbours=all_neighbours,
        # Their order, too, which is that of the table: Snakemake compares inputs as a set.
        candidates=candidates_digest,
        points=candidate_points,
        metric=lookup("{run}/scan/metric", within=RUNS),
        ship=lookup("{run}/scan/ship", within=RUNS),
        claims=claims,
        tries=failed_tries("{run}/train"),
    script:
        "../scripts/select_model.py"


rule plot_training:
    """Plot loss and accuracy over epochs of the training that was selected."""
    input:
        history=rules.select_model.output.history,
        training=rules.select_model.output.training,
        pins=project("envs/plots.yaml"),
    output:
        loss_svg="<results>/{run}/train/loss.svg",
        loss_png=report(
            "<results>/{run}/train/loss.png",
            caption="../report/loss.rst",
            category="{run}",
            labels={"what": "loss over epochs"},
        ),
        accuracy_svg="<results>/{run}/train/accuracy.svg",
        accuracy_png=report(
            "<results>/{run}/train/accuracy.png",
            caption="../report/accuracy.rst",
            category="{run}",
            labels={"what": "accuracy over epochs"},
        ),
    log:
        "<logs>/{run}/plot_training.log",
    benchmark:
        "<benchmarks>/{run}/plot_training.tsv"
    conda:
        "../envs/plots.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_code("plot_training"),
        style=lookup("plots", within=config),
    script:
        "../scripts/plot_training.py"


rule plot_scan:
    """Plot the metric of every point against each scanned knob."""
    input:
        table=rules.select_model.output.table,
        shipped=rules.select_model.output.shipped,
        pins=project("envs/plots.yaml"),
    output:
        svg="<results>/{run}/train/scan.svg",
        png=report(
            "<results>/{run}/train/scan.png",
            caption="../report/scan.rst",
            category="{run}",
            labels={"what": "scan"},
        ),
    log:
        "<logs>/{run}/plot_scan.log",
    benchmark:
        "<benchmarks>/{run}/plot_scan.tsv"
    wildcard_constraints:
        run=any_of(SCANS),
    conda:
        "../envs/plots.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_code("plot_scan"),
        style=lookup("plots", within=config),
    script:
        "../scripts/plot_scan.py"
