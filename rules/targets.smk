"""What steps are told of the targets of a run, and of the code that was generated for it."""


def is_covered(wildcards):
    """Say whether there is hand-coded code of a run's network."""
    return wildcards.run in COVERED


def cmssw_packages(wildcards):
    """Return the targets that a run has a package for CMSSW for."""
    return cmssw_targets_of(wildcards.run)


def export_targets(wildcards):
    """Return the targets that a run is exported to, as a step is given them."""
    return targets_of(wildcards.run)


def translation_opsets(wildcards):
    """Return the operator sets that a run's network is translated to, of which the files of all its targets are made."""
    section = RUNS[wildcards.run]["export"]
    targets = [config["targets"][name] for name in section["targets"]]
    return natives(file_opset(section["opset"], target) for target in targets)
