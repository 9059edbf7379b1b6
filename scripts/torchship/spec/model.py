"""What ships: written once, by the step that selects or adopts it, read by every later one. Standard library only."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torchship.core.errors import DataError
from torchship.core.files import read_json, sha256, write_json

Tensors = Mapping[str, Mapping[str, Any]]


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
    section: Mapping[str, Any]
    files: Mapping[str, str]
    candidate: str | None = None
    selection: Mapping[str, Any] | None = None
    datasheet: str | None = None
    device: Mapping[str, Any] | None = None
    tensors: Tensors = field(default_factory=dict)
    source: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    members: tuple[Mapping[str, Any], ...] = ()

    def with_knobs(self, knobs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the section that made it, with the knobs of a later step beside them.

        What decided the model is never taken from elsewhere: of a key that both have, the model's own values stay.
        """
        return laid_under(self.section, knobs)


def laid_under(section: Mapping[str, Any], knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section with knobs that it does not have itself, mapping by mapping."""
    # In the section's own order, which for tensors is that of the file or of Network.forward.
    merged = {**section, **{key: value for key, value in knobs.items() if key not in section}}
    for key in section.keys() & knobs.keys():
        if isinstance(section[key], Mapping) and isinstance(knobs[key], Mapping):
            merged[key] = laid_under(section[key], knobs[key])
    return merged


def in_order(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section for JSON: inputs and outputs as lists, since its keys are sorted, and their order matters."""
    lists = {
        kind: [{"name": name, **tensor} for name, tensor in section[kind].items()]
        for kind in ("inputs", "outputs")
        if kind in section
    }
    return {**section, **lists}


def by_name(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section that `in_order` has made as it was."""
    tensors = {
        kind: {
            tensor["name"]: {key: value for key, value in tensor.items() if key != "name"} for tensor in section[kind]
        }
        for kind in ("inputs", "outputs")
        if kind in section
    }
    return {**section, **tensors}


def write_model(path: Path, model: Model) -> None:
    """Write model.json, whole or not at all."""
    document = {**asdict(model), "section": in_order(model.section)}
    if not model.members:
        del document["members"]
    write_json(path, document)


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
                f"{recorded[:12]}…; delete both, so that they are made anew"
            )
    lists = {name: tuple(document.get(name, ())) for name in ("notes", "members")}
    return Model(**{**document, **lists, "section": by_name(document["section"])})
