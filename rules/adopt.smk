"""Adoption: an ONNX file from elsewhere as what ships."""


rule adopt_onnx:
    """Take a file that was made elsewhere, whole, and describe its inputs and outputs."""
    input:
        unpack(given_files),
        beside=weights_beside,
        pins=project("envs/export.yaml"),
    output:
        model="<results>/{run}/model/model.onnx",
        shipped="<results>/{run}/model/model.json",
    log:
        "<logs>/{run}/adopt_onnx.log",
    benchmark:
        "<benchmarks>/{run}/adopt_onnx.tsv"
    wildcard_constraints:
        run=any_of(GIVEN),
    conda:
        "../envs/export.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=source_code("adopt_onnx"),
        section=knobs("inputs", "outputs"),
        claims=claims,
    script:
        "../scripts/adopt_onnx.py"
