"""Errors in a network's own code, told as such: file, line and layer, in one line."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from torch import nn
from torchship.core.errors import TorchshipError, TrainingError
from torchship.models.neighbours import neighbours


def one_line(error: BaseException) -> str:
    """Return an error's words in one line."""
    return " ".join(str(error).split()) or "no reason given"


def last_place(error: BaseException, file: Path) -> str:
    """Return the innermost place of an error within a network's file or its neighbours, or the file where none is."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    place = innermost(error, file)
    return f"{place[0]}, line {place[1]}" if place else str(file)


def innermost(error: BaseException, file: Path) -> tuple[str, int] | None:
    files = [file, *neighbours(file).values()]
    own = {spelling: str(path) for path in files for spelling in (str(path), str(path.absolute()))}
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
    """Turn what is raised within a network into one line that says where; all else goes on as it is.

    Raises:
        TrainingError: something was raised in the network's file, or in one of its layers.
    """
    try:
        yield
    except TorchshipError:
        raise
    except Exception as error:
        layer, place = layer_of(error, module), innermost(error, file)
        if layer is None and place is None:
            raise
        raise TrainingError(described(error, layer, place, file) + advice(error)) from error


def described(error: Exception, layer: tuple[str, nn.Module] | None, place: tuple[str, int] | None, file: Path) -> str:
    """Return an error of a network's code in one line: file, line, layer, and the error's own words."""
    where = f"{place[0]}, line {place[1]}" if place else str(file)
    if layer is not None:
        name, found = layer
        where += f", in layer {name} ({type(found).__name__})" if name else ", in Network"
    return f"{where}: {type(error).__name__}: {one_line(error)}"


def advice(error: Exception) -> str:
    """Return what to do about an error that torch's norms raise for a single event; nothing for others."""
    if "more than 1 value per channel" not in str(error):
        return ""
    return (
        "; the network cannot be trained on a batch of 1 event: choose train/batch_size so that no batch, nor the last "
        "of an epoch, leaves a single event to one of the processes (train/devices)"
    )
