"""Arrays of text beside arrays of numbers: safetensors has none, so each goes there as the bytes of a JSON document."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# As in spec/arrays.py: what is in core/ imports no other package.
Array = NDArray[Any]

# Leads the name of an array of text; no name of an input or output has such a character.
MARK = "\x1f"


def is_text(array: Array) -> bool:
    """Tell whether an array holds text, of whatever length."""
    return array.dtype.kind in "OUS"


def packed(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return arrays as safetensors takes them: in the order of C, and text as bytes."""
    found = {}
    for name, array in arrays.items():
        if is_text(array):
            document = {"shape": list(array.shape), "texts": [str(text) for text in array.ravel()]}
            found[MARK + name] = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
        else:
            # np.ascontiguousarray would make [1] of a scalar's [].
            found[name] = np.asarray(array, order="C")
    return found


def unpacked(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return arrays as they were packed; text as Python's strings."""
    found = {}
    for name, array in arrays.items():
        if name.startswith(MARK):
            document = json.loads(array.tobytes())
            found[name.removeprefix(MARK)] = as_text(np.array(document["texts"])).reshape(document["shape"])
        else:
            found[name] = array
    return found


def as_text(array: Array) -> Array:
    """Return an array of text as one of Python's strings."""
    return np.array([str(text) for text in array.ravel()], dtype=object).reshape(array.shape)
