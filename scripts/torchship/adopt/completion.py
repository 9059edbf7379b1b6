"""The complete inputs and outputs of a file from elsewhere: what the configuration says, and the file for the rest.

The configuration's word is checked against the file's. Where an input's values lie no file says: it is in the
configuration, or it is the range of the inputs that come with the reference outputs.
"""

import json
import re
from collections.abc import Mapping, Sequence

import numpy as np
from torchship.adopt.onnx_file import Said, SaidAxis, Signature
from torchship.config.naming import suggest
from torchship.config.tensor_checks import check_tensors
from torchship.core.errors import ConfigError, DataError
from torchship.data.domain import fixed_batch
from torchship.spec.arrays import Array
from torchship.spec.axes import BATCH
from torchship.spec.tensor import Axis, Tensor, TensorEntry, Tensors, read_tensors

# What the configuration says of inputs and outputs, by kind and name.
Declared = Mapping[str, Mapping[str, TensorEntry]]
Entries = dict[str, TensorEntry]

# What exporters call the batch, the surest first; names that they make up, which say no more than that two axes are
# equal; and no names.
BATCH_NAMES = "batch batch_size batchsize batch_dim bs n".split()
MADE_UP = re.compile(r"(unk__\d+|s\d+|u\d+|.*dynamic_axes_\d+)\Z", re.IGNORECASE)
NO_NAMES = frozenset(["?", "-1", "none", "unknown"])
WAYS = ("low", "high", "values", "indexes")


def complete(
    place: str, section: Declared, signature: Signature, reference: Mapping[str, Array] | None
) -> tuple[dict[str, Tensor], dict[str, Tensor], list[str]]:
    """Return the complete inputs and outputs, and what a reader of the verdict must know of them.

    Args:
        place: where the model stands in the configuration.
        section: with `inputs` and `outputs` as far as the configuration says them.
        signature: what the file says.
        reference: inputs and outputs by name from elsewhere, if there are any.

    Raises:
        ConfigError: the configuration says otherwise than the file, or nobody says where an input's values lie.
        DataError: the reference has no such input, or one that is not finite.
    """
    for name in signature.defaults:
        if name in section["inputs"]:
            raise ConfigError(
                f"{place}/inputs/{name} is a weight that the file has a value for, and not all runtimes take another: "
                "leave it out"
            )
    names = axis_names(section, signature)
    inputs, outputs = (
        {
            said.name: entry_of(f"{place}/{kind}/{said.name}", said, section[kind].get(said.name, {}), names)
            for said in values
        }
        for kind, values in known_names(place, section, signature)
    )
    notes = [f"{name!r} has a value in the file, which it is left at" for name in signature.defaults]
    notes += fill_domains(place, inputs, reference)
    check_tensors(place, {"inputs": inputs, "outputs": outputs})
    tensors = read_tensors(inputs), read_tensors(outputs)
    return *tensors, [*notes, *notes_on_axes(*tensors)]


def notes_on_axes(inputs: Tensors, outputs: Tensors) -> list[str]:
    """Return what the axes mean for those who call the file."""
    fixed = fixed_batch({**inputs, **outputs})
    if fixed is not None:
        return [f"the batch is fixed at {fixed}: judged at that size alone; a caller must call with batch {fixed}"]
    firsts = {tensor.shape[0] for tensor in [*inputs.values(), *outputs.values()] if tensor.shape}
    (first,) = firsts if len(firsts) == 1 else (BATCH,)
    if isinstance(first, str) and first != BATCH:
        return [
            f"axis 0 is {first!r}, whose entries may know of one another: if it is the batch, declare it so in shape"
        ]
    return []


def known_names(place: str, section: Declared, signature: Signature) -> list[tuple[str, Sequence[Said]]]:
    """Check that the file has all that the configuration names, and return both kinds with what the file has."""
    kinds = [("inputs", signature.inputs), ("outputs", signature.outputs)]
    for kind, values in kinds:
        known = [said.name for said in values]
        for name in section[kind]:
            if name not in known:
                raise ConfigError(
                    f"{place}/{kind}/{name}: the file has no such {kind[:-1]}{suggest(name, known)}; it has "
                    f"{', '.join(map(repr, known))}"
                )
    return kinds


def axis_names(section: Declared, signature: Signature) -> dict[str, str]:
    """Return the name in the configuration, or a plain one, of each axis that the file names."""
    names: dict[str, str] = {}
    for kind, values in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        for said in values:
            declared = section[kind].get(said.name, {}).get("shape", [])
            for own, wanted in zip(said.axes or (), declared, strict=False):
                if is_named(own) and isinstance(wanted, str):
                    names.setdefault(str(own), wanted)
    others = beside_the_batch([*signature.inputs, *signature.outputs])
    for said in [*signature.inputs, *signature.outputs]:
        for index, own in enumerate(said.axes or ()):
            if is_named(own) and str(own) not in names:
                names[str(own)] = new_name(str(own), index, said, {BATCH, *names.values()}, others)
    return names


def beside_the_batch(values: Sequence[Said]) -> set[str]:
    """Return the axes that are called as a batch may be and are none, since a tensor has a surer one: n particles."""
    found: set[str] = set()
    for said in values:
        called = [str(own) for own in said.axes or () if str(own).lower() in BATCH_NAMES]
        surest = min(called, key=lambda own: BATCH_NAMES.index(own.lower()), default="")
        found |= {own for own in called if own != surest}
    return found


def is_named(own: SaidAxis) -> bool:
    """Tell whether a file has a name for an axis."""
    return isinstance(own, str) and own.lower() not in NO_NAMES


