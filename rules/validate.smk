"""Validation: the gate."""


rule make_cases:
    """Make the cases that every target is validated on, with what the witnesses say of each."""
    input:
        unpack(witnesses),
        unpack(data_if_any("train", "test")),
        pins=project("envs/gate.yaml"),
    output:
        cases="<results>/{run}/validate/cases.safetensors",
    log:
        "<logs>/{run}/make_cases.log",
        # Where the witnesses fail.
        evidence="<logs>/{run}/witnesses.json",
        page="<logs>/{run}/witnesses.html",
    benchmark:
        "<benchmarks>/{run}/make_cases.tsv"
    conda:
        "../envs/gate.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("make_cases"),
        knobs=knobs(
            "onnx",
            "axes",
            "train/batch_size",
            "validate/batch_sizes",
            "validate/axis_sizes",
            "validate/never_empty",
            "validate/widest_limit",
            "seed",
        ),
        claims=claims,
    script:
        "../scripts/make_cases.py"


rule find_runtime:
    """Find the interpreter that has the ONNX Runtime of a target."""
    input:
        runtime=runtime_pins,
        pins=project("envs/python.yaml"),
    output:
        found="<results>/runtimes/{target}.json",
    log:
        "<logs>/runtimes/{target}.log",
    benchmark:
        "<benchmarks>/runtimes/{target}.tsv"
    conda:
        runtime_environment
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=source_code("find_runtime"),
    script:
        "../scripts/find_runtime.py"


rule validate_target:
    """Examine an exported file in its target's runtime; a failure stops the workflow."""
    input:
        unpack(witnesses),
        file=rules.export_onnx.output.file,
        exported=rules.export_onnx.output.report,
        cases=rules.make_cases.output.cases,
        runtimes=runtimes_for,
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
    benchmark:
        "<benchmarks>/{run}/{target}/validate_target.tsv"
    conda:
        "../envs/gate.yaml"
    threads: 2
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        code=source_code("validate_target"),
        knobs=knobs(
            "onnx",
            "axes",
            "validate",
            "evaluate/threshold",
            "export/input_shapes",
            "seed",
        ),
        target=lookup("targets/{target}", within=config),
        claims=claims,
    script:
        "../scripts/validate_target.py"
