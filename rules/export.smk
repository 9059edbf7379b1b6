"""Export: a canonical ONNX file for each target."""


rule export_onnx:
    """Export the shipped network for one target."""
    input:
        network=network_file,
        best=best_point,
        weights=rules.train_network.output.weights,
        pins=project("envs/export.yaml"),
    output:
        model="<results>/{run}/export/{target}/model.onnx",
        report="<results>/{run}/export/{target}/export.json",
    log:
        "<logs>/{run}/{target}/export_onnx.log",
    benchmark:
        "<benchmarks>/{run}/{target}/export_onnx.tsv"
    wildcard_constraints:
        run=f"{any_of(TRAINED)}|{points_of(SCANS)}",
    conda:
        "../envs/export.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("export_onnx"),
        neighbours=neighbours,
        model=knobs(
            "network",
            "inputs",
            "outputs",
            "evaluate/threshold",
            "export/opset",
            "export/input_shapes",
        ),
        target=lookup("targets/{target}", within=config),
    script:
        "../scripts/export_onnx.py"


rule adopt_onnx:
    """Take a file that was made elsewhere, byte by byte, and say what it is."""
    input:
        unpack(given_files),
        pins=project("envs/export.yaml"),
    output:
        model="<results>/{run}/export/{target}/model.onnx",
        report="<results>/{run}/export/{target}/export.json",
    log:
        "<logs>/{run}/{target}/adopt_onnx.log",
    wildcard_constraints:
        run=any_of(GIVEN),
    conda:
        "../envs/export.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("adopt_onnx"),
        target=lookup("targets/{target}", within=config),
    script:
        "../scripts/adopt_onnx.py"
