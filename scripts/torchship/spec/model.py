"""What ships: written once, by the step that selects or adopts it, read by every later one. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from torchship.core.chain import anew
from torchship.core.errors import DataError
from torchship.core.files import read_json, sha256, write_json
from torchship.spec.section import Section, by_name, in_order

# Of a weight: `dtype` as safetensors spells it, and `shape`.
Weights = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Model:
    """A model that ships, as model.json has it.

    Attributes:
        run: the run that it is of.
        section: the knobs that made it: of one that was trained those that decide the training (network, inputs,
            outputs, data, train, seed, …), with the values of the candidate that was selected; of a file from
            elsewhere its complete inputs and outputs.
        files: the SHA-256 of each file beside model.json that belongs to it, by name.
        candidate: the training that was selected; None of a file from elsewhere.
        selection: of how many candidates, by what, and what the candidate changes.
        datasheet: the SHA-256 of the datasheet of the data that it was trained on, None where there are none.
        device: what it was trained on.
        tensors: of the weights, `dtype` and `shape` by name.
        source: of what was trained or made elsewhere the file that it came in, and its SHA-256.
        notes: what a reader of a verdict must know: where a domain is from, what is fixed, what was put into the file.
        members: of a mean of several networks the `candidate` and the `fold` of each; none of a single one.
    """

    run: str
    section: Section
    files: Mapping[str, str]
    candidate: str | None = None
    selection: Mapping[str, Any] | None = None
    datasheet: str | None = None
    device: Mapping[str, Any] | None = None
    tensors: Weights = field(default_factory=dict)
    source: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    members: tuple[Mapping[str, Any], ...] = ()

    def with_knobs(self, knobs: Mapping[str, Any]) -> Section:
        """Return the section that made it, with the knobs of a later step beside them.

        What decided the model is never taken from elsewhere: of a key that both have, the model's own values stay.
        """
        return cast("Section", laid_under(self.section, knobs))


def laid_under(section: Mapping[str, Any], knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section with knobs that it does not have itself, mapping by mapping."""
    # In the order of the section: that of inputs and outputs means something.
    merged = {**section, **{key: value for key, value in knobs.items() if key not in section}}
    for key in section.keys() & knobs.keys():
        if isinstance(section[key], Mapping) and isinstance(knobs[key], Mapping):
            merged[key] = laid_under(section[key], knobs[key])
    return merged


def write_model(path: Path, model: Model) -> None:
    """Write model.json, whole or not at all."""
    document = {field.name: getattr(model, field.name) for field in fields(model)}
    if not model.members:
        del document["members"]
    write_json(path, {**document, "section": in_order(model.section)})


def read_model(path: Path) -> Model:
    """Read model.json, after a check of the files that belong to it.

    Raises:
        DataError: one of them has changed since the model was selected.
    """
    document = read_json(path)
    for name, recorded in document["files"].items():
        found = sha256(path.with_name(name))
        if found != recorded:
            raise DataError(
                f"{path.with_name(name)} is not the one that {path} is of: sha256 {found[:12]}…, there "
                f"{recorded[:12]}…; {anew(path)}"
            )
    lists = {name: tuple(document.get(name, ())) for name in ("notes", "members")}
    return Model(**{**document, **lists, "section": by_name(document["section"])})
