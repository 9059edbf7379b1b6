"""The configuration: checked against its schema, and resolved into one complete section a run.

Read by the workflow while it is planned, in Snakemake's own environment, never by a step.
"""

import difflib
import functools
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from jsonschema.exceptions import ValidationError
from torchship.errors import ConfigError
from torchship.targets import require_environments

# jsonschema takes 500.0 for an integer, and range() does not.
CHECKER = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
).redefine(
    # YAML spells .nan and .inf; no knob means them.
    "number",
    lambda _, value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
)
Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=CHECKER)

# What a model's entry may override.
SECTIONS = ("data", "train", "evaluate", "extract", "export", "validate", "benchmark")


def resolve(config: dict[str, Any], schema: dict[str, Any], project: Path) -> dict[str, dict[str, Any]]:
    """Check a configuration and give a complete section for each of its runs.

    Args:
        config: the merged configuration, `targets` included.
        schema: schemas/config.schema.yaml as a document.
        project: the folder that has the networks in models/, and the environments in envs/.

    Raises:
        ConfigError: the first thing that is wrong, by place in the document.
    """
    take_values_from_text(config, schema)
    check(config, schema)
    runs = {}
    for run in config["runs"]:
        require_known(run, config["models"], "runs", "model")
        entry = config["models"][run]
        merged = {section: merge(config[section], entry.get(section, {})) for section in SECTIONS}
        runs[run] = {**entry, **merged, "seed": config["seed"], "device": config["device"]}
        check(runs[run], {"$defs": schema["$defs"], "$ref": "#/$defs/run"}, at=f"models/{run}/")
        check_run(run, runs[run], config["targets"], project)
    return runs


def take_values_from_text(config: dict[str, Any], schema: dict[str, Any]) -> None:
    """Turn text into the number, truth value or null that the schema wants there, in place.

    Snakemake hands on nested values of its command line, as in `--config 'train={epochs: 5}'`, as text, and YAML 1.1
    takes 1e-3 for text because it has no point.
    """
    for error in list(Validator(schema).iter_errors(config)):
        if error.validator == "type" and isinstance(error.instance, str):
            value = parse(error.instance)
            if Validator({"type": error.validator_value}).is_valid(value):
                *parents, last = error.absolute_path
                functools.reduce(lambda inner, key: inner[key], parents, config)[last] = value


def parse(text: str) -> Any:
    """Give what a text spells in YAML, or as a floating-point number, or the text itself."""
    try:
        value = yaml.safe_load(text)
        return float(value) if isinstance(value, str) else value
    except (ValueError, yaml.YAMLError):
        return text


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Give `base` with `changes` laid over it, mappings merged key by key, all else replaced."""
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = merge(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def check(document: Any, schema: dict[str, Any], at: str = "") -> None:
    """Check a document against a schema.

    Raises:
        ConfigError: one line that names the key by its path from the top and what is allowed there.
    """
    errors = sorted(Validator(schema).iter_errors(document), key=lambda error: [str(part) for part in error.path])
    if errors:
        raise ConfigError(describe(errors[0], at))


def describe(error: ValidationError, at: str = "") -> str:
    """Say in one line what a schema violation is, where, and what is allowed."""
    place = at + "/".join(str(part) for part in error.absolute_path)
    rule, value = error.validator_value, error.instance
    match error.validator:
        case "additionalProperties":
            allowed = error.schema["properties"]
            unknown = sorted(str(key) for key in set(value) - set(allowed))[0]
            keys = ", ".join(sorted(allowed))
            return f"unknown key {f'{place}/{unknown}'.lstrip('/')}{suggest(unknown, allowed)}; allowed here: {keys}"
        case "required":
            missing = next(key for key in rule if key not in value)
            return f"missing key {f'{place}/{missing}'.lstrip('/')}; see config.yaml for its default"
        case "type":
            kinds = " or ".join([rule] if isinstance(rule, str) else rule)
            wanted = f"must be of type {kinds}" + (", finite" if "number" in kinds else "")
        case "enum":
            wanted = "must be one of " + ", ".join(map(str, rule))
            wanted += suggest(str(value), map(str, rule))
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            wanted = "must be " + bounds(error.schema)
        case "pattern":
            wanted = f"must match the pattern {rule}"
        case "uniqueItems":
            wanted = "must not hold anything twice"
        case "minItems" | "minProperties" | "minLength":
            wanted = f"must hold at least {rule}"
        case _:
            wanted = error.message
    meaning = error.schema.get("description", "").rstrip(".") if isinstance(error.schema, dict) else ""
    return f"{place} is {value!r}: {wanted}" + (f" ({meaning[0].lower()}{meaning[1:]})" if meaning else "")


def bounds(schema: Mapping[str, Any]) -> str:
    """Spell a schema's numeric limits: 'an integer, >= 1 and <= 10'."""
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = " and ".join(f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema)
    return f"{'an integer' if schema.get('type') == 'integer' else 'a number'} {limits}"


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Give ' (did you mean …?)' if something known is close to what was written, else ''."""
    close = difflib.get_close_matches(wrong, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def require_known(name: str, known: Iterable[str], place: str, kind: str) -> None:
    """Check that a name is known.

    Raises:
        ConfigError: it is not; the message lists what is.
    """
    names = sorted(known)
    if name not in names:
        raise ConfigError(f"{place}: unknown {kind} {name!r}{suggest(name, names)}; known: {', '.join(names)}")


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
    networks = (path.stem for path in (project / "models").glob("*.py"))
    require_known(section["network"]["file"], networks, f"{place}/network/file", "network")
    check_tensors(place, section)
    check_validation(place, section["validate"])
    data = section["data"]
    if data["source"] == "file" and data["path"] is None:
        raise ConfigError(f"{place}/data/path is null: source `file` needs the path of an .npz or .safetensors file")
    if data["target"] in section["inputs"]:
        raise ConfigError(f"{place}/data/target is {data['target']!r}, which is an input's name too: rename one")
    if abs(sum(data["fractions"].values()) - 1.0) > 1e-9:
        raise ConfigError(f"{place}/data/fractions sum to {sum(data['fractions'].values())!r}: they must sum to 1")
    surface = section["evaluate"]["surface"]
    if surface and not surface["low"] < surface["high"]:
        raise ConfigError(f"{place}/evaluate/surface: low {surface['low']} must be below high {surface['high']}")
    widths = [tensor["shape"][1:] for tensor in section["inputs"].values()]
    if surface and widths != [[2]]:
        raise ConfigError(f"{place}/evaluate/surface needs one input of shape [batch, 2]; set it to null")


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
        if tensor["shape"][0] != "batch":
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
