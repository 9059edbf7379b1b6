"""Random starts of a network: what is drawn, from which seed, and which parameters stay as they are."""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchship.config.naming import suggest
from torchship.core.errors import ConfigError
from torchship.models.module import build
from torchship.spec.section import Start


def derived_seed(purpose: str, seed: int, count: int) -> int:
    """Return a seed of its own to one of many things of a run, such as a replica's random start or an epoch.

    torch keeps 32 bits of a seed, so counting up from a hashed base makes no two of a purpose equal, as 32 hashed bits
    each would.
    """
    base = int.from_bytes(hashlib.blake2b(f"{purpose}/{seed}".encode(), digest_size=4).digest(), "big")
    return (base + count) % 2**32


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed what layers such as Dropout draw from on a device.

    NumPy's and Python's generators too: a network may augment its events by them. torch.manual_seed seeds all devices
    there could be, and keeps a traceback for each: as long as some steps take.
    """
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def random_network(
    file: Path, arguments: Mapping[str, object], weights: Start, seed: int, frozen: Sequence[str] = ()
) -> nn.Module:
    """Build a network with a random start, which depends on `seed` alone; torch's own generator is left alone.

    Args:
        weights: `distribution` normal draws every parameter with two or more axes from N(mean, std), but for those
            that are frozen, by the file or by name.
        frozen: names of parameters or modules, or patterns of such, that are not trained.
    """
    with seeded(seed):
        module = build(file, arguments)
        freeze(module, frozen)
        if weights["distribution"] == "normal":
            for parameter in module.parameters():
                if parameter.dim() > 1 and parameter.requires_grad:
                    nn.init.normal_(parameter, weights["mean"], weights["std"])
        return module


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed for a while all that a network's file may draw its start from: torch, NumPy, and Python itself."""
    numbers, others = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numbers)
            random.setstate(others)


def in_mode(module: nn.Module, *, training: bool, frozen: Sequence[str]) -> nn.Module:
    """Put a network in training or evaluation mode; what `frozen` names whole stays in evaluation mode.

    torch would let the BatchNorm of a frozen module follow the data all the same, and its Dropout drop.
    """
    module.train(training)
    for name, part in module.named_modules() if frozen and training else ():
        own = [inner for inner, _ in part.named_parameters(prefix=name)]
        if own and all(any(is_named(one, pattern) for pattern in frozen) for one in own):
            part.eval()
    return module


def is_named(parameter: str, pattern: str) -> bool:
    """Say whether `train/frozen` means a parameter by a pattern: by its name, or by that of a module that has it."""
    return fnmatchcase(parameter, pattern) or parameter.startswith(f"{pattern}.")


def freeze(module: nn.Module, frozen: Sequence[str]) -> None:
    """Take the parameters that are called so out of the training.

    Raises:
        ConfigError: a name or pattern that fits none.
    """
    # A parameter with two names is frozen by either.
    named = dict(module.named_parameters(remove_duplicate=False))
    for pattern in frozen:
        fitting = [name for name in named if is_named(name, pattern)]
        if not fitting:
            raise ConfigError(
                f"train/frozen: no parameter of the network is called {pattern!r}{suggest(pattern, named)}; "
                f"it has {', '.join(sorted(named)) or 'none'}"
            )
        for name in fitting:
            named[name].requires_grad = False
