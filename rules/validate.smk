"""Validation: the gate."""


rule make_cases:
    """Make the cases that every target is validated on, with what the witnesses say of each."""
    input:
        unpack(witnesses),
        unpack(test_set),
        code=source_code("make_cases"),
        pins=project("envs/gate.yaml"),
    output:
        cases="<results>/{run}/validate/cases.safetensors",
    log:
        "<logs>/{run}/make_cases.log",
    benchmark:
        "<benchmarks>/{run}/make_cases.tsv"
    conda:
        "../envs/gate.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        model=knobs(
            "network",
            "inputs",
            "outputs",
            "train/batch_size",
            "validate/batch_sizes",
            "validate/axis_sizes",
            "validate/never_empty",
            "seed",
        ),
    script:
        "../scripts/make_cases.py"


rule find_runtime:
    """Find the interpreter that has the ONNX Runtime of a target."""
    input:
        runtime=runtime_pins,
        code=source_code("find_runtime"),
        pins=project("envs/python.yaml"),
    output:
        found="<results>/runtimes/{target}.json",
    log:
        "<logs>/runtimes/{target}.log",
    conda:
        runtime_environment
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    script:
        "../scripts/find_runtime.py"


rule validate_target:
    """Examine an exported file in its target's runtime; a failure stops the workflow."""
    input:
        unpack(witnesses),
        model=rules.export_onnx.output.model,
        exported=rules.export_onnx.output.report,
        cases=rules.make_cases.output.cases,
        runtimes=runtimes_for,
        code=source_code("validate_target"),
        schema=project("schemas/validation.schema.yaml"),
        pins=project("envs/gate.yaml"),
    output:
        validation="<results>/{run}/validate/{target}/validation.json",
        errors="<results>/{run}/validate/{target}/errors.safetensors",
    log:
        "<logs>/{run}/{target}/validate_target.log",
        # Logs, because those of a failed job are kept.
        evidence="<logs>/{run}/{target}/validation.json",
        page="<logs>/{run}/{target}/gate.html",
        worst="<logs>/{run}/{target}/worst.safetensors",
    benchmark:
        "<benchmarks>/{run}/{target}/validate_target.tsv"
    conda:
        "../envs/gate.yaml"
    threads: 2
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        model=knobs(
            "network",
            "inputs",
            "outputs",
            "validate",
            "evaluate/threshold",
            "export/input_shapes",
            "seed",
        ),
        target=lookup("targets/{target}", within=config),
        claims=claims,
    script:
        "../scripts/validate_target.py"


rule plot_errors:
    """Plot the errors against the inputs and the output, and their distribution in each runtime."""
    input:
        errors=for_targets(rules.validate_target.output.errors),
        validations=for_targets(rules.validate_target.output.validation),
        code=source_code("plot_errors"),
        pins=project("envs/plots.yaml"),
    output:
        svg="<results>/{run}/validate/errors.svg",
        png="<results>/{run}/validate/errors.png",
    log:
        "<logs>/{run}/plot_errors.log",
    conda:
        "../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        model=knobs("inputs", "outputs", "export/targets"),
        style=lookup("plots", within=config),
    script:
        "../scripts/plot_errors.py"


rule write_gate_page:
    """Write the page of the gate: the verdicts in words, pictures, and the tables behind them."""
    input:
        validations=for_targets(rules.validate_target.output.validation),
        exports=for_targets(rules.export_onnx.output.report),
        picture=rules.plot_errors.output.svg,
        code=source_code("write_gate_page"),
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
    conda:
        "../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        targets=lookup("{run}/export/targets", within=RUNS),
    script:
        "../scripts/write_gate_page.py"


rule write_summary:
    """Write the page that tells a reviewer what a run found."""
    input:
        unpack(handcoded),
        datasheet=rules.generate_data.output.datasheet,
        training=rules.train_network.output.training,
        metrics=rules.evaluate_network.output.metrics,
        exports=for_targets(rules.export_onnx.output.report),
        validations=for_targets(rules.validate_target.output.validation),
        code=source_code("write_summary"),
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
    conda:
        "../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        targets=lookup("{run}/export/targets", within=RUNS),
    script:
        "../scripts/write_summary.py"
