"""Weights that were trained elsewhere: read without running anything of theirs, and fitted to a network strictly."""

import logging
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchship.core.errors import ConfigError, DataError
from torchship.models.module import build, unsaved
from torchship.models.seeds import seeded

log = logging.getLogger(__name__)

State = dict[str, Tensor]

# Keys of a checkpoint that may hold its state dict, in the order in which they are tried.
KEYS = ("state_dict", "model_state_dict", "model")
# How many names a message lists at most.
MOST = 5


def read_state(path: Path) -> tuple[State, str]:
    """Return the tensors of a weights file by name, and the key that they were under, if it was a checkpoint.

    Raises:
        DataError: it is damaged, or holds what only code could open: a pickled module, a TorchScript archive.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.suffix == ".safetensors":
        try:
            return load_file(path), ""
        except Exception as error:  # safetensors has no public type for damage
            raise DataError(f"{path} cannot be read as safetensors: {first_line(error)}") from error
    if is_torchscript(path):
        raise DataError(
            f"{path} is a TorchScript archive, which is code, and to load it runs that: where you trust it, save its "
            "weights with torch.save(torch.jit.load(path).state_dict(), 'weights.pt')"
        )
    document = unpickled(path)
    if isinstance(document, Mapping) and not holds_tensors(document):
        for key in KEYS:
            if isinstance(document.get(key), Mapping) and holds_tensors(document[key]):
                return dict(document[key]), key
    if not isinstance(document, Mapping) or not holds_tensors(document):
        what = f"a {type(document).__name__}"
        if isinstance(document, Mapping):
            what = f"a mapping with {', '.join(map(repr, list(document)[:MOST]))}"
        raise DataError(
            f"{path} is {what}, not a state dict, nor does it hold one under {', '.join(KEYS)}: save "
            "torch.save(module.state_dict(), 'weights.pt')"
        )
    return dict(document), ""


def unpickled(path: Path) -> object:
    """Return what a file of torch.save holds, as far as it is tensors, numbers, text and collections of these."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise DataError(
            f"{path} holds {f'an object of {found[1]}' if found else 'more than tensors'}, which only its code could "
            "open: where it was made, save the weights alone with torch.save(module.state_dict(), 'weights.pt')"
        ) from error
    except Exception as error:  # torch and zipfile raise what they meet in a damaged file
        raise DataError(f"{path} cannot be read by torch.load: {first_line(error)}") from error


def is_torchscript(path: Path) -> bool:
    """Tell whether a file is an archive of torch.jit.save, by its member for constants."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def holds_tensors(document: Mapping[object, object]) -> bool:
    """Tell whether a mapping is a state dict: all tensors, by name."""
    return bool(document) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in document.items())


def without_prefix(state: State, expected: Mapping[str, Tensor]) -> tuple[State, str]:
    """Return tensors without the prefix that wrappers put before their names, such as `module.`, and that prefix.

    A prefix is taken away as long as all names share it and none of them is one of the network's.
    """
    taken = ""
    while state and not state.keys() & expected.keys():
        firsts = {name.partition(".")[0] for name in state}
        if len(firsts) != 1 or not all("." in name for name in state):
            break
        (first,) = firsts
        taken += f"{first}."
        state = {name.partition(".")[2]: tensor for name, tensor in state.items()}
    return state, taken


def fitted(state: State, module: nn.Module, path: Path) -> tuple[State, list[str]]:
    """Return tensors as the network's own state, and what had to be rounded to its types.

    Raises:
        DataError: one is missing, or is one too many, or has another shape, or is not finite; or of a tensor with two
            names there are two.
    """
    expected = module.state_dict()
    state = with_twins(state, module, path)
    missing, unexpected = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    wrong = [
        f"{name} is {list(state[name].shape)} where the network has {list(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    found = {"missing": missing, "unexpected": unexpected, "of another shape": wrong}
    problems = [f"{word}: {listed(names)}" for word, names in found.items() if names]
    if problems:
        raise DataError(
            f"{path} does not fit the network: {'; '.join(problems)}; are network/arguments those that it was trained "
            "with?"
        )
    rounded = [
        f"{name} from {state[name].dtype} to {tensor.dtype}"
        for name, tensor in expected.items()
        if not same_values(state[name], tensor.dtype)
    ]
    # Tied parameters share their memory, which safetensors does not write.
    own = {name: state[name].to(tensor.dtype).clone().contiguous() for name, tensor in expected.items()}
    bad = [name for name, tensor in own.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if bad:
        raise DataError(f"{path}: {listed(bad)} hold numbers that are not finite")
    return own, [str(text).replace("torch.", "") for text in rounded]


def require_no_draws(file: Path, arguments: Mapping[str, object]) -> None:
    """Check that a network computes with nothing that is drawn at random anew in each process: weights don't hold that.

    Raises:
        ConfigError: it keeps such tensors outside of its state_dict.
    """
    found = []
    for seed in range(2):
        with seeded(seed):
            found.append(unsaved(build(file, arguments)))
    one, other = found
    drawn = sorted(name for name in one if name in other and not torch.equal(one[name], other[name]))
    if drawn:
        raise ConfigError(
            f"{file}: Network draws {', '.join(drawn)} at random, and its state_dict does not hold it: no file of "
            "weights does then; make it a persistent buffer, and save the weights with it where they were trained"
        )


def with_twins(state: State, module: nn.Module, path: Path) -> State:
    """Return tensors with each name of a tensor that has several, of which a file may give one.

    Raises:
        DataError: it gives two, and they differ.
    """
    names: dict[int, list[str]] = {}
    saved = module.state_dict().keys()
    for name, tensor in [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]:
        if name in saved:
            names.setdefault(id(tensor), []).append(name)
    whole = dict(state)
    for twins in names.values():
        first, *others = [name for name in twins if name in state] or twins
        for other in others:
            if other in state and not torch.equal(state[first], state[other]):
                raise DataError(
                    f"{path}: {first} and {other} differ, and are one and the same tensor in the network: take away "
                    "the one that is not meant, or its tie in the network"
                )
        whole |= {name: state[first] for name in twins if first in state}
    return whole


def same_values(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Tell whether another type has all values of a tensor."""
    return bool(torch.equal(tensor.to(dtype).to(tensor.dtype).nan_to_num(), tensor.nan_to_num()))


def listed(names: list[str]) -> str:
    """Spell some names, the first few."""
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if names[MOST:] else "")


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
