"""What a text of the command line stands for, where nothing or little says what is wanted there."""

import json

import yaml


def parse(text: str) -> object:
    """Return what a text spells in YAML, or as a floating-point number, or the text itself."""
    try:
        value = yaml.safe_load(text)
        return float(value) if isinstance(value, str) else value
    except (ValueError, yaml.YAMLError):
        return text


def from_json(value: object) -> object:
    """Return the number, truth value or null that a text spells in JSON, and all else as it is.

    Snakemake hands on nested values of its command line as text, and nothing says what an argument should be.
    """
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    try:
        # NaN and infinities, which Python's JSON has, stay text.
        found = json.loads(value, parse_constant=str) if isinstance(value, str) else value
    except ValueError:
        return value
    return value if isinstance(found, dict | list) else found
