"""Files that earlier steps have made, as functions of a step's run and target."""


def network_checked(wildcards):
    """Return the file that says that a candidate's network runs."""
    key = network_key(candidate_of(wildcards).section)
    return f"<results>/{wildcards.run}/networks/{key}.json"


def candidate_trainings(wildcards):
    """Return the report of each candidate's training."""
    return [
        f"<results>/{wildcards.run}/candidates/{name}/training.json"
        for name in CANDIDATES[wildcards.run]
    ]


def scan_pictures(wildcards):
    """Return the picture of each scan; stop where there is none, or who mistyped the key would be told all is done."""
    if not SCANS:
        raise WorkflowError(
            "ConfigError: no run has a scan: say under scan/grid or scan/points of the configuration what to change"
        )
    return collected([rules.plot_scan.output.png], SCANS)


def data_of(*names):
    """Return a function that returns some of a run's sets and its datasheet; all candidates train on the same."""

    def files(wildcards):
        endings = {name: "safetensors" for name in names} | {"datasheet": "json"}
        folder = f"<results>/{wildcards.run}/data"
        return {name: f"{folder}/{name}.{ending}" for name, ending in endings.items()}

    return files


def data_if_any(*names):
    """Return a function that returns the same as `data_of`, nothing where a run has no data."""

    def files(wildcards):
        return data_of(*names)(wildcards) if wildcards.run in WITH_DATA else {}

    return files


def shipped(wildcards):
    """Return what ships: model.json, and the files beside it that it is of."""
    folder = f"<results>/{wildcards.run}/model"
    if wildcards.run in GIVEN:
        return {"shipped": f"{folder}/model.json", "onnx": f"{folder}/model.onnx"}
    return {
        "shipped": f"{folder}/model.json",
        "network": f"{folder}/network.py",
        "trained": f"{folder}/weights.safetensors",
    }


def handcoded(wildcards):
    """Return the extracted weights and the generated code, where the generator covers the network."""
    if wildcards.run not in COVERED:
        return {}
    folder = f"<results>/{wildcards.run}/extract"
    names = {
        "weights": "weights.json",
        "python": "reference.py",
        "header": "reference.hpp",
        # Checked before it is a witness.
        "check": "check.json",
    }
    return {key: f"{folder}/{name}" for key, name in names.items()}


def witnesses(wildcards):
    """Return the files that say what a run's exported file must compute."""
    beside = given_files(wildcards) if wildcards.run in GIVEN else handcoded(wildcards)
    # What ships, not what came.
    return {**beside, **shipped(wildcards)}


def exported_from(wildcards):
    """Return what a run's exported files are made of: a translated network, or a file from elsewhere."""
    if wildcards.run in GIVEN:
        return shipped(wildcards)
    folder = f"<results>/{wildcards.run}/export"
    return {
        "shipped": shipped(wildcards)["shipped"],
        "program": f"{folder}/translated.zip",
        "translated": f"{folder}/translated.json",
    }


def metrics_if_any(wildcards):
    """Return the metrics of a run, where it has data."""
    path = f"<results>/{wildcards.run}/evaluate/metrics.json"
    return {"metrics": path} if wildcards.run in WITH_DATA else {}


def training_if_any(wildcards):
    """Return how a run's network was trained, here or elsewhere."""
    path = f"<results>/{wildcards.run}/train/training.json"
    return {"training": path} if wildcards.run in NETWORKS else {}


def runtimes_for(wildcards):
    """Return the runtimes that a target's file is run in."""
    names = runtimes_of(config["targets"], wildcards.target)
    return [f"<results>/runtimes/{name}.json" for name in names]


def timed(path):
    """Return a function that returns a file of the target that is timed: today's runtime takes the files of all."""

    def file(wildcards):
        targets = targets_of(wildcards.run)
        target = "latest" if "latest" in targets else targets[0]
        # One file, no list of one.
        return expand(path, target=target, allow_missing=True)[0]

    return file
