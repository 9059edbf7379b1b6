"""What inputs, outputs and axes are called in a package for CMSSW, each name once. Standard library only."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod

from torchship.codegen.common import identifier
from torchship.spec.tensor import Tensors


@dataclass(frozen=True)
class Port:
    """An input or output as the package calls it.

    Attributes:
        name: in the file.
        identifier: in C++.
        parameter: of the module.
        instance: of the product; CMSSW's have letters and digits alone.
        length: the numbers of one event; 0 where that varies.
        sizes: its shape as C++ spells it, with `events` for the batch and `sizes[i]` for further dynamic axes.
        features: of its last axis.
        comment: what it is.
    """

    name: str
    identifier: str
    parameter: str
    instance: str
    length: int
    sizes: tuple[str, ...]
    features: tuple[str, ...]
    comment: str


def ports(tensors: Tensors, axes: Sequence[str]) -> list[Port]:
    """Return inputs or outputs as a package calls them; each name once."""
    found: list[Port] = []
    for name, tensor in tensors.items():
        plain = unique(identifier(name), [port.identifier for port in found])
        instance = unique(letters(name), [port.instance for port in found])
        event = tensor.shape[1:]
        fixed = [axis for axis in event if isinstance(axis, int)]
        # Of an output an axis may be no input's; nobody asks for its sizes.
        places = {axis: f"sizes[{place}]" for place, axis in enumerate(axes)}
        sizes = [places.get(str(axis), str(axis)) for axis in event]
        found.append(
            Port(
                name,
                plain,
                f"input_{plain}",
                instance,
                length=prod(fixed) if len(fixed) == len(event) else 0,
                sizes=("events", *sizes),
                features=tensor.features or (),
                comment=f"{name} [{', '.join(map(str, tensor.shape))}]" + (f" in {tensor.unit}" if tensor.unit else ""),
            )
        )
    return found


def letters(name: str) -> str:
    """Return what is left of a name in CMSSW's products: letters and digits."""
    return "".join(char for char in name if char.isascii() and char.isalnum())


def unique(name: str, taken: Collection[str]) -> str:
    """Return a name that is not taken yet."""
    choices = (name, *(f"{name}{number}x" for number in range(len(taken) + 1)))
    return next(choice for choice in choices if choice and choice not in taken)


def axis_names(axes: Sequence[str], taken: Collection[str]) -> list[dict[str, str]]:
    """Return further dynamic axes as a package calls them, with instances that no input has."""
    found: list[dict[str, str]] = []
    for axis in axes:
        instance = unique(letters(axis), {*taken, *(one["instance"] for one in found)})
        found.append({"name": axis, "parameter": f"size_{axis}", "instance": instance})
    return found
