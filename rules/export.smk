"""Export: a canonical ONNX file for each target."""


rule translate_network:
    """Trace the shipped network and translate it to ONNX, once for all targets."""
    input:
        unpack(shipped),
        pins=project("envs/export.yaml"),
    output:
        program="<results>/{run}/export/translated.zip",
        report="<results>/{run}/export/translated.json",
    log:
        "<logs>/{run}/translate_network.log",
    benchmark:
        "<benchmarks>/{run}/translate_network.tsv"
    wildcard_constraints:
        run=any_of(NETWORKS),
    conda:
        "../envs/export.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("translate_network"),
        knobs=knobs("axes"),
        opsets=translation_opsets,
        claims=claims,
    script:
        "../scripts/translate_network.py"


rule export_onnx:
    """Bring the translated network, or the file from elsewhere, to one target."""
    input:
        unpack(exported_from),
        pins=project("envs/export.yaml"),
    output:
        file="<results>/{run}/export/{target}/model.onnx",
        report="<results>/{run}/export/{target}/export.json",
    log:
        "<logs>/{run}/{target}/export_onnx.log",
    benchmark:
        "<benchmarks>/{run}/{target}/export_onnx.tsv"
    conda:
        "../envs/export.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("export_onnx"),
        knobs=knobs("evaluate/threshold", "export/opset", "export/input_shapes"),
        target=lookup("targets/{target}", within=config),
        claims=claims,
    script:
        "../scripts/export_onnx.py"