def new_name(own: str, index: int, said: Said, taken: set[str], others: set[str]) -> str:
    """Return a plain name for an axis of the file; `others` are no batch, whatever they are called."""
    if MADE_UP.match(own):
        return unnamed(index, said)
    return BATCH if own.lower() in BATCH_NAMES and own not in others else plain(own, taken)


def unnamed(index: int, said: Said) -> str:
    """Return the name of an axis that has none: the batch if it is the first, or its place."""
    return BATCH if index == 0 else f"{plain(said.name, set())}_axis{index}"


def entry_of(place: str, said: Said, declared: TensorEntry, names: Mapping[str, str]) -> TensorEntry:
    """Return one complete tensor, but for its domain.

    Raises:
        ConfigError: the configuration says otherwise than the file.
    """
    if declared.get("dtype", said.dtype) != said.dtype:
        raise ConfigError(f"{place}/dtype is {declared['dtype']}, but the file has {said.dtype}")
    tensor: TensorEntry = {**declared, "dtype": said.dtype}
    if "shape" in declared:
        check_shape(place, said, declared["shape"])
        return tensor
    if said.axes is None:
        raise ConfigError(f"{place}: the file does not say its shape: declare it")
    tensor["shape"] = [
        own if isinstance(own, int) else names[str(own)] if is_named(own) else unnamed(index, said)
        for index, own in enumerate(said.axes)
    ]
    return tensor


def check_shape(place: str, said: Said, declared: Sequence[Axis]) -> None:
    """Check a shape of the configuration against the file's, where that says any."""
    if said.axes is None:
        return
    found = ["any" if own is None else own for own in said.axes]
    if len(found) != len(declared):
        raise ConfigError(f"{place}/shape is {declared}, but the file has {found}")
    for index, (own, wanted) in enumerate(zip(said.axes, declared, strict=True)):
        if isinstance(own, int) and isinstance(wanted, str):
            raise ConfigError(
                f"{place}/shape is {declared}, but axis {index} is fixed at {own} in the file, {found}: declare it so, "
                "and it is judged at that size alone"
            )
        if isinstance(own, int) and own != wanted:
            raise ConfigError(f"{place}/shape is {declared}, but axis {index} is {own} in the file, {found}")


def plain(text: str, taken: set[str]) -> str:
    """Return a text as the name of an axis, other than those that are taken."""
    word = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_") or "axis"
    word = word if word[0].isalpha() else f"axis_{word}"
    return (
        word
        if word not in taken
        else next(f"{word}_{count}" for count in range(2, len(taken) + 3) if f"{word}_{count}" not in taken)
    )


def fill_domains(place: str, inputs: Entries, reference: Mapping[str, Array] | None) -> list[str]:
    """Fill in where the values of each input lie that the configuration says nothing of; return what was taken.

    Raises:
        ConfigError: nobody says it; the message has the inputs as a configuration to paste.
    """
    notes, missing = [], []
    for name, tensor in inputs.items():
        if domain_of(tensor):
            continue
        if tensor["dtype"] == "bool":
            tensor["values"] = [0, 1]
        elif reference is None:
            missing.append(name)
        else:
            tensor.update(
                ranges_of(name, reference, each=len(tensor["shape"]) > 1 and isinstance(tensor["shape"][-1], int))
            )
            notes.append(f"the domain of {name!r} is what the reference has: {spelled(tensor)}")
    if missing:
        raise ConfigError(
            f"{place}: nobody says where the values of {', '.join(map(repr, missing))} lie: fill in, in their units, "
            f"and paste, or give onnx/reference, whose ranges are taken: {to_paste(inputs, missing)}"
        )
    return notes


def ranges_of(name: str, reference: Mapping[str, Array], *, each: bool) -> TensorEntry:
    """Return the domain of an input that holds what the reference has of it, of each entry of the last axis if asked.

    An entry that never changes would have no domain: it has the range of all.
    """
    if name not in reference:
        raise DataError(f"the reference has no array {name!r}, only {', '.join(sorted(reference))}")
    array = reference[name]
    if not array.size:
        raise DataError(f"the reference has no events: {name!r} is of shape {list(array.shape)}")
    if array.dtype.kind in "OUS":
        return {"values": sorted({str(text) for text in array.ravel()})}
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"the reference's {name!r} holds {np.sum(~np.isfinite(array))} numbers that are not finite")
    low, high = array.min().item(), array.max().item()
    if each and low < high:
        lows, highs = (end(axis=tuple(range(array.ndim - 1))) for end in (array.min, array.max))
        if (lows < highs).any():
            return {
                "low": np.where(lows < highs, lows, low).tolist(),
                "high": np.where(lows < highs, highs, high).tolist(),
            }
    return {"low": low, "high": high} if low < high else {"values": [low]}


def domain_of(tensor: TensorEntry) -> dict[str, object]:
    """Return what an input says of where its values lie, by the key that says it."""
    return {way: value for way, value in tensor.items() if way in WAYS}


def spelled(tensor: TensorEntry) -> str:
    """Spell a domain."""
    domain = domain_of(tensor)
    return ", ".join(f"{way} {domain[way]}" for way in WAYS if way in domain)


def to_paste(inputs: Entries, missing: Sequence[str]) -> str:
    """Spell inputs as a configuration, in one line, with what is missing left open."""
    document = {
        name: {**tensor, **({"values": ["…"]} if tensor["dtype"] == "string" else {"low": "…", "high": "…"})}
        if name in missing
        else tensor
        for name, tensor in inputs.items()
    }
    return f"inputs: {json.dumps(document, ensure_ascii=False)}"
