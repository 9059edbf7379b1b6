"""The configuration: checked against its schema, and resolved into one complete section a run.

Read by the workflow while it is planned, in Snakemake's own environment, never by a step.
"""

import functools
import math
import re
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError
from torchship.config.checks import check_kind, check_run, require_outside
from torchship.config.domain_checks import spelled_out
from torchship.config.naming import require_known, suggest
from torchship.config.network_signature import arguments_from_text, check_arguments
from torchship.config.texts import parse
from torchship.core.errors import ConfigError
from torchship.core.files import Json
from torchship.spec.section import KINDS, Resolved

# jsonschema takes 500.0 for an integer, and range() does not.
CHECKER = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
).redefine(
    # YAML spells .nan and .inf; no knob means them.
    "number",
    lambda _, value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
)
Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=CHECKER)

# The names of models, networks, axes and targets, as the schema has them and in words.
WORD = r"^[a-z][a-z0-9_]*\Z"
WORD_SPELLED = "a word of lower-case letters, digits and _"

# What a model's entry may override.
SECTIONS = ("data", "train", "scan", "evaluate", "extract", "export", "validate", "benchmark", "deliver")
NO_POINTS = {"grid": {}, "points": [], "ship": "best"}
# What a model's scan may say of the points for all.
OF_ALL = {"metric", "ship"}


def resolve(config: Json, schema: Json, project: Path) -> dict[str, Resolved]:
    """Check a configuration and give a complete section for each of its runs.

    Args:
        config: the merged configuration, `targets` included.
        schema: schemas/config.schema.yaml as a document.
        project: the folder that has the networks in models/, and the environments in envs/.

    Raises:
        ConfigError: the first thing that is wrong, by place in the document.
    """
    take_values_from_text(config, schema)
    take_numbers_of_values(config)
    check(config, schema)
    runs: dict[str, Resolved] = {}
    for run in config["runs"]:
        require_known(run, config["models"], "runs", "model")
        entry = config["models"][run]
        if "arguments" in entry.get("network", {}):
            entry["network"]["arguments"] = arguments_from_text(entry["network"], project)
        merged = {section: merge(config[section], entry.get(section, {})) for section in SECTIONS}
        scan = entry.get("scan", {"metric": config["scan"]["metric"]})
        if not scan or set(scan) - OF_ALL:
            # A model's points are its own, not those that hold for all and these.
            merged["scan"] = {**NO_POINTS, "metric": config["scan"]["metric"], **scan}
        check_kind(run, entry)
        # What is left out of a file from elsewhere, the step that adopts it reads there.
        said: Json = {"inputs": {}, "outputs": {}} if "onnx" in entry else {}
        if "weights" in entry.get("network", {}):
            merged["scan"] = {**NO_POINTS, "metric": config["scan"]["metric"]}
        resolved: Any = {"axes": {}, **said, **entry, **merged, "seed": config["seed"], "device": config["device"]}
        check(resolved, {"$defs": schema["$defs"], "$ref": "#/$defs/run"}, at=f"models/{run}/")
        check_run(run, resolved, config["targets"], project)
        require_outside(run, resolved, Path(config["pathvars"]["results"]))
        runs[run] = resolved
        for kind in KINDS:
            runs[run][kind] = {
                name: spelled_out(f"models/{run}/{kind}/{name}", tensor) for name, tensor in runs[run][kind].items()
            }
        if "network" in entry:
            check_arguments(f"models/{run}/network/arguments", entry["network"], project)
    return runs


def take_values_from_text(config: Json, schema: Json) -> None:
    """Turn text into the number, truth value or null that the schema wants there, or one of several, in place.

    Snakemake hands on nested values of its command line, as in `--config 'train={epochs: 5}'`, as text, and YAML 1.1
    takes 1e-3 for text because it has no point.
    """
    checker = Validator(schema)
    for error in list(checker.iter_errors(config)):
        if error.validator in ("type", "anyOf") and isinstance(error.instance, str):
            value = parse(error.instance)
            if checker.evolve(schema={error.validator: error.validator_value}).is_valid(value):
                *parents, last = error.absolute_path
                functools.reduce(lambda inner, key: inner[key], parents, config)[last] = value


def take_numbers_of_values(config: Json) -> None:
    """Turn text among an input's `values` into numbers, in place, where its declared type has no text."""
    models = config.get("models", {})
    for model in models.values() if isinstance(models, dict) else ():
        inputs = model.get("inputs", {}) if isinstance(model, dict) else {}
        for tensor in inputs.values() if isinstance(inputs, dict) else ():
            if not isinstance(tensor, dict) or not isinstance(tensor.get("values"), list):
                continue
            # What says no type may be a file's text.
            if tensor.get("dtype", "string" if "onnx" in model else "float32") != "string":
                tensor["values"] = [parse(value) if isinstance(value, str) else value for value in tensor["values"]]


def merge(base: Json, changes: Json) -> Json:
    """Return `base` with `changes` laid over it, mappings merged key by key, all else replaced."""
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def check(document: object, schema: Json, at: str = "") -> None:
    """Check a document against a schema.

    Raises:
        ConfigError: one line that names the key by its path from the top and what is allowed there.
    """
    errors = sorted(Validator(schema).iter_errors(document), key=lambda error: [str(part) for part in error.path])
    if errors:
        raise ConfigError(describe(errors[0], at))


def describe(error: ValidationError, at: str = "") -> str:
    """Say in one line what a schema violation is, where, and what is allowed."""
    place = (at + "/".join(str(part) for part in error.absolute_path)).rstrip("/")
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
            wanted = matching(rule, value)
        case "anyOf" if {"type": "string", "pattern": WORD} in rule:
            wanted = f"must be a number >= 1, or {WORD_SPELLED}, such as batch"
        case "uniqueItems":
            wanted = "must not hold anything twice"
        case "minItems" | "minProperties" | "minLength":
            wanted = f"must hold at least {rule}"
        case _:
            wanted = error.message
    meaning = error.schema.get("description", "").rstrip(".") if isinstance(error.schema, dict) else ""
    return f"{place} is {value!r}: {wanted}" + (f" ({meaning[0].lower()}{meaning[1:]})" if meaning else "")


def matching(pattern: str, value: str) -> str:
    """Say what text must be that does not match a pattern."""
    if pattern != WORD:
        return f"must match the pattern {pattern}"
    if re.match(WORD, value.removesuffix(".py")):
        return "leave out .py"
    return f"must be {WORD_SPELLED}, a letter first"


def bounds(schema: Json) -> str:
    """Spell a schema's numeric limits: 'an integer, >= 1 and <= 10'."""
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = " and ".join(f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema)
    return f"{'an integer' if schema.get('type') == 'integer' else 'a number'} {limits}"
