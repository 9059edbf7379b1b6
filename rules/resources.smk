"""What steps ask for: resources as functions of the run and of the try."""


def growing(amount):
    """Return a resource that grows with each try: what ran out of memory or time gets more of it."""

    def grown(wildcards, attempt):
        return attempt * amount

    return grown


def training_memory(wildcards, attempt):
    """Return the megabytes of a training: torch's own, and of each replica its weights, records and events' order."""
    section = candidate_of(wildcards).section["train"]
    return attempt * section["devices"] * (3000 + section["replicas"] // 2)


def gpus(wildcards):
    """Return the GPUs to ask for: with `device: auto` one, which a site without GPUs sets to 0 in its profile.

    None where the steps run on this machine and it has none: they would wait for one another for nothing.
    """
    here = workflow.is_main_process and workflow.local_exec and not workflow.dryrun
    none = config["device"] == "auto" and here and not any_here()
    return 0 if config["device"] == "cpu" or none else 1


def training_gpus(wildcards):
    """Return the GPUs of a training: one for each of its processes."""
    return gpus(wildcards) * candidate_of(wildcards).section["train"]["devices"]


def training_threads(wildcards):
    """Return the threads of a training: those of its processes, and one for each worker that loads data for them."""
    section = candidate_of(wildcards).section["train"]
    return section["devices"] * (section["threads"] + section["num_workers"])


def reserved_cores(wildcards):
    """Return the cores that are kept free during a benchmark."""
    return RUNS[wildcards.run]["benchmark"]["reserved_cores"]


def scan_points(wildcards):
    """Return 1 for a scan's point: in a job of many, a profile's limit of 1 makes their run times add up."""
    return 1 if wildcards.run in SCANS else 0


def training_group(wildcards):
    """Return the group of a scan's trainings, of which a profile puts many into one job; none to others."""
    return "scan" if wildcards.run in SCANS else None
