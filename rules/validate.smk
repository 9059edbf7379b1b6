"""Validation: the gate."""


rule make_cases:
    """Make the cases that every target is validated on, with the witnesses' outputs and the bound."""
    input:
        network=network_file,
        trained=rules.train_network.output.weights,
        weights=rules.extract_weights.output.weights,
        python=rules.generate_code.output.python,
        check=rules.check_code.output.check,
        test=rules.generate_data.output.test,
        datasheet=rules.generate_data.output.datasheet,
        code=source_code("make_cases"),
        pins=project("envs/torch.yaml"),
    output:
        cases="<results>/{run}/validate/cases.safetensors",
    log:
        "<logs>/{run}/make_cases.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        model=knobs("network", "inputs", "validate/batch_sizes", "seed"),
    script:
        "../scripts/make_cases.py"


rule run_target:
    """Run an exported file on the cases in the ONNX Runtime that its target ships."""
    input:
        model=rules.export_onnx.output.model,
        cases=rules.make_cases.output.cases,
        runtime=runtime_pins,
        code=source_code("run_target"),
        pins=project("envs/python.yaml"),
    output:
        outputs="<results>/{run}/validate/{target}/outputs.safetensors",
    log:
        "<logs>/{run}/{target}/run_target.log",
    benchmark:
        "<benchmarks>/{run}/{target}/run_target.tsv"
    conda:
        runtime_environment
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    script:
        "../scripts/run_target.py"


rule validate_target:
    """Judge an exported file by what its runtime gave; a failure stops the workflow."""
    input:
        model=rules.export_onnx.output.model,
        exported=rules.export_onnx.output.report,
        cases=rules.make_cases.output.cases,
        outputs=rules.run_target.output.outputs,
        code=source_code("validate_target"),
        pins=project("envs/numpy.yaml"),
    output:
        validation="<results>/{run}/validate/{target}/validation.json",
    log:
        "<logs>/{run}/{target}/validate_target.log",
        # A log, because those of a failed job are kept.
        evidence="<logs>/{run}/{target}/validation.json",
    conda:
        "../envs/numpy.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        target=lookup("targets/{target}", within=config),
        tolerance=lookup("{run}/validate/tolerance", within=RUNS),
    script:
        "../scripts/validate_target.py"


rule write_summary:
    """Write the page that tells a reviewer what a run found."""
    input:
        datasheet=rules.generate_data.output.datasheet,
        training=rules.train_network.output.training,
        metrics=rules.evaluate_network.output.metrics,
        check=rules.check_code.output.check,
        python=rules.generate_code.output.python,
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
        mem_mb=500,
        runtime=5,
    params:
        targets=lookup("{run}/export/targets", within=RUNS),
    script:
        "../scripts/write_summary.py"
