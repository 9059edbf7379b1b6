"""Write docs/knobs.md, a table of every knob, from schemas/config.schema.yaml and config.yaml.

`make knobs` calls it; with `--check` it writes nothing and fails if the page is not in step.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "knobs.md"
HEADER = """# Knobs

<!-- Written by `make knobs` from schemas/config.schema.yaml and config.yaml; don't edit. -->

Every knob of the configuration: its place, as it stands on the command line (`--config 'train={{epochs: 1000}}'` is
`train/epochs`) and in a scan; its type; what it may be; its default, from [config.yaml](../config.yaml), which says
more in comments; what it means. A name in `<…>` is yours to choose. An entry of `models` may hold any of these
sections, for that model alone: {sections}.
"""
# What stands in a place for a name that a user chooses, by where it stands.
CHOSEN = {
    "models": "<run>",
    "targets": "<target>",
    "inputs": "<input>",
    "outputs": "<output>",
    "axes": "<axis>",
    "loss": "<output>",
}
# The page that says more of a section.
MORE = {
    "models": "first-model.md",
    "train": "training.md",
    "scan": "scans.md",
    "validate": "gate.md",
    "archive": "archive.md",
    "targets": "targets.md",
}
# The heading of the knobs that are in no section.
FIRST = "The run"
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
TYPES = {"string": "text", "object": "mapping", "array": "list", "boolean": "true or false", "null": "null"}
VALUES = {str: "text", int: "integer", type(None): "null"}

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Knob:
    """A row of the page; all of it is text."""

    place: str
    kind: str
    allowed: str
    default: str
    meaning: str

    @property
    def section(self) -> str:
        """The section that the knob belongs to: the first word of its place, if more follow."""
        first, _, rest = self.place.partition("/")
        return first if rest else FIRST


class Knobs:
    """The knobs of a schema, with the defaults of a configuration."""

    def __init__(self, schema: Schema, defaults: Mapping[str, Any]) -> None:
        self.schema, self.defaults = schema, defaults
        # Where the keys of each named part of the schema have been listed: of inputs and outputs they are the same.
        self.listed: dict[str, str] = {}

    def __iter__(self) -> Iterator[Knob]:
        for name in sorted(self.schema["properties"], key=self.rank):
            yield from self.at(name, self.schema["properties"][name])

    def rank(self, name: str) -> tuple[int, int]:
        """Return where a top-level key comes: single knobs first, then the sections as config.yaml has them."""
        order = [*self.defaults, *self.schema["properties"]]
        return int("properties" in self.resolved(self.schema["properties"][name]) or name in CHOSEN), order.index(name)

    def shared(self) -> list[str]:
        """Return the sections that each model may have for itself: they are listed once, for all."""
        own = self.schema["$defs"]["model"]["properties"]
        return [name for name, part in own.items() if "$ref" in part and self.schema["properties"].get(name) == part]

    def resolved(self, schema: Schema) -> Schema:
        """Return a schema with what it refers to; what stands beside the reference comes first."""
        if "$ref" not in schema:
            return schema
        return {**self.schema["$defs"][schema["$ref"].rpartition("/")[2]], **schema}

    def at(self, place: str, schema: Schema, *, required: bool = False) -> Iterator[Knob]:
        """Yield the knobs at and below a place."""
        schema = self.resolved(schema)
        inner, entry = schema.get("properties", {}), self.entry(schema)
        if not inner and not entry:
            yield self.knob(place, schema, required=required)
            return
        if "string" in kinds(schema) or "null" in kinds(schema):
            yield self.knob(place, schema, required=required)
        for name, below in inner.items():
            if not (place.startswith("models/") and name in self.shared()):
                yield from self.at(f"{place}/{name}", below, required=name in schema.get("required", ()))
        if entry:
            yield from self.chosen(f"{place}/{CHOSEN[place.rpartition('/')[2]]}", entry)

    def chosen(self, place: str, entry: Schema) -> Iterator[Knob]:
        """Yield the knobs below a name that a user chooses."""
        part = entry.get("$ref", place)
        if part in self.listed:
            yield Knob(f"{place}/…", "", "", "", f"The same keys as `{self.listed[part]}`.")
            return
        self.listed[part] = place
        yield from self.at(place, entry)

    def entry(self, schema: Schema) -> Schema:
        """Return the schema of what stands under each chosen name; an empty one where it has no keys."""
        found = (schema.get("else") or schema).get("additionalProperties")
        return found if isinstance(found, dict) and self.resolved(found).get("properties") else {}

    def knob(self, place: str, schema: Schema, *, required: bool) -> Knob:
        """Return the row of one knob."""
        default = self.default(place, schema) or ("required" if required else "")
        return Knob(place, self.kind(schema), self.allowed(schema), default, schema["description"])

    def kind(self, schema: Schema) -> str:
        """Return the type of a knob in words."""
        if "anyOf" in schema:
            return " or ".join(self.kind(self.resolved(choice)) for choice in schema["anyOf"])
        if "enum" in schema and "type" not in schema:
            return " or ".join(dict.fromkeys(VALUES[type(value)] for value in schema["enum"]))
        words = [TYPES.get(kind, kind) for kind in kinds(schema)]
        items = self.resolved(schema.get("items", {}))
        if words == ["list"] and items and items is not schema:
            return f"list of {self.kind(items)}"
        return " or ".join(words)

    def allowed(self, schema: Schema) -> str:
        """Return what a knob may be beyond its type."""
        said = [f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if key in schema]
        if "enum" in schema:
            said.append(", ".join(code(value) for value in schema["enum"]))
        if "then" in schema:
            said.append(self.allowed(self.resolved(schema["then"])))
        if "pattern" in schema:
            said.append(f"matches {code(schema['pattern'].removesuffix(chr(92) + 'Z'))}")
        if "array" in kinds(schema) and "$ref" not in schema.get("items", {}):
            inner = self.resolved(schema.get("items", {}))
            choices = (self.allowed(self.resolved(choice)) for choice in inner.get("anyOf", [inner]))
            of_each = "; ".join(choice for choice in choices if choice)
            said += [f"each {of_each}"] if of_each else []
        if schema.get("minItems", 0) > 0 and kinds(schema) == ["array"]:
            said.append(f"at least {schema['minItems']}")
        return "; ".join(said)

    def default(self, place: str, schema: Schema) -> str:
        """Return the default of a knob: of config.yaml, or of the schema where names are a user's."""
        value: Any = self.defaults
        for key in place.split("/"):
            value = value.get(key, self) if isinstance(value, dict) else self
        if value is self:
            return code(schema["default"]) if "default" in schema else ""
        return code(value)


