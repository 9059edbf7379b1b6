"""What a scan can change: the knobs that decide a training, by place, their names, and the values that each takes.

Read by the workflow while it is planned, in Snakemake's own environment, never by a step.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from torchship.config.checks import require_json
from torchship.config.naming import require_known, suggest
from torchship.config.network_signature import arguments_of, from_text
from torchship.config.resolve import check
from torchship.config.texts import from_json, parse
from torchship.core.errors import ConfigError
from torchship.core.files import Json
from torchship.spec.section import Resolved

ARGUMENTS, FOLDS = "network/arguments/", "train/folds"


class Knobs:
    """The knobs that a run's scan can change.

    Args:
        run: its name.
        section: its complete section, whose values are those that a point leaves alone.
        schema: schemas/config.schema.yaml as a document.
        project: the folder that has the networks in models/.
    """

    def __init__(self, run: str, section: Resolved, schema: Json, project: Path) -> None:
        self.place = f"the scan of {run}"
        self.arguments = section["network"].get("arguments", {})
        self.networks = sorted(path.stem for path in (project / "models").glob("*.py"))
        self.typed = arguments_of(project / f"models/{section['network']['file']}.py") or {}
        network, shared = schema["$defs"]["model"]["properties"]["network"], schema["$defs"]
        self.schemas: dict[str, Json] = {
            "network/file": network["properties"]["file"],
            "seed": schema["properties"]["seed"],
            **dict(leaves("train", shared["train"], shared)),
        }
        # All points have the same, and each of them has all.
        del self.schemas[FOLDS]
        self.ends = Counter(end(knob) for knob in self.schemas)
        self.taken: dict[tuple[str, str], object] = {}

    def word(self, knob: str) -> str:
        """Return a knob's word in the names of points, by the schema alone, so that it stays whatever else is scanned.

        It is the last part of its place, and all parts where two knobs of the schema end alike. Arguments of the
        network are called by their names, but for those that are called like a knob of the schema.
        """
        short = knob.removeprefix(ARGUMENTS) if knob.startswith(ARGUMENTS) else end(knob)
        taken = self.ends[short] > (0 if knob.startswith(ARGUMENTS) else 1)
        return plain(".".join((knob if taken else short).split("/")))

    def value(self, knob: str, value: object) -> object:
        """Return a value as the knob wants it, checked.

        Raises:
            ConfigError: there is no such knob, it does not decide a training, or it does not take the value.
        """
        if not isinstance(knob, str):
            raise ConfigError(f"{self.place}: {knob!r} is no place of a knob: write one such as train/learning_rate")
        key = (knob, repr(value))
        if key not in self.taken:
            self.taken[key] = self._argument(knob, value) if knob.startswith(ARGUMENTS) else self._knob(knob, value)
        return self.taken[key]

    def _argument(self, knob: str, value: object) -> object:
        parts = knob.removeprefix(ARGUMENTS).split("/")
        if not all(parts):
            raise ConfigError(f"{self.place}: {knob} has an empty name: scan {ARGUMENTS}<name>")
        own: object = self.arguments
        for part in parts:
            own = own.get(part) if isinstance(own, Mapping) else None
        argument = self.typed.get(parts[0]) if len(parts) == 1 else None
        if argument is not None and argument.like is not None:
            value = from_text(value, argument)
        elif not holds_text(own):
            value = from_json(value)
        require_json(f"{self.place}: {knob}", value)
        return value

    def _knob(self, knob: str, value: object) -> object:
        schema = self._schema(knob)
        kinds = schema.get("type", "string")
        if isinstance(value, str) and "string" not in kinds:
            value = parse(value)
        check(value, schema, at=f"{self.place}: {knob}" + ("/" if isinstance(value, Mapping) else ""))
        if knob == "network/file":
            require_known(str(value), self.networks, f"{self.place}: {knob}", "network")
        # 1 and 1.0 are one point.
        return float(value) if "number" in kinds and isinstance(value, int) else value

    def _schema(self, knob: str) -> Json:
        if knob in self.schemas:
            return self.schemas[knob]
        first = knob.partition("/")[0]
        if first == "data":
            raise ConfigError(f"{self.place}: {knob} cannot be scanned: points on other data could not be compared")
        if knob == FOLDS:
            raise ConfigError(f"{self.place}: {knob} cannot be scanned: a point is judged by all of its folds, as many")
        known = [f"{ARGUMENTS}<name>", *self.schemas]
        if first not in ("network", "train", "seed"):
            what = ", ".join([*known[:2], "train/<knob>", "seed"])
            near = [place for place in self.schemas if end(place) == end(knob.replace(".", "/"))]
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise ConfigError(f"{self.place}: {knob} is no knob of a training{meant}; what can be scanned: {what}")
        inner = [place for place in known if place.startswith(f"{knob}/")]
        if inner:
            raise ConfigError(f"{self.place}: {knob} holds several knobs: scan {inner[0]}, …")
        near = [place for place in known if place.startswith(first)]
        raise ConfigError(f"{self.place}: unknown knob {knob}{suggest(knob, near)}; known: {', '.join(near)}")


def leaves(place: str, schema: Json, shared: Json) -> Iterator[tuple[str, Json]]:
    """Return the places below one of a schema that hold values, each with the schema of its value."""
    for key, inner in schema["properties"].items():
        if "properties" in inner:
            yield from leaves(f"{place}/{key}", inner, shared)
        else:
            meant = shared[inner["$ref"].rpartition("/")[2]] if "$ref" in inner else {}
            yield f"{place}/{key}", {**meant, **{word: rule for word, rule in inner.items() if word != "$ref"}}


def end(knob: str) -> str:
    """Return the last part of a place."""
    return knob.rpartition("/")[2]


def holds_text(value: object) -> bool:
    """Tell whether a value is a text, or a list of texts."""
    return isinstance(value, str) or (isinstance(value, list) and any(isinstance(item, str) for item in value))


def plain(word: str) -> str:
    """Return a word with what a file's name should not have, or a point's name has a meaning for, as underscores."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", word)
