"""Files that come with the project or from a user, as functions of a step's run and target."""


def network_file(wildcards):
    """Return the file of the network that a candidate trains."""
    section = candidate_of(wildcards).section
    return project(f"models/{section['network']['file']}.py")


def file_to_check(wildcards):
    """Return the file of a network that is checked."""
    section = distinct_networks(wildcards.run)[wildcards.key]
    return project(f"models/{section['network']['file']}.py")


def candidate_networks(wildcards):
    """Return the files of the networks that a run's candidates train."""
    candidates = CANDIDATES[wildcards.run].values()
    names = {candidate.section["network"]["file"] for candidate in candidates}
    return [project(f"models/{name}.py") for name in sorted(names)]


def weights_file(wildcards):
    """Return the file that a run's weights come from, which were trained elsewhere."""
    return RUNS[wildcards.run]["network"]["weights"]


def data_file(wildcards):
    """Return the file that a run's data come from, none if they are made."""
    return RUNS[wildcards.run]["data"]["path"] or []


def given_files(wildcards):
    """Return the ONNX file of a run that was made elsewhere, and its reference outputs, if there are any."""
    files = {
        "onnx": RUNS[wildcards.run]["onnx"]["file"],
        "reference": RUNS[wildcards.run]["onnx"].get("reference"),
    }
    return {key: path for key, path in files.items() if path is not None}


def weights_beside(wildcards):
    """Return the files beside an ONNX file that hold its weights, as far as their names say so."""
    file = Path(RUNS[wildcards.run]["onnx"]["file"])
    names = [f"{file.name}.data", f"{file.name}_data", f"{file.stem}.data"]
    return [
        str(file.with_name(name)) for name in names if file.with_name(name).is_file()
    ]


def packages_of_steps(wildcards):
    """Return the environment files of the steps that make what ships, of a file from elsewhere those that judge it."""
    names = ["gate", "export", *(["torch"] if wildcards.run in NETWORKS else [])]
    return [project(f"envs/{name}.yaml") for name in sorted(names)]


def runtime_pins(wildcards):
    """Return the environment file of the ONNX Runtime that a target ships."""
    return project(f"envs/{pins_of(config['targets'], wildcards.target)}")


def runtime_environment(wildcards):
    """Return the same file as `conda:` wants it, whose relative paths are seen from the rules."""
    return str(BASE / "envs" / pins_of(config["targets"], wildcards.target))
