"""Errors in a network's own code, told as such: file, line, layer and what it was given, in one line."""

import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor, nn
from torchship.core.errors import TorchshipError, TrainingError
from torchship.models.neighbours import neighbours

# Errors that shapes or types of tensors may be the reason of.
OF_TENSORS = (RuntimeError, ValueError, IndexError)
# Tensors that are spelled out of what a layer was given, and of its own.
MOST = 4
# torch's words where float64 meets float32.
DOUBLE = re.compile(r"\b(double|float64)\b", re.IGNORECASE)


def one_line(error: BaseException) -> str:
    """Return an error's words in one line."""
    return " ".join(str(error).split()) or "no reason given"


def last_place(error: BaseException, file: Path) -> str:
    """Return the innermost place of an error within a network's file or its neighbours, or the file where none is."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{spellings(file).get(error.filename, error.filename)}, line {error.lineno}"
    place = innermost(error, file)
    return f"{place[0]}, line {place[1]}" if place else str(file)


def spellings(file: Path) -> dict[str, str]:
    """Return how a network's file and its neighbours are called in messages, by each way to spell their paths."""
    files = [file, *neighbours(file).values()]
    return {spelling: str(path) for path in files for spelling in (str(path), str(path.absolute()))}


def innermost(error: BaseException, file: Path) -> tuple[str, int] | None:
    """Return the innermost file and line of a network's own that an error passed through, if any."""
    own = spellings(file)
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        name = frame.f_code.co_filename
        # In a bundle, the neighbours are called by their place beside the file.
        if name in own or (name.endswith(".py") and not Path(name).is_absolute()):
            return own.get(name, f"{name} in {file}"), line
    return None


def layer_of(error: BaseException, module: nn.Module) -> tuple[str, nn.Module] | None:
    """Return the innermost layer of a network that an error passed through, with its name, if any."""
    names = {id(layer): name for name, layer in module.named_modules()}
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        layer = _self(frame)
        if isinstance(layer, nn.Module) and id(layer) in names:
            found = names[id(layer)], layer
    return found


def _self(frame: FrameType) -> object:
    return frame.f_locals.get("self")


@contextmanager
def told_as_theirs(module: nn.Module, file: Path) -> Iterator[None]:
    """Turn what is raised within a network into one line that says where; all else, and lack of memory, goes on.

    Raises:
        TrainingError: something was raised in the network's file, or in one of its layers.
    """
    try:
        yield
    except TorchshipError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        layer, place = layer_of(error, module), innermost(error, file)
        if layer is None and place is None:
            raise
        given = given_to(error, layer[1]) if layer is not None else ""
        raise TrainingError(described(error, layer, place, file) + given + advice(error)) from error


def out_of_memory(error: BaseException) -> bool:
    """Say whether torch had no memory for a tensor; of a CPU's it raises no type of its own."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def described(error: Exception, layer: tuple[str, nn.Module] | None, place: tuple[str, int] | None, file: Path) -> str:
    """Return an error of a network's code in one line: file, line, layer, and the error's own words."""
    where = f"{place[0]}, line {place[1]}" if place else str(file)
    if layer is not None:
        name, found = layer
        where += f", in layer {name} ({type(found).__name__})" if name else ", in Network"
    return f"{where}: {type(error).__name__}: {one_line(error)}"


def given_to(error: BaseException, layer: nn.Module) -> str:
    """Return what a layer was given, and what it has itself, with shapes and types; '' where that explains nothing."""
    if not isinstance(error, OF_TENSORS):
        return ""
    given: dict[str, Tensor] = {}
    for frame, _ in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if _self(frame) is layer and code.co_name == "forward":
            names = code.co_varnames[1 : code.co_argcount]
            given = {name: one for name in names if isinstance(one := frame.f_locals.get(name), Tensor)}
    if not given:
        return ""
    own = dict(layer.named_parameters(recurse=False))
    return f"; it was given {spelled(given)}" + (f", and has {spelled(own)}" if own else "")


def spelled(tensors: Mapping[str, Tensor]) -> str:
    """Return the names, shapes and types of some tensors, the first few."""
    words = [f"{name} {list(one.shape)} {kind(one)}" for name, one in tensors.items()]
    return ", ".join(words[:MOST]) + (f" and {len(words) - MOST} more" if words[MOST:] else "")


def kind(tensor: Tensor) -> str:
    """Return a tensor's type as the configuration spells it."""
    return str(tensor.dtype).removeprefix("torch.")


def advice(error: BaseException) -> str:
    """Return what to do about an error that many meet; nothing for others."""
    text = str(error)
    if isinstance(error, ModuleNotFoundError):
        return (
            "; put that file into models/, or that package with its exact version into each of envs/*.yaml that has "
            "torch, then `make requirements install`"
        )
    if "more than 1 value per channel" in text:
        return (
            "; the network cannot be trained on a batch of 1 event: choose train/batch_size so that no batch, nor the "
            "last of an epoch, leaves a single event to one of the processes (train/devices)"
        )
    if isinstance(error, RuntimeError) and DOUBLE.search(text):
        return (
            "; float64 meets float32 there: inputs are of the type that inputs/<name>/dtype says, float32 where it "
            "says nothing, so leave out .double() and torch.float64, or convert by .float()"
        )
    return ""
