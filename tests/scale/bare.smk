"""A workflow without a purpose: as many rules and jobs as a scan has, to see what Snakemake itself takes for them.

With `declares: 1` each of the many jobs declares one file that it reads and one that it writes; with `declares: many`
all that a training declares: five inputs, four outputs, a log, a benchmark, an environment, resources, parameters. Both
say that they may share a job, as a scan's points do.
"""

POINTS = [f"point{number}" for number in range(int(config["points"]))]
KNOBS = {point: {"number": number} for number, point in enumerate(POINTS)}
CHAIN, SPARE = int(config["chain"]), int(config["spare"])


wildcard_constraints:
    point=r"point\d+",


rule all:
    input:
        f"chain{CHAIN}",


rule source:
    output:
        [f"source/{name}" for name in "abcd"],
    shell:
        "touch {output}"


def one(wildcards, attempt):
    return 1


def knobs(wildcards):
    return KNOBS[wildcards.point]


if config["declares"] == "many":

    rule train:
        input:
            [f"source/{name}" for name in "abcd"],
            workflow.snakefile,
        output:
            [f"{{point}}/{name}" for name in "abcd"],
        log:
            "logs/{point}.log",
        benchmark:
            "benchmarks/{point}.tsv"
        group:
            "scan"
        conda:
            "../../envs/torch.yaml"
        threads: 1
        resources:
            gpu=one,
            scan_points=one,
            mem_mb=one,
            runtime=one,
        params:
            knobs=knobs,
            code="code",
        script:
            "measured.py"

else:

    rule train:
        input:
            "source/a",
        output:
            "{point}/a",
        group:
            "scan"
        shell:
            "touch {output}"


rule join:
    input:
        [f"{point}/a" for point in POINTS],
    output:
        "chain0",
    shell:
        "touch {output}"


for number in range(CHAIN):

    rule:
        name:
            f"step_{number}"
        input:
            f"chain{number}",
        output:
            f"chain{number + 1}",
        shell:
            "touch {output}"


for number in range(SPARE):

    rule:
        name:
            f"spare_{number}"
        output:
            f"spare{number}",
        shell:
            "touch {output}"
