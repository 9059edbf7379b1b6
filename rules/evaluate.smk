"""Evaluation: metrics on the three sets, and the output over a plane."""


rule evaluate_network:
    """Evaluate the shipped network on the three sets."""
    input:
        unpack(data_of("train", "validation", "test")),
        unpack(shipped),
        pins=project("envs/torch.yaml"),
    output:
        metrics="<results>/{run}/evaluate/metrics.json",
        predictions="<results>/{run}/evaluate/predictions.safetensors",
    log:
        "<logs>/{run}/evaluate_network.log",
    benchmark:
        "<benchmarks>/{run}/evaluate_network.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("evaluate_network"),
        knobs=knobs("evaluate/threshold"),
    script:
        "../scripts/evaluate_network.py"


rule evaluate_surface:
    """Evaluate a network of two features over a plane of them."""
    input:
        unpack(shipped),
        pins=project("envs/torch.yaml"),
    output:
        surface="<results>/{run}/evaluate/surface.safetensors",
    log:
        "<logs>/{run}/evaluate_surface.log",
    benchmark:
        "<benchmarks>/{run}/evaluate_surface.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("evaluate_surface"),
        knobs=knobs("evaluate/surface"),
    script:
        "../scripts/evaluate_surface.py"


rule plot_surface:
    """Plot the output over the plane with the events of the test set."""
    input:
        unpack(data_of("test")),
        shipped=rules.select_model.output.shipped,
        surface=rules.evaluate_surface.output.surface,
        pins=project("envs/plots.yaml"),
    output:
        svg="<results>/{run}/evaluate/surface.svg",
        png=report(
            "<results>/{run}/evaluate/surface.png",
            caption="../report/surface.rst",
            category="{run}",
            labels={"what": "decision surface"},
        ),
    log:
        "<logs>/{run}/plot_surface.log",
    benchmark:
        "<benchmarks>/{run}/plot_surface.tsv"
    conda:
        "../envs/plots.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_code("plot_surface"),
        knobs=knobs("evaluate/threshold"),
        style=lookup("plots", within=config),
    script:
        "../scripts/plot_surface.py"
