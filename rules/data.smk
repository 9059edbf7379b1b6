"""The data: three sets of named arrays and their datasheet."""


rule generate_data:
    """Make the three sets of a run and their datasheet."""
    input:
        source=data_file,
        pins=project("envs/numpy.yaml"),
    output:
        train="<results>/{run}/data/train.safetensors",
        validation="<results>/{run}/data/validation.safetensors",
        test="<results>/{run}/data/test.safetensors",
        datasheet="<results>/{run}/data/datasheet.json",
    log:
        "<logs>/{run}/generate_data.log",
    benchmark:
        "<benchmarks>/{run}/generate_data.tsv"
    wildcard_constraints:
        run=any_of(WITH_DATA),
    conda:
        "../envs/numpy.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=source_code("generate_data"),
        data=lookup("{run}/data", within=RUNS),
        model=knobs("inputs", "outputs", "axes"),
        targets=target_arrays,
        wanted=targets_wanted,
        seed=lookup("seed", within=config),
    script:
        "../scripts/generate_data.py"
