"""What a schema cannot say of a run: names that must exist, files, domains, axes that fit together."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torchship.errors import ConfigError
from torchship.naming import suggest
from torchship.objective import terms_of
from torchship.targets import require_environments

# What the files of a run may be, by their endings.
ARRAYS = (".npz", ".safetensors")
SUFFIXES = {"file": (".onnx",), "reference": ARRAYS}


def require_known(name: str, known: Iterable[str], place: str, kind: str) -> None:
    """Check that a name is known.

    Raises:
        ConfigError: it is not; the message lists what is.
    """
    names = sorted(known)
    if name not in names:
        raise ConfigError(f"{place}: unknown {kind} {name!r}{suggest(name, names)}; known: {', '.join(names)}")


def require_json(place: str, value: Any) -> None:
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


def check_run(run: str, section: dict[str, Any], targets: Mapping[str, Any], project: Path) -> None:
    """Check what a schema cannot say of one run.

    Raises:
        ConfigError: an unknown target or network file, a target without its environment, an empty domain, axes or
            fractions that don't fit together.
    """
    place = f"models/{run}"
    for target in section["export"]["targets"]:
        require_known(target, targets, "export/targets", "target")
    require_environments(targets, section["export"]["targets"], project / "envs")
    check_tensors(place, section)
    check_validation(place, section["validate"])
    if "network" in section:
        networks = (path.stem for path in (project / "models").glob("*.py"))
        require_known(section["network"]["file"], networks, f"{place}/network/file", "network")
        require_json(f"{place}/network/arguments", section["network"].get("arguments", {}))
        check_training(place, section)
    else:
        for key, path in section["onnx"].items():
            if path is not None:
                require_file(f"{place}/onnx/{key}", path, SUFFIXES[key])


def check_kind(run: str, entry: Mapping[str, Any]) -> None:
    """Check that a run either trains a network or takes a file, and has no knobs of what it does not do.

    Raises:
        ConfigError: it does both, or neither, or has such knobs.
    """
    place = f"models/{run}"
    if ("network" in entry) == ("onnx" in entry):
        raise ConfigError(f"{place} must have either `network`, to train it, or `onnx`, to take a file from elsewhere")
    unused = [section for section in ("data", "train", "scan", "extract") if "onnx" in entry and section in entry]
    if unused:
        raise ConfigError(
            f"{place}/{unused[0]}: an ONNX file from elsewhere is validated and timed, no more; remove it"
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


def check_training(place: str, section: Mapping[str, Any]) -> None:
    """Check what only a run that trains has.

    Raises:
        ConfigError: see `check_run`.
    """
    data = section["data"]
    if data["source"] == "file" and data["path"] is None:
        raise ConfigError(f"{place}/data/path is null: source `file` needs the path of an .npz or .safetensors file")
    if data["source"] == "file":
        require_file(f"{place}/data/path", data["path"], ARRAYS)
    if data["target"] in section["inputs"]:
        raise ConfigError(f"{place}/data/target is {data['target']!r}, which is an input's name too: rename one")
    if abs(sum(data["fractions"].values()) - 1.0) > 1e-9:
        raise ConfigError(f"{place}/data/fractions sum to {sum(data['fractions'].values())!r}: they must sum to 1")
    check_batches(place, section["train"])
    check_losses(place, section)
    surface = section["evaluate"]["surface"]
    if surface and not surface["low"] < surface["high"]:
        raise ConfigError(f"{place}/evaluate/surface: low {surface['low']} must be below high {surface['high']}")
    widths = [tensor["shape"][1:] for tensor in section["inputs"].values()]
    if surface and widths != [[2]]:
        raise ConfigError(f"{place}/evaluate/surface needs one input of shape [batch, 2]; set it to null")


def check_batches(place: str, train: Mapping[str, Any]) -> None:
    """Check that there is an event of every batch for each process.

    Raises:
        ConfigError: there is not.
    """
    if train["devices"] > train["batch_size"]:
        raise ConfigError(
            f"{place}/train/devices is {train['devices']}, but a batch has {train['batch_size']} events (batch_size): "
            "each process takes a share of every batch, so give it at least as many events as processes"
        )


def check_losses(place: str, section: Mapping[str, Any]) -> None:
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


def check_validation(place: str, validate: Mapping[str, Any]) -> None:
    """Check that a loosened gate says why.

    Raises:
        ConfigError: it does not.
    """
    if validate["tolerance"] > 1.0 and validate["reason"] is None:
        raise ConfigError(
            f"{place}/validate/tolerance is {validate['tolerance']}: above 1 the gate lets through more than rounding "
            "explains; say why in validate/reason, which is printed with the verdict"
        )


def check_tensors(place: str, section: Mapping[str, Any]) -> None:
    """Check all declared inputs and outputs.

    Raises:
        ConfigError: see `check_tensor` and `check_domain`; or a name is that of an input and of an output, or the
            first axis of an input is not the batch.
    """
    for kind in ("inputs", "outputs"):
        for name, tensor in section[kind].items():
            check_tensor(f"{place}/{kind}/{name}", tensor)
    for name, tensor in section["inputs"].items():
        check_domain(f"{place}/inputs/{name}", tensor, dynamic_axes(section["inputs"]))
        if "network" in section and tensor["shape"][0] != "batch":
            raise ConfigError(
                f"{place}/inputs/{name}/shape is {tensor['shape']}: the first axis of what is trained on must be batch"
            )
    both = section["inputs"].keys() & section["outputs"].keys()
    if both:
        raise ConfigError(f"{place}: {min(both)!r} is the name of an input and of an output: rename one")


def check_tensor(place: str, tensor: Mapping[str, Any]) -> None:
    """Check that a declared tensor makes sense in itself.

    Raises:
        ConfigError: its domain is empty, or it names another number of features than it has.
    """
    shape, features = tensor["shape"], tensor.get("features")
    if "low" in tensor and not tensor["low"] < tensor["high"]:
        raise ConfigError(f"{place}: low {tensor['low']} must be below high {tensor['high']}")
    if features is not None and len(features) != shape[-1]:
        raise ConfigError(f"{place}/features names {len(features)}, but the last axis of {shape} has {shape[-1]}")


def check_domain(place: str, tensor: Mapping[str, Any], axes: list[str]) -> None:
    """Check that an input says where its values lie, in one of the three ways.

    Raises:
        ConfigError: it says nothing, or two things; it indexes an axis that no input has, or with floats.
    """
    integer = tensor.get("dtype", "float32") != "float32"
    ways = [key for key in ("low", "values", "indexes") if key in tensor]
    if len(ways) != 1 or ("low" in tensor) != ("high" in tensor):
        raise ConfigError(f"{place} must say where its values lie: low and high, or values, or indexes; it has {ways}")
    if "indexes" in tensor and (tensor["indexes"] not in axes or not integer):
        raise ConfigError(
            f"{place}/indexes is {tensor['indexes']!r}: it must be a dynamic axis of an input ({', '.join(axes)}), and "
            "the input of dtype int64 or int32"
        )
    numbers = tensor.get("values") or [tensor.get("low", 0), tensor.get("high", 0)]
    if integer and any(number != int(number) for number in numbers):
        raise ConfigError(f"{place} is of dtype {tensor['dtype']}, but its domain holds {numbers}")


def dynamic_axes(inputs: Mapping[str, Any]) -> list[str]:
    """Give the names of all dynamic axes."""
    return sorted({axis for tensor in inputs.values() for axis in tensor["shape"] if isinstance(axis, str)})