def kinds(schema: Schema) -> list[str]:
    """Return the types that a schema names."""
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else list(named)


def code(value: Any) -> str:
    """Return a value as the configuration spells it, for a cell of a table."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return f"`{text}`".replace("|", "\\|")


def page() -> str:
    """Return the text of the page."""
    schema = yaml.safe_load((PROJECT / "schemas" / "config.schema.yaml").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    knobs = Knobs(schema, defaults)
    lines, section = [HEADER.rstrip().format(sections=", ".join(f"`{name}`" for name in knobs.shared()))], ""
    for knob in knobs:
        if knob.section != section:
            section = knob.section
            said = [schema["properties"].get(section, {}).get("description", "")]
            said += [f"More: [{MORE[section]}]({MORE[section]})."] if section in MORE else []
            lines += ["", f"## {section}", "", " ".join(said).strip(), ""] if any(said) else ["", f"## {section}", ""]
            lines.append("| knob | type | allowed | default | meaning |\n|---|---|---|---|---|")
        meaning = knob.meaning.replace("|", "\\|").replace("<", "\\<") if "`" not in knob.meaning else knob.meaning
        cells = [f"`{knob.place}`", knob.kind, knob.allowed, knob.default, meaning]
        lines.append(f"| {' | '.join(cells)} |".replace("  ", " "))
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or only tell whether it is in step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the page is not in step")
    text = page()
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE.name} is not in step with the schema or config.yaml: run `make knobs`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
