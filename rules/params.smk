"""What steps are given beside files, as functions of their run: code, knobs, and what they need to know."""


def source_code(script):
    """Return what a script and the library modules that it imports are: a parameter, so that an edit reruns the step.

    Snakemake itself looks at the script alone and at its date; profiles/default turns that off. As inputs, two dozen
    files for every job would take two thirds of the time in which a scan of thousands of points is planned.
    """
    path = BASE / "scripts" / f"{script}.py"
    modules = library_modules(path)
    return f"{script} and {len(modules)} modules: {digest(path, modules)}"


def knobs(*places):
    """Return a function that picks knobs of a run by their places: a step is given what it uses, and no more."""

    def picked(wildcards):
        return picked_from(RUNS[wildcards.run], places)

    return picked


def candidate_knobs(*places):
    """Return a function that picks knobs of a candidate."""

    def picked(wildcards):
        return picked_from(candidate_of(wildcards).section, places)

    return picked


def picked_from(section, places):
    """Return the knobs of a section that have these places; a run with a file from elsewhere has no network."""
    picked = {}
    for place in places:
        *parents, last = place.split("/")
        inner, source = picked, section
        for key in parents:
            inner, source = inner.setdefault(key, {}), source[key]
        if last in source:
            inner[last] = source[last]
    return picked


def failed_tries(folder):
    """Return a function that returns what stands for a step's failed tries, by the folder that it writes in."""

    def found(wildcards):
        return tries(
            Path(config["pathvars"]["results"]) / folder.format(**dict(wildcards))
        )

    return found


def neighbours(wildcards):
    """Return what stands for the files in models/ that a candidate's network imports.

    A parameter, so that an edit of one reruns what reads the network. What ships has them in its network.py.
    """
    return digest_beside(network_file(wildcards))


@cache
def digest_beside(path):
    """Return what stands for the files that a network's file imports: thousands of points share one."""
    return neighbours_digest(Path(path))


def networks_to_check(wildcards):
    """Return the knobs of a network that is checked."""
    section = distinct_networks(wildcards.run)[wildcards.key]
    return [picked_from(section, ("network", "train/loss"))]


def neighbours_to_check(wildcards):
    """Return what stands for the files that a network that is checked imports."""
    return digest_beside(file_to_check(wildcards))


def all_neighbours(wildcards):
    """Return the same for all networks of a run's candidates."""
    return [digest_beside(path) for path in candidate_networks(wildcards)]


def target_arrays(wildcards):
    """Return the arrays that the outputs of a run should be, for any of its candidates."""
    sections = all_sections(wildcards.run)
    return sorted({name for section in sections for name in training_targets(section)})


def targets_wanted(wildcards):
    """Return the same with the losses that take them, each way once."""
    sections = all_sections(wildcards.run)
    ways = (way for section in sections for way in wanted_of(section))
    return list({json.dumps(way): way for way in ways}.values())


def scan_point(wildcards):
    """Return what a candidate changes if it is a point of a scan, by place."""
    return candidate_of(wildcards).section.get("point", {})


def candidates_digest(wildcards):
    """Return what stands for a run's candidates and their order."""
    names = "\n".join(CANDIDATES[wildcards.run])
    return sha256(names.encode()).hexdigest()[:16]


def candidate_points(wildcards, input):
    """Return the point of each candidate, in the order of the input: not recorded then, since they may be thousands."""
    candidates = CANDIDATES[wildcards.run]
    return {name: candidate.point for name, candidate in candidates.items()}


def claims(wildcards, output):
    """Return what says of a run that all is well, which each step from the model to the gate takes away first."""
    results, run = Path(config["pathvars"]["results"]), wildcards.run
    pages = [f"{run}/validate/gate.html", f"{run}/summary.html"]
    pages += [f"{run}/deliver/card/{name}" for name in ("README.md", "card.html")]
    pages += [f"{run}/deliver/cpp/README.md"]
    pages += [f"{run}/deliver/cmssw/{one}/README.md" for one in cmssw_targets_of(run)]
    return [str(results / path) for path in [*pages, "archive/verified.json"]]
