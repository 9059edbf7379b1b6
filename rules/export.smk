"""Export: a canonical ONNX file for each target."""


rule translate_network:
    """Trace the shipped network and translate it to ONNX, once for all targets."""
    input:
        network=network_file,
        best=best_point,
        weights=rules.train_network.output.weights,
        pins=project("envs/export.yaml"),
    output:
        program="<results>/{run}/export/translated.zip",
        report="<results>/{run}/export/translated.json",
    log:
        "<logs>/{run}/translate_network.log",
    benchmark:
        "<benchmarks>/{run}/translate_network.tsv"
    wildcard_constraints:
        run=f"{any_of(NETWORKS)}|{points_of(SCANS)}",
    conda:
        "../envs/export.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("translate_network"),
        neighbours=neighbours,
        model=knobs("network", "inputs", "outputs", "axes"),
        opsets=translation_opsets,
    script:
        "../scripts/translate_network.py"


rule export_onnx:
    """Bring the translated network to one target."""
    input:
        program=rules.translate_network.output.program,
        translated=rules.translate_network.output.report,
        best=best_point,
        pins=project("envs/export.yaml"),
    output:
        model="<results>/{run}/export/{target}/model.onnx",
        report="<results>/{run}/export/{target}/export.json",
    log:
        "<logs>/{run}/{target}/export_onnx.log",
    benchmark:
        "<benchmarks>/{run}/{target}/export_onnx.tsv"
    wildcard_constraints:
        run=f"{any_of(NETWORKS)}|{points_of(SCANS)}",
    conda:
        "../envs/export.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("export_onnx"),
        model=knobs(
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
    """Take a file that was made elsewhere, whole, and describe its inputs and outputs."""
    input:
        unpack(given_files),
        beside=weights_beside,
        pins=project("envs/export.yaml"),
    output:
        model="<results>/{run}/model/model.onnx",
        description="<results>/{run}/model/description.json",
    log:
        "<logs>/{run}/adopt_onnx.log",
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
        model=knobs("inputs", "outputs"),
    script:
        "../scripts/adopt_onnx.py"


rule place_onnx:
    """Place the adopted file where a target's exported file would be, and say what it is."""
    input:
        model=rules.adopt_onnx.output.model,
        description=rules.adopt_onnx.output.description,
        pins=project("envs/export.yaml"),
    output:
        model="<results>/{run}/export/{target}/model.onnx",
        report="<results>/{run}/export/{target}/export.json",
    log:
        "<logs>/{run}/{target}/place_onnx.log",
    wildcard_constraints:
        run=any_of(GIVEN),
    conda:
        "../envs/export.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("place_onnx"),
        target=lookup("targets/{target}", within=config),
    script:
        "../scripts/place_onnx.py"
