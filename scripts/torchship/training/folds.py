"""Folds: the events of the training and the validation set together, of which each fold validates on others."""

from collections.abc import Mapping

import torch
from torchship.core.errors import DataError
from torchship.training.events import EventDataset

# So few events to validate on say nothing.
LEAST = 2


def of_fold(sets: Mapping[str, EventDataset], fold: int, count: int) -> dict[str, EventDataset]:
    """Return the two sets of a fold.

    The events of both sets are numbered, those of the training set first. A fold validates on those whose number modulo
    the number of folds is its own, and trains on the others.

    Raises:
        DataError: there are too few events for so many folds.
    """
    first, second = sets["train"], sets["validation"]
    inputs, targets = (
        tuple(torch.cat(pair) for pair in zip(*both, strict=True))
        for both in ((first.inputs, second.inputs), (first.targets, second.targets))
    )
    whole = EventDataset(inputs, targets)
    if len(whole) < LEAST * count:
        raise DataError(
            f"train/folds is {count}, but the training and the validation set have {len(whole)} events together: each "
            f"fold needs {LEAST} or more to validate on; lower it, or give more data"
        )
    own = torch.arange(len(whole)) % count == fold
    places = {"train": torch.nonzero(~own).flatten(), "validation": torch.nonzero(own).flatten()}
    return {split: EventDataset(*whole[index]) for split, index in places.items()}
