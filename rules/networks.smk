"""Networks, each looked at once before anything is trained: the first job of a run."""


rule check_network:
    """Evaluate a network once, on two events of the domain: its mistakes stop the run before all else."""
    input:
        network=file_to_check,
        pins=project("envs/torch.yaml"),
    output:
        checked="<results>/{run}/networks/{key}.json",
    log:
        "<logs>/{run}/networks/{key}.log",
    benchmark:
        "<benchmarks>/{run}/networks/{key}.tsv"
    wildcard_constraints:
        run=any_of(NETWORKS),
        key="[0-9a-f]{16}",
    # Before the data are made, which may take long.
    priority: 1
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=growing(3000),
        runtime=growing(10),
    params:
        code=source_code("check_network"),
        neighbours=neighbours_to_check,
        section=knobs("inputs", "outputs", "axes", "data/target", "seed"),
        networks=networks_to_check,
    script:
        "../scripts/check_network.py"
