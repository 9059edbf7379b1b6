"""Extraction: the weights as text, the network as hand-coded Python and C++, and their cross-check."""


rule extract_weights:
    """Write every parameter by name, and the layers in order."""
    input:
        unpack(shipped),
        pins=project("envs/torch.yaml"),
    output:
        weights="<results>/{run}/extract/weights.json",
    log:
        "<logs>/{run}/extract_weights.log",
    benchmark:
        "<benchmarks>/{run}/extract_weights.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("extract_weights"),
    script:
        "../scripts/extract_weights.py"


rule generate_code:
    """Generate readable Python and C++ with the numbers in it."""
    input:
        weights=rules.extract_weights.output.weights,
        pins=project("envs/python.yaml"),
    output:
        python="<results>/{run}/extract/reference.py",
        header="<results>/{run}/extract/reference.hpp",
    log:
        "<logs>/{run}/generate_code.log",
    benchmark:
        "<benchmarks>/{run}/generate_code.tsv"
    conda:
        "../envs/python.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=source_code("generate_code"),
    script:
        "../scripts/generate_code.py"


rule check_code:
    """Check the generated code against torch, on the test set and on a grid."""
    input:
        unpack(data_if_any("test")),
        unpack(shipped),
        weights=rules.extract_weights.output.weights,
        python=rules.generate_code.output.python,
        header=rules.generate_code.output.header,
        pins=project("envs/torch.yaml"),
    output:
        check="<results>/{run}/extract/check.json",
    log:
        "<logs>/{run}/check_code.log",
    benchmark:
        "<benchmarks>/{run}/check_code.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("check_code"),
        knobs=knobs("evaluate/threshold", "extract", "seed"),
        # What was not checked or timed without one is, once there is one.
        compiler=bool(compiler()),
    script:
        "../scripts/check_code.py"
