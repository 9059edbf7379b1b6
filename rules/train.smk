"""Training: a run's candidates, each of many random starts side by side."""


rule train_network:
    """Train all replicas of a candidate and keep the best by validation loss."""
    input:
        unpack(data_of("train", "validation")),
        network=network_file,
        checked=network_checked,
        pins=project("envs/torch.yaml"),
    # Updated: Snakemake gives the old ones back where a training fails, instead of deleting them beforehand.
    output:
        weights=update("<results>/{run}/candidates/{candidate}/weights.safetensors"),
        history=update("<results>/{run}/candidates/{candidate}/history.csv"),
        replicas=update("<results>/{run}/candidates/{candidate}/replicas.csv"),
        training=update("<results>/{run}/candidates/{candidate}/training.json"),
    log:
        "<logs>/{run}/candidates/{candidate}/train_network.log",
    benchmark:
        "<benchmarks>/{run}/candidates/{candidate}/train_network.tsv"
    wildcard_constraints:
        run=any_of(TRAINED),
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
        section=candidate_knobs(
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
        tries=failed_tries("{run}/candidates/{candidate}"),
    script:
        "../scripts/train_network.py"


rule take_weights:
    """Take weights that were trained elsewhere, as a candidate of their own."""
    input:
        network=network_file,
        given=weights_file,
        checked=network_checked,
        pins=project("envs/torch.yaml"),
    output:
        weights="<results>/{run}/candidates/{candidate}/weights.safetensors",
        history="<results>/{run}/candidates/{candidate}/history.csv",
        replicas="<results>/{run}/candidates/{candidate}/replicas.csv",
        training="<results>/{run}/candidates/{candidate}/training.json",
    log:
        "<logs>/{run}/candidates/{candidate}/take_weights.log",
    benchmark:
        "<benchmarks>/{run}/candidates/{candidate}/take_weights.tsv"
    wildcard_constraints:
        run=any_of(WEIGHTED),
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=growing(3000),
        runtime=growing(10),
    params:
        code=source_code("take_weights"),
        neighbours=neighbours,
        section=candidate_knobs(
            "network", "inputs", "outputs", "data/target", "train/loss", "seed"
        ),
    script:
        "../scripts/take_weights.py"
