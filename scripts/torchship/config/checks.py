"""What a schema cannot say of a run: names that must exist, files, data and losses that fit together."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from torchship.config.naming import require_known
from torchship.config.targets import Targets, require_classes, require_environments
from torchship.config.tensor_checks import check_axes, check_tensors
from torchship.core.chain import recorded_of
from torchship.core.errors import ConfigError
from torchship.core.files import Json
from torchship.spec.objective import ON_LOGITS, terms_of, too_late
from torchship.spec.section import KINDS, GivenFile, Resolved, Train, Validate

# A limit above that share of an output's range needs a reason.
WIDEST_LIMIT = 0.01

# What the files of a run may be, by their endings.
ARRAYS = (".npz", ".safetensors")
MODELS = (".onnx",)
WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt")


def require_json(place: str, value: object) -> None:
    """Check that a value is what JSON can hold, since reports and checkpoints will.

    Raises:
        ConfigError: it is not: a date, NaN, an infinity, a mapping whose keys are not text.
    """
    try:
        same = json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError):
        same = False
    if not same:
        raise ConfigError(
            f"{place} is {value!r}: must be what JSON can hold (finite numbers, truth values, null, text, lists, and "
            "mappings with text as keys); put a date in quotes"
        )


def require_chosen(given: Json, default: Sequence[str]) -> None:
    """Check that the models that a user's configuration brings are run, unless it says itself which are.

    Args:
        given: what the user gave, without the defaults.
        default: the runs where it says none.

    Raises:
        ConfigError: one is not: another model would be run, and success be reported.
    """
    models = given.get("models")
    left = [str(name) for name in models if name not in default] if isinstance(models, Mapping) else []
    if left and "runs" not in given:
        raise ConfigError(
            f"models/{left[0]} is not among runs [{', '.join(default)}], the default: say which to run, as "
            f"`runs: [{', '.join(left)}]`"
        )


def check_run(run: str, section: Resolved, targets: Targets, project: Path) -> None:
    """Check what a schema cannot say of one run.

    Raises:
        ConfigError: an unknown target or network file, a target without its environment, an empty domain, axes or
            fractions that don't fit together.
    """
    place = f"models/{run}"
    for target in section["export"]["targets"]:
        require_known(target, targets, "export/targets", "target")
    require_classes({name: targets[name] for name in section["export"]["targets"]})
    require_environments(targets, section["export"]["targets"], project / "envs")
    if "network" in section:
        require_shapes(place, section)
    check_tensors(place, section, complete="network" in section)
    check_axes(place, section)
    check_validation(place, section["validate"])
    if "network" in section:
        networks = (path.stem for path in (project / "models").glob("*.py"))
        require_known(section["network"]["file"], networks, f"{place}/network/file", "network")
        require_json(f"{place}/network/arguments", section["network"].get("arguments", {}))
        if "weights" in section["network"]:
            require_file(f"{place}/network/weights", section["network"]["weights"], WEIGHTS)
        check_data(place, section)
        check_folds(place, section)
        check_batches(place, section["train"])
    else:
        check_file(place, section["onnx"])


def check_file(place: str, onnx: GivenFile) -> None:
    """Check that the files of a run from elsewhere exist, and that what they may be off by is off from something.

    Raises:
        ConfigError: one does not, or there is no reference.
    """
    require_file(f"{place}/onnx/file", onnx["file"], MODELS)
    reference = onnx.get("reference")
    if reference is not None:
        require_file(f"{place}/onnx/reference", reference, ARRAYS)
    elif "within" in onnx:
        raise ConfigError(
            f"{place}/onnx/within says how far outputs may be from a reference: give that in onnx/reference"
        )


def check_kind(run: str, entry: Resolved) -> None:
    """Check that a run either has a network or takes a file, and has no knobs of what it does not do.

    Raises:
        ConfigError: it does both, or neither, or has such knobs.
    """
    place = f"models/{run}"
    if ("network" in entry) == ("onnx" in entry):
        raise ConfigError(f"{place} must have either `network`, to train it, or `onnx`, to take a file from elsewhere")
    foreign = [section for section in ("data", "train", "scan", "extract") if "onnx" in entry and section in entry]
    if foreign:
        raise ConfigError(
            f"{place}/{foreign[0]}: an ONNX file from elsewhere is validated and timed, no more; remove it"
        )
    if "weights" in entry.get("network", {}):
        # Evaluation asks for the loss, and how starts are drawn stands with the model that the workflow brings.
        knobs = [f"train/{knob}" for knob in entry.get("train", {}) if knob not in ("loss", "weights")]
        unused = knobs + ["scan"] * ("scan" in entry)
        if unused:
            raise ConfigError(
                f"{place}/{unused[0]}: with network/weights nothing is trained here; remove one of the two"
            )


def require_file(place: str, path: str, suffixes: tuple[str, ...]) -> None:
    """Check that a file of a run is there, and may be what it must be.

    Raises:
        ConfigError: it is not there, or has another ending.
    """
    if Path(path).suffix not in suffixes:
        raise ConfigError(f"{place} is {path!r}: must end in {' or '.join(suffixes)}")
    if not Path(path).is_file():
        raise ConfigError(f"{place} is {path!r}: there is no such file, seen from {Path.cwd()}")


def require_outside(run: str, section: Resolved, results: Path) -> None:
    """Check that no file of a user lies among the results: each step would take it for another step's, and changed.

    Raises:
        ConfigError: one does, of which no record says that a step made it.
    """
    given = {
        "network/weights": section.get("network", {}).get("weights"),
        "data/path": section["data"]["path"],
        "onnx/file": section.get("onnx", {}).get("file"),
        "onnx/reference": section.get("onnx", {}).get("reference"),
    }
    for key, path in given.items():
        if path is not None and Path(path).is_relative_to(results) and recorded_of(Path(path)) is None:
            raise ConfigError(
                f"models/{run}/{key} is {path!r}: it was not made by this workflow, and lies where the results are; "
                f"move it out of {results}/"
            )


def has_data(section: Resolved) -> bool:
    """Tell whether a run has data: one that trains must, one with weights from elsewhere may."""
    data = section["data"]
    return "network" in section and (
        "weights" not in section["network"] or data["source"] != "file" or data["path"] is not None
    )


def require_shapes(place: str, section: Resolved) -> None:
    """Check that a network's inputs and outputs are declared, which an ONNX file would say itself.

    Raises:
        ConfigError: there are none, or one has no shape, or a type that torch has not.
    """
    for kind in KINDS:
        if not section[kind]:
            raise ConfigError(f"{place}/{kind} is {{}}: must hold at least 1")
        for name, tensor in section[kind].items():
            if "shape" not in tensor:
                raise ConfigError(f"missing key {place}/{kind}/{name}/shape; a network's tensors say their axes")
            if tensor.get("dtype") == "string":
                raise ConfigError(f"{place}/{kind}/{name}/dtype is 'string': torch has no tensors of strings")


def check_data(place: str, section: Resolved) -> None:
    """Check what only a run with a network has.

    Raises:
        ConfigError: see `check_run`.
    """
    data, required = section["data"], section["extract"]["required_accuracy"]
    if not has_data(section) and section["extract"]["handcode"] and required is not None:
        raise ConfigError(f"{place}/extract/required_accuracy is {required}, but there are no data: give data/path")
    if has_data(section) and data["source"] == "file":
        path = data["path"]
        if path is None:
            raise ConfigError(
                f"{place}/data/path is null: source `file` needs the path of an .npz or .safetensors file"
            )
        require_file(f"{place}/data/path", path, ARRAYS)
    if data["target"] in section["inputs"]:
        raise ConfigError(f"{place}/data/target is {data['target']!r}, which is an input's name too: rename one")
    if abs(sum(data["fractions"].values()) - 1.0) > 1e-9:
        raise ConfigError(f"{place}/data/fractions sum to {sum(data['fractions'].values())!r}: they must sum to 1")
    check_losses(place, section)
    check_units(place, section)
    surface = section["evaluate"]["surface"]
    if surface and not has_data(section):
        raise ConfigError(
            f"{place}/evaluate/surface is {surface}, but there are no data, whose events are plotted with it: give "
            "data/path, or set it to null"
        )
    if surface and not surface["low"] < surface["high"]:
        raise ConfigError(f"{place}/evaluate/surface: low {surface['low']} must be below high {surface['high']}")
    widths = [tensor["shape"][1:] for tensor in section["inputs"].values()]
    if surface and widths != [[2]]:
        raise ConfigError(f"{place}/evaluate/surface needs one input of shape [batch, 2]; set it to null")
    shapes = [tensor["shape"] for tensor in section["outputs"].values()]
    if surface and (len(shapes) != 1 or len(shapes[0]) != 2):
        raise ConfigError(f"{place}/evaluate/surface needs one output [batch, n], not {shapes}; set it to null")


def check_folds(place: str, section: Resolved) -> None:
    """Check that a run's data can be cut into folds, and that the mean of their networks can go on.

    Raises:
        ConfigError: it cannot.
    """
    folds = section["train"]["folds"]
    if folds == 1 or "weights" in section["network"]:
        return
    if section["data"]["source"] == "xor":
        raise ConfigError(
            f"{place}/train/folds is {folds}, but the truth table is the whole population: each fold would be trained "
            "on what it is validated on; set it to 1"
        )
    if section["extract"]["handcode"]:
        raise ConfigError(
            f"{place}/extract/handcode is true, but what ships is the mean of {folds} networks (train/folds), which "
            "the generator does not cover: set it to false"
        )
    for name, tensor in section["outputs"].items():
        if not tensor.get("dtype", "float32").startswith("float"):
            raise ConfigError(
                f"{place}/outputs/{name}/dtype is {tensor['dtype']}, of which the {folds} networks of train/folds have "
                "no mean: set folds to 1"
            )


def check_batches(place: str, train: Train) -> None:
    """Check that there is an event of every batch for each process.

    Raises:
        ConfigError: there is not.
    """
    if train["devices"] > train["batch_size"]:
        raise ConfigError(
            f"{place}/train/devices is {train['devices']}, but a batch has {train['batch_size']} events (batch_size): "
            "each process takes a share of every batch, so give it at least as many events as processes"
        )


def check_losses(place: str, section: Resolved) -> None:
    """Check that losses are those of outputs, and of targets that are no inputs.

    Raises:
        ConfigError: they are not.
    """
    loss = section["train"]["loss"]
    for name in loss if isinstance(loss, Mapping) else ():
        require_known(name, section["outputs"], f"{place}/train/loss", "output")
    for term in terms_of(section):
        if term.target in section["inputs"]:
            raise ConfigError(
                f"{place}/train/loss/{term.output}/target is {term.target!r}, which is an input: name an array of the "
                "data that the output should be"
            )


def check_units(place: str, section: Resolved) -> None:
    """Check that no output which is trained to be a probability has a loss that takes logits.

    Raises:
        ConfigError: one has.
    """
    for term in terms_of(section) if "weights" not in section["network"] else ():
        output = section["outputs"][term.output]
        if output.get("unit") == "probability" and term.function in ON_LOGITS:
            classes = output["shape"][-1]
            # Of any number of classes, the fewest: no others come lower.
            why = too_late(term.function, classes if isinstance(classes, int) else 2)
            raise ConfigError(f"{place}/outputs/{term.output}/unit is 'probability', and {why}; then change the unit")


def check_validation(place: str, validate: Validate) -> None:
    """Check that a loosened gate says why.

    Raises:
        ConfigError: it does not.
    """
    loosened = {
        "tolerance": (validate["tolerance"], 1.0),
        "widest_limit": (validate["widest_limit"], WIDEST_LIMIT),
    }
    for key, (value, usual) in loosened.items():
        if value > usual and validate["reason"] is None:
            raise ConfigError(
                f"{place}/validate/{key} is {value}: above {usual:g} the gate lets through more than rounding "
                "explains; say why in validate/reason, which is printed with the verdict"
            )
