"""Files that a step is given, as functions of its run and target."""


def network_file(wildcards):
    """Give the file of a run's network: that of the best point, if it has a scan."""
    if wildcards.run in SCANS:
        return f"<results>/{wildcards.run}/scan/network.py"
    return project(f"models/{section_of(wildcards.run)['network']['file']}.py")


def best_point(wildcards):
    """Give the file that says which point of a run's scan is the best, if it has a scan."""
    return f"<results>/{wildcards.run}/scan/best.json" if wildcards.run in SCANS else []


def point_trainings(wildcards):
    """Give the report of each point's training."""
    return [f"<results>/{run}/train/training.json" for run in SCANS[wildcards.run]]


def scanned_networks(wildcards):
    """Give the files of the networks that a scan's points train."""
    names = {section["network"]["file"] for section in SCANS[wildcards.run].values()}
    return [project(f"models/{name}.py") for name in sorted(names)]


def scan_pictures(wildcards):
    """Give the picture of each scan; stop where there is none, or who mistyped the key would be told all is done."""
    if not SCANS:
        raise WorkflowError(
            "ConfigError: no run has a scan: say under scan/grid or scan/points of the configuration what to change"
        )
    return collected([rules.plot_scan.output.png], SCANS)


def data_of(*names):
    """Give a function that gives some of a run's sets and its datasheet; all points of a scan train on the same."""

    def files(wildcards):
        endings = {name: "safetensors" for name in names} | {"datasheet": "json"}
        folder = f"<results>/{model_of(wildcards.run)}/data"
        return {name: f"{folder}/{name}.{ending}" for name, ending in endings.items()}

    return files


def weights_file(wildcards):
    """Give the file that a run's weights come from, which were trained elsewhere."""
    return RUNS[wildcards.run]["network"]["weights"]


def data_if_any(*names):
    """Give a function that gives the same as `data_of`, nothing where a run has no data."""

    def files(wildcards):
        has = model_of(wildcards.run) in WITH_DATA
        return data_of(*names)(wildcards) if has else {}

    return files


def data_file(wildcards):
    """Give the file that a run's data come from, none if they are made."""
    return RUNS[wildcards.run]["data"]["path"] or []


def runtime_pins(wildcards):
    """Give the environment file of the ONNX Runtime that a target ships."""
    return project(f"envs/{pins_of(config['targets'], wildcards.target)}")


def runtime_environment(wildcards):
    """Give the same file as `conda:` wants it, whose relative paths are seen from the rules."""
    return str(BASE / "envs" / pins_of(config["targets"], wildcards.target))


def given_files(wildcards):
    """Give the ONNX file of a run that was made elsewhere, and its reference outputs, if there are any."""
    files = {
        "onnx": RUNS[wildcards.run]["onnx"]["file"],
        "reference": RUNS[wildcards.run]["onnx"].get("reference"),
    }
    return {key: path for key, path in files.items() if path is not None}


def weights_beside(wildcards):
    """Give the files beside an ONNX file that hold its weights, as far as their names say so."""
    file = Path(RUNS[wildcards.run]["onnx"]["file"])
    names = [f"{file.name}.data", f"{file.name}_data", f"{file.stem}.data"]
    return [
        str(file.with_name(name)) for name in names if file.with_name(name).is_file()
    ]


def description(wildcards):
    """Give what says what the inputs and outputs of a file from elsewhere are."""
    if model_of(wildcards.run) not in GIVEN:
        return {}
    return {"description": f"<results>/{wildcards.run}/model/description.json"}


def handcoded(wildcards):
    """Give the extracted weights and the generated code, where the generator covers the network."""
    if model_of(wildcards.run) not in COVERED:
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
    """Give the files that say what a run's exported file must compute."""
    if wildcards.run in GIVEN:
        adopted = {"onnx": f"<results>/{wildcards.run}/model/model.onnx"}
        return {**given_files(wildcards), **adopted, **description(wildcards)}
    return {
        "network": network_file(wildcards),
        "trained": f"<results>/{wildcards.run}/train/weights.safetensors",
        **handcoded(wildcards),
    }


def scan_result(wildcards):
    """Give what a run's scan found, if it has one."""
    return {"scan": best_point(wildcards)} if wildcards.run in SCANS else {}


def metrics_if_any(wildcards):
    """Give the metrics of a run, where it has data."""
    path = f"<results>/{wildcards.run}/evaluate/metrics.json"
    return {"metrics": path} if wildcards.run in WITH_DATA else {}


def runtimes_for(wildcards):
    """Give the runtimes that a target's file is run in."""
    names = runtimes_of(config["targets"], wildcards.target)
    return [f"<results>/runtimes/{name}.json" for name in names]


def timed(path):
    """Give a function that gives a file of the target that is timed: today's runtime takes the files of all."""

    def file(wildcards):
        targets = targets_of(wildcards.run)
        target = "latest" if "latest" in targets else targets[0]
        return expand(path, target=target, allow_missing=True)

    return file
