"""What steps are given beside files, as functions of their run: code, knobs, and what they need to know."""


def source_code(script):
    """Give what a script and the library modules that it imports are: a parameter, so that an edit reruns the step.

    Snakemake itself looks at the script alone and at its date; profiles/default turns that off. As inputs, two dozen
    files for every job would take two thirds of the time in which a scan of thousands of points is planned.
    """
    path = BASE / "scripts" / f"{script}.py"
    modules = library_modules(path)
    return f"{script} and {len(modules)} modules: {digest(path, modules)}"


def knobs(*places):
    """Give a function that picks knobs of a run by their places: a step is given what it uses, and no more."""

    def picked(wildcards):
        section = {}
        for place in places:
            *parents, last = place.split("/")
            inner, source = section, section_of(wildcards.run)
            for key in parents:
                inner, source = inner.setdefault(key, {}), source[key]
            # A run with a file from elsewhere has no network.
            if last in source:
                inner[last] = source[last]
        return section

    return picked


def neighbours(wildcards):
    """Give what stands for the files in models/ that a run's network imports, or those of its scan's points do.

    A parameter, so that an edit of one reruns what reads the network. After a scan the network's file has them in it.
    """
    if wildcards.run in SCANS:
        return ""
    file = section_of(wildcards.run).get("network", {}).get("file")
    return neighbours_digest(BASE / f"models/{file}.py") if file else ""


def scanned_neighbours(wildcards):
    """Give the same for all networks of a scan's points."""
    return [neighbours_digest(Path(path)) for path in scanned_networks(wildcards)]


def target_arrays(wildcards):
    """Give the arrays that the outputs of a run should be, in any point of its scan."""
    sections = [RUNS[wildcards.run], *SCANS.get(wildcards.run, {}).values()]
    return sorted({name for section in sections for name in training_targets(section)})


def scan_point(wildcards):
    """Give what a run changes if it is a point of a scan, by place."""
    return section_of(wildcards.run).get("point", {})


def export_targets(wildcards):
    """Give the targets that a run is exported to, as a step is given them."""
    return targets_of(wildcards.run)


def translation_opsets(wildcards):
    """Give the operator sets that a run's network is translated to, of which the files of all its targets are made."""
    section = section_of(wildcards.run)["export"]
    targets = [config["targets"][name] for name in section["targets"]]
    return natives(file_opset(section["opset"], target) for target in targets)


def points_digest(wildcards):
    """Give what stands for the points of a run's scan and their order."""
    return sha256("\n".join(SCANS[wildcards.run]).encode()).hexdigest()[:16]


def claims(wildcards, output):
    """Give what says of a run that all is well, which a failing gate takes away."""
    # results/<run>/validate/<target>/validation.json, where a point's run has folders of its own.
    results = Path(output.validation).parents[2 + len(Path(wildcards.run).parts)]
    pages = ["validate/gate.html", "summary.html"]
    # The archive has no points.
    archive = [results / "archive" / "verified.json"] if wildcards.run in RUNS else []
    return [
        *(str(results / wildcards.run / page) for page in pages),
        *map(str, archive),
    ]
