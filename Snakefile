"""Torchship: a PyTorch model from its data to validated ONNX files and a reproducible archive."""

from snakemake.utils import min_version

min_version("9.25")


# Another workflow that has this one as a module gives its own configuration, which rules/project.smk completes.
configfile: f"{workflow.current_basedir}/config.yaml"
configfile: f"{workflow.current_basedir}/targets.yaml"


report: "report/workflow.rst"


include: "rules/project.smk"
include: "rules/common.smk"
include: "rules/failures.smk"
include: "rules/resources.smk"
include: "rules/given.smk"
include: "rules/inputs.smk"
include: "rules/params.smk"
include: "rules/targets.smk"
include: "rules/basics.smk"
include: "rules/networks.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/select.smk"
include: "rules/adopt.smk"
include: "rules/evaluate.smk"
include: "rules/extract.smk"
include: "rules/export.smk"
include: "rules/validate.smk"
include: "rules/pages.smk"
include: "rules/benchmark.smk"
include: "rules/deliver.smk"
include: "rules/card.smk"
include: "rules/contents.smk"
include: "rules/archive.smk"
include: "rules/milestones.smk"
include: "rules/htcondor.smk"


onerror:
    tell_failures()


localrules:
    all,


rule all:
    """Everything, from the data to the verified archive."""
    input:
        rules.check_archives.output,
        # Those that a step took away are not missed by an archive that has them.
        rules.validate.input,
