"""What a schema cannot say of declared inputs, outputs and axes: domains, types, sizes. Standard library only."""

from collections.abc import Mapping

from torchship.config.domain_checks import check_numbers, check_padding, spelled_out
from torchship.config.naming import require_known
from torchship.core.errors import ConfigError
from torchship.spec.axes import AxisRange, named_axes
from torchship.spec.section import KINDS, Resolved
from torchship.spec.tensor import TensorEntry

# Element types that can be places along an axis.
INTEGERS = ("int64", "int32")


def check_tensors(place: str, section: Resolved, *, complete: bool = True) -> None:
    """Check all declared inputs and outputs.

    Args:
        complete: all is declared; else a file from elsewhere says the rest, and they are checked again with that.

    Raises:
        ConfigError: see `check_tensor` and `check_domain`; or a name is that of an input and of an output, or the
            first axis of an input is not the batch.
    """
    for kind in KINDS:
        for name, tensor in section[kind].items():
            check_tensor(f"{place}/{kind}/{name}", tensor)
    for name, tensor in section["inputs"].items():
        if complete or any(key in tensor for key in ("low", "high", "values")):
            check_domain(f"{place}/inputs/{name}", tensor, declared_axes(section["inputs"]), typed=complete)
        if "network" in section and tensor["shape"][:1] != ["batch"]:
            raise ConfigError(
                f"{place}/inputs/{name}/shape is {tensor['shape']}: the first axis of what is trained on must be batch"
            )
        if "padded" in tensor:
            check_padding(f"{place}/inputs", name, section["inputs"])
    both = section["inputs"].keys() & section["outputs"].keys()
    if both:
        raise ConfigError(f"{place}: {min(both)!r} is the name of an input and of an output: rename one")


def declared_axes(entries: Mapping[str, TensorEntry]) -> list[str]:
    """Return the names of all dynamic axes of declared inputs, of whose shapes a file from elsewhere may say some."""
    return named_axes(entry.get("shape", ()) for entry in entries.values())


def check_tensor(place: str, tensor: TensorEntry) -> None:
    """Check that a declared tensor makes sense in itself.

    Raises:
        ConfigError: its domain is empty, or it names another number of features than it has.
    """
    shape, features = tensor.get("shape"), tensor.get("features")
    if features is not None and shape is not None and len(features) != (shape[-1] if shape else 0):
        last = f"the last axis of {shape} has {shape[-1]}" if shape else "a scalar has none"
        raise ConfigError(f"{place}/features names {len(features)}, but {last}")
    spelled_out(place, tensor)


def check_domain(place: str, tensor: TensorEntry, axes: list[str], *, typed: bool = True) -> None:
    """Check that an input says where its values lie, in one of the three ways.

    Args:
        typed: without a `dtype` it is float32; else a file from elsewhere says the type.

    Raises:
        ConfigError: it says nothing, or two things; it indexes an axis that no input has, or with floats; it has values
            that its type has not.
    """
    dtype = tensor.get("dtype", "float32" if typed else None)
    ways = [key for key in ("low", "values", "indexes") if key in tensor]
    if len(ways) != 1 or ("low" in tensor) != ("high" in tensor):
        raise ConfigError(f"{place} must say where its values lie: low and high, or values, or indexes; it has {ways}")
    if dtype is None:
        return
    if "indexes" in tensor and (tensor["indexes"] not in axes or dtype not in INTEGERS):
        raise ConfigError(
            f"{place}/indexes is {tensor['indexes']!r}: it must be a dynamic axis of an input ({', '.join(axes)}), and "
            "the input of dtype int64 or int32"
        )
    if dtype == "string" and not all(isinstance(value, str) for value in tensor.get("values", [0])):
        raise ConfigError(f"{place} is of dtype string: its domain must be `values`, each a text")
    if dtype != "string":
        spelled = spelled_out(place, tensor)
        check_numbers(place, dtype, tensor.get("values") or [spelled.get("low", 0), spelled.get("high", 0)])


def check_axes(place: str, section: Resolved) -> None:
    """Check what is said of dynamic axes by their names.

    Raises:
        ConfigError: there is no such axis, or see `check_range`.
    """
    axes = declared_axes(section["inputs"])
    named = {f"{place}/axes": section["axes"], f"{place}/validate/never_empty": section["validate"]["never_empty"]}
    for where, names in named.items():
        # A file from elsewhere may say its axes itself.
        for axis in names if all("shape" in tensor for tensor in section["inputs"].values()) else ():
            require_known(axis, axes, where, "dynamic axis of an input")
    for axis, entry in section["axes"].items():
        check_range(f"{place}/axes/{axis}", AxisRange(**entry))


def check_range(place: str, allowed: AxisRange) -> None:
    """Check that a range of sizes holds more than one, and the size that is traced.

    Raises:
        ConfigError: it does not.
    """
    step = f" that are multiples of {allowed.multiple}" if allowed.multiple > 1 else ""
    if allowed.largest is not None and allowed.smallest >= allowed.largest:
        raise ConfigError(
            f"{place}: from least {allowed.least} to most {allowed.most} there are not two sizes{step}: an axis of one "
            "size is not dynamic, write that size into the shape"
        )
    if allowed.traced is not None and not (allowed.allows(allowed.traced) and allowed.traced > 1):
        end = "any size" if allowed.largest is None else allowed.largest
        raise ConfigError(
            f"{place}/traced is {allowed.traced}: it must be one of the sizes from {max(allowed.smallest, 2)} to "
            f"{end}{step}"
        )
