"""Training: many random starts side by side, the best one ships."""


rule train_network:
    """Train all replicas of a network and ship the best by validation loss."""
    input:
        unpack(data_of("train", "validation")),
        network=network_file,
        pins=project("envs/torch.yaml"),
    output:
        weights="<results>/{run}/train/weights.safetensors",
        history="<results>/{run}/train/history.csv",
        replicas="<results>/{run}/train/replicas.csv",
        training="<results>/{run}/train/training.json",
    log:
        "<logs>/{run}/train_network.log",
    benchmark:
        "<benchmarks>/{run}/train_network.tsv"
    wildcard_constraints:
        run=f"{any_of(run for run in TRAINED if run not in SCANS)}|{points_of(SCANS)}",
    group:
        training_group
    conda:
        "../envs/torch.yaml"
    threads: training_threads
    resources:
        gpu=training_gpus,
        scan_points=scan_points,
        mem_mb=training_memory,
        runtime=growing(240),
    params:
        code=source_code("train_network"),
        neighbours=neighbours,
        model=knobs(
            "network",
            "inputs",
            "outputs",
            "data/target",
            "train",
            "evaluate/threshold",
            "seed",
            "device",
        ),
        point=scan_point,
    script:
        "../scripts/train_network.py"


rule take_weights:
    """Take weights that were trained elsewhere, as those that ship."""
    input:
        network=network_file,
        given=weights_file,
        pins=project("envs/torch.yaml"),
    output:
        weights="<results>/{run}/train/weights.safetensors",
        training="<results>/{run}/train/training.json",
    log:
        "<logs>/{run}/take_weights.log",
    wildcard_constraints:
        run=any_of(WEIGHTED),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(10),
    params:
        code=source_code("take_weights"),
        neighbours=neighbours,
        model=knobs("network"),
    script:
        "../scripts/take_weights.py"


rule plot_training:
    """Plot loss and accuracy over epochs."""
    input:
        history=rules.train_network.output.history,
        training=rules.train_network.output.training,
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
    conda:
        "../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_code("plot_training"),
        style=lookup("plots", within=config),
    script:
        "../scripts/plot_training.py"
