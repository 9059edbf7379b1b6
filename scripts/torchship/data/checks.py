"""The checks of data against the declared inputs: types, shapes, sizes, padding, and the domain of each feature."""

from collections.abc import Mapping, Sequence

import numpy as np
from torchship.config.naming import suggest
from torchship.core.errors import DataError
from torchship.core.texts import is_text
from torchship.data.domain import element_type, parts_of
from torchship.data.padding import hidden, padding_of
from torchship.spec.arrays import Array
from torchship.spec.axes import ANY_SIZE, BATCH, EVERY, Axes
from torchship.spec.tensor import Padding, Tensor, Tensors

Arrays = Mapping[str, Array]


def check_inputs(arrays: Arrays, inputs: Tensors, targets: Sequence[str], place: str, axes: Axes = EVERY) -> None:
    """Check arrays against the declared inputs: presence, type, shape, finiteness, and sizes of dynamic axes.

    Raises:
        DataError: with the array's name and, for a bad value, the first event that has one.
    """
    for name in [*inputs, *targets]:
        if name not in arrays:
            raise DataError(f"{place} has no array {name!r}{suggest(name, arrays)}, only {', '.join(sorted(arrays))}")
        if arrays[name].ndim == 0 or arrays[name].dtype.kind not in "fiub":
            kind = "text" if is_text(arrays[name]) else arrays[name].dtype
            raise DataError(f"{place}: {name!r} is {kind} of shape {arrays[name].shape}, not numbers by event")
        if not len(arrays[name]):
            raise DataError(f"{place}: {name!r} has no events, its shape is {list(arrays[name].shape)}")
        finite = np.isfinite(arrays[name]).reshape(len(arrays[name]), -1).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{place}: {np.sum(~finite)} events of {name!r} are not finite, the first is event {np.argmin(finite)}"
            )
    check_types(arrays, inputs, place)
    check_sizes(arrays, inputs, place, axes)


def check_types(arrays: Arrays, inputs: Tensors, place: str) -> None:
    """Check that arrays have the declared element types, as many axes, and the fixed sizes.

    Raises:
        DataError: with the array's name, and what it is.
    """
    for name, tensor in inputs.items():
        array, shape = arrays[name], tensor.shape
        if array.dtype != element_type(tensor):
            raise DataError(f"{place}: {name!r} is {array.dtype}, declared {element_type(tensor)}")
        fits = array.ndim == len(shape) and all(
            isinstance(want, str) or want == have for want, have in zip(shape, array.shape, strict=True)
        )
        if not fits:
            raise DataError(f"{place}: {name!r} has shape {array.shape}, declared {tensor.spelled}")


def check_sizes(arrays: Arrays, inputs: Tensors, place: str, axes: Axes = EVERY) -> dict[str, int]:
    """Check that dynamic axes have one size each in all arrays, and one that they may have; return the sizes.

    Raises:
        DataError: with the axis and its sizes.
    """
    sizes: dict[str, int] = {}
    for name, tensor in inputs.items():
        for axis, size in zip(tensor.shape, arrays[name].shape, strict=True):
            if not isinstance(axis, str):
                continue
            if sizes.setdefault(axis, size) != size:
                raise DataError(f"{place}: axis {axis!r} has size {size} in {name!r}, {sizes[axis]} in another input")
            allowed = axes.get(axis, ANY_SIZE)
            if axis != BATCH and not allowed.allows(size):
                raise DataError(
                    f"{place}: axis {axis!r} has size {size} in {name!r}; `axes` says least {allowed.least}, most "
                    f"{allowed.most}, multiple {allowed.multiple}: cut or pad the data, or widen it"
                )
    return sizes


def check_domain(arrays: Arrays, inputs: Tensors, place: str) -> None:
    """Check that all events lie in the declared domain, which is all that the gate looks at, padded as declared.

    Raises:
        DataError: with the array's and the feature's name, the smallest and largest value found, and an event.
    """
    sizes = check_sizes(arrays, inputs, place)
    for name, tensor in inputs.items():
        array, what = arrays[name], f"{place}: {name!r}"
        padding = np.broadcast_to(hidden(tensor, arrays, array.ndim), array.shape)
        if tensor.padded is not None:
            check_padding(array, padding, arrays, tensor, tensor.padded, what)
        if tensor.values is not None:
            check_values(array, padding, tensor, what)
            continue
        for which, entry, low, high in parts_of(tensor, sizes, array.ndim):
            feature = f" ({tensor.label(entry)})" if entry else ""
            part, counted = array[which], ~padding[which]
            outside = counted & ((part < low) | (part > high))
            if outside.any():
                raise DataError(
                    f"{what}{feature} goes from {part[counted].min():g} to {part[counted].max():g}, outside of the "
                    f"declared domain, {low:g} to {high:g}, that the validation covers (first in event "
                    f"{np.argwhere(outside)[0][0]}): widen low and high"
                )


def check_values(array: Array, padding: Array, tensor: Tensor, what: str) -> None:
    """Check that an array holds no other values than the declared ones.

    Raises:
        DataError: it does; the message names one, and its event.
    """
    strange = ~padding & ~np.isin(array, np.array(tensor.values).astype(array.dtype))
    if strange.any():
        raise DataError(
            f"{what} holds {array[strange][0]} in event {np.argwhere(strange)[0][0]}, outside of the declared domain: "
            f"`values` are {list(tensor.values or ())}"
        )


def check_padding(array: Array, padding: Array, arrays: Arrays, tensor: Tensor, padded: Padding, what: str) -> None:
    """Check that the entries that a mask hides hold the value that is declared, and that it shows enough of them.

    Raises:
        DataError: one does not, or it shows fewer; the message names the event and place.
    """
    least, mask = padded.shown, np.asarray(arrays[padded.mask])
    shown = (mask != padded.where).sum(axis=-1)
    if least and shown.size and shown.min() < least:
        raise DataError(
            f"{what}: the mask {padded.mask!r} shows {shown.min()} entries in event "
            f"{np.argwhere(shown < least)[0][0]}, `padded/shown` says at least {least}"
        )
    value = padding_of(padded, array.dtype)
    wrong = padding & (array != value)
    if wrong.any():
        event, *entry = (int(index) for index in np.argwhere(wrong)[0])
        feature = f" ({tensor.label(entry)})" if tensor.features else ""
        raise DataError(
            f"{what} holds {array[wrong][0]} in event {event} at {entry}{feature}, which the mask "
            f"{padded.mask!r} hides: padding must be {value}, as `padded` declares ({wrong.sum()} numbers "
            "are not)"
        )
