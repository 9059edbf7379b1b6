"""Named arrays: the sources they come from, their files, and the datasheet that describes them."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save
from torchship.config.naming import suggest
from torchship.core.chain import anew
from torchship.core.errors import DataError
from torchship.core.files import read_json, replacing, sha256
from torchship.core.texts import as_text, is_text, packed, unpacked
from torchship.data.documents import ArrayEntry, Datasheet, Described
from torchship.spec.arrays import Array
from torchship.spec.tensor import FLOAT32, Tensor, Tensors

log = logging.getLogger(__name__)

Arrays = dict[str, Array]
SPLITS = ("train", "validation", "test")


def write_arrays(path: Path, arrays: Mapping[str, Array], about: object = None) -> None:
    """Write named arrays as safetensors, with one JSON document about them in the header.

    The same arrays give the same bytes: safetensors sorts them, and the header's metadata has a single key because
    their order is not fixed.
    """
    metadata = {"torchship": json.dumps(about, sort_keys=True)} if about is not None else None
    with replacing(path) as part:
        part.write_bytes(save(packed(arrays), metadata=metadata))


def read_arrays(path: Path) -> Arrays:
    """Read named arrays from a .safetensors or .npz file.

    Raises:
        DataError: there is no such file, it is damaged, or it holds pickled objects.
    """
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
                return {name: as_text(array) if is_text(array) else array for name, array in found.items()}
        return unpacked(load_file(path))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except Exception as error:  # the readers raise a different type for every kind of damage
        raise DataError(f"{path} cannot be read as {path.suffix}: {error}") from error


def read_about(path: Path) -> Any:
    """Read the JSON document that `write_arrays` put in the header.

    Raises:
        DataError: the file is damaged.
    """
    try:
        with path.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return json.loads(header["__metadata__"]["torchship"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged: its header cannot be read ({error}); {anew(path)}") from error


def count_events(arrays: Arrays) -> int:
    """Return how many events there are, the length of all first axes.

    Raises:
        DataError: the arrays are of unequal lengths.
    """
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise DataError(f"the arrays hold unequal numbers of events: {lengths}")
    return next(iter(lengths.values()))


def split_events(arrays: Arrays, fractions: Mapping[str, float], seed: int) -> dict[str, Arrays]:
    """Shuffle events along the first axis and cut them into the three sets.

    Raises:
        DataError: arrays of unequal length, or a set that would be empty.
    """
    events = count_events(arrays)
    order = np.random.default_rng(seed).permutation(events)
    cuts = np.rint(np.cumsum([fractions[split] for split in SPLITS]) * events).astype(int)[:-1]
    parts = dict(zip(SPLITS, np.split(order, cuts), strict=True))
    for split, part in parts.items():
        if not len(part):
            raise DataError(f"{events} events leave none for the {split} set: give more data or other data/fractions")
    return {split: {name: array[part] for name, array in arrays.items()} for split, part in parts.items()}


def select(arrays: Arrays, inputs: Tensors, targets: Sequence[str]) -> Arrays:
    """Keep the declared inputs and the targets, floating point as declared, the targets' as float32.

    Raises:
        DataError: one is missing, or holds a number that is too large for that.
    """
    missing = sorted({*inputs, *targets} - arrays.keys())
    if missing:
        raise DataError(
            f"no array {missing[0]!r} in the data{suggest(missing[0], arrays)}, only {', '.join(sorted(arrays))}"
        )
    return {
        name: as_floating(name, array, floating(inputs.get(name))) if array.dtype.kind == "f" else array
        for name, array in arrays.items()
        if name in inputs or name in targets
    }


def as_floating(name: str, array: Array, kind: np.dtype[np.generic]) -> Array:
    """Return floating-point numbers as another such type.

    Raises:
        DataError: it cannot hold one, which would be infinite in it.
    """
    with np.errstate(over="ignore"):
        changed = array.astype(kind)
    lost = np.argwhere(np.isfinite(array) & ~np.isfinite(changed))
    if len(lost):
        first = tuple(lost[0])
        raise DataError(
            f"{name!r} holds {array[first]:g} in event {first[0] if first else 0}, which {kind} cannot hold: its "
            f"largest number is {np.finfo(np.dtype(str(kind))).max:g}; scale the data"
        )
    return changed


def floating(tensor: Tensor | None) -> np.dtype[np.generic]:
    """Return the floating-point type that an input is declared to be of; float32 if it is none, or of another kind."""
    return np.dtype(tensor.dtype if tensor is not None and tensor.dtype.startswith("float") else FLOAT32)


def make_datasheet(sets: Mapping[str, Arrays], files: Mapping[str, Path], about: Described) -> Datasheet:
    """Return the datasheet: for each set its file's SHA-256, its events, and each array's type, shape and ranges."""
    return {
        **about,
        "sets": {
            split: {
                "file": files[split].name,
                "sha256": sha256(files[split]),
                "events": len(next(iter(arrays.values()))),
                "arrays": {name: ranges(array) for name, array in sorted(arrays.items())},
            }
            for split, arrays in sets.items()
        },
    }


def ranges(array: Array) -> ArrayEntry:
    """Return an array's type, its shape, and the minimum and maximum of each entry of its last axis."""
    rows = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(-1, 1)
    return {
        "dtype": str(array.dtype),
        "shape": list(array.shape),
        "minimum": rows.min(axis=0).tolist(),
        "maximum": rows.max(axis=0).tolist(),
    }


def read_set(path: Path, datasheet: Path) -> Arrays:
    """Read one of the three sets after checking its bytes against the datasheet.

    Raises:
        DataError: the file is not the one that the datasheet describes.
    """
    sets = read_json(datasheet).get("sets", {})
    recorded = {entry["file"]: entry["sha256"] for entry in sets.values()}.get(path.name)
    if recorded is None:
        raise DataError(f"{datasheet} does not describe {path.name}")
    found = sha256(path)
    if found != recorded:
        raise DataError(
            f"{path} has changed since it was made: sha256 {found[:12]}…, datasheet {recorded[:12]}…; {anew(path)}"
        )
    return read_arrays(path)
