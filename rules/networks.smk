"""Networks, each looked at once before anything is trained: the first job of a run."""

from functools import cache


def network_key(section):
    """Return what stands for what a candidate's network is built with and trained for."""
    picked = picked_from(section, ("network", "train/loss"))
    return sha256(json.dumps(picked, sort_keys=True).encode()).hexdigest()[:16]


@cache
def distinct_networks(run):
    """Return a candidate's section for each network of a run, by its key: most points of a scan share one."""
    sections = [candidate.section for candidate in CANDIDATES[run].values()]
    return {network_key(section): section for section in sections}


def file_to_check(wildcards):
    """Return the file of a network that is checked."""
    section = distinct_networks(wildcards.run)[wildcards.key]
    return project(f"models/{section['network']['file']}.py")


def networks_to_check(wildcards):
    """Return the knobs of a network that is checked."""
    section = distinct_networks(wildcards.run)[wildcards.key]
    return [picked_from(section, ("network", "train/loss"))]


def neighbours_to_check(wildcards):
    """Return what stands for the files that a network that is checked imports."""
    return digest_beside(file_to_check(wildcards))


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
