"""What people read: the pictures and the page of the gate, and the summary of a run."""


rule plot_errors:
    """Plot the errors against the inputs and the output, and their distribution in each runtime."""
    input:
        errors=for_targets(rules.validate_target.output.errors),
        validations=for_targets(rules.validate_target.output.validation),
        pins=project("envs/plots.yaml"),
    output:
        svg="<results>/{run}/validate/errors.svg",
        png="<results>/{run}/validate/errors.png",
    log:
        "<logs>/{run}/plot_errors.log",
    benchmark:
        "<benchmarks>/{run}/plot_errors.tsv"
    conda:
        "../envs/plots.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=source_code("plot_errors"),
        targets=export_targets,
        style=lookup("plots", within=config),
    script:
        "../scripts/plot_errors.py"


rule write_gate_page:
    """Write the page of the gate: the verdicts in words, pictures, and the tables behind them."""
    input:
        validations=for_targets(rules.validate_target.output.validation),
        picture=rules.plot_errors.output.svg,
        pins=project("envs/python.yaml"),
    output:
        page=report(
            "<results>/{run}/validate/gate.html",
            caption="../report/gate.rst",
            category="{run}",
            labels={"what": "the gate"},
        ),
    log:
        "<logs>/{run}/write_gate_page.log",
    benchmark:
        "<benchmarks>/{run}/write_gate_page.tsv"
    conda:
        "../envs/python.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=source_code("write_gate_page"),
        targets=export_targets,
    script:
        "../scripts/write_gate_page.py"


rule write_summary:
    """Write the page that tells a reviewer what a run found."""
    input:
        unpack(handcoded),
        unpack(data_if_any()),
        unpack(metrics_if_any),
        shipped=rules.select_model.output.shipped,
        training=rules.select_model.output.training,
        exports=for_targets(rules.export_onnx.output.report),
        validations=for_targets(rules.validate_target.output.validation),
        pins=project("envs/python.yaml"),
    output:
        page=report(
            "<results>/{run}/summary.html",
            caption="../report/summary.rst",
            category="{run}",
            labels={"what": "summary"},
        ),
    log:
        "<logs>/{run}/write_summary.log",
    benchmark:
        "<benchmarks>/{run}/write_summary.tsv"
    conda:
        "../envs/python.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=source_code("write_summary"),
        targets=export_targets,
    script:
        "../scripts/write_summary.py"
