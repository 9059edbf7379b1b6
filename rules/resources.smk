"""What steps ask for: resources as functions of the run and of the try."""


def growing(amount):
    """Give a resource that grows with each try: what ran out of memory or time gets more of it."""

    def grown(wildcards, attempt):
        return attempt * amount

    return grown


def training_memory(wildcards, attempt):
    """Give the megabytes of a training: torch's own, and of each replica its weights, records and events' order."""
    return attempt * (3000 + RUNS[wildcards.run]["train"]["replicas"] // 2)


def gpus(wildcards):
    """Give the GPUs to ask for: with `device: auto` one, which a site without GPUs sets to 0 in its profile."""
    return 0 if config["device"] == "cpu" else 1


def training_threads(wildcards):
    """Give the threads of a training: its own, and one for each worker that loads data."""
    section = RUNS[wildcards.run]["train"]
    return section["threads"] + section["num_workers"]
