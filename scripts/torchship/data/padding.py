"""Padding that is tied to a mask: where a mask hides entries of an input, these hold one declared value.

A mask's axes are the first ones of what it hides, [batch, particles] of [batch, particles, 4]; an axis of length 1 is
that of all, [batch, 1, particles] of [batch, 4, particles].
"""

import numpy as np
from torchship.spec.arrays import Array, Feed
from torchship.spec.tensor import Padding, Tensor, Tensors


def masks(inputs: Tensors) -> dict[str, int]:
    """Return the value by which each mask hides an entry, of all inputs that are masks of others, by name."""
    return {tensor.padded.mask: tensor.padded.where for tensor in inputs.values() if tensor.padded is not None}


def hidden(tensor: Tensor, feed: Feed, rank: int) -> Array:
    """Return which entries of a tensor of some rank are padding, as an array that broadcasts against it."""
    if tensor.padded is None:
        return np.zeros((1,) * rank, dtype=bool)
    mask = feed[tensor.padded.mask]
    found: Array = mask == tensor.padded.where
    return found.reshape(*found.shape, *[1] * (rank - found.ndim))


def padding_of(padded: Padding, dtype: np.dtype[np.generic]) -> Array:
    """Return the value that padding has, in the type of the tensor's elements."""
    return np.asarray(padded.value).astype(dtype)


def pad(inputs: Tensors, feed: Feed) -> dict[str, Array]:
    """Return inputs with padding wherever their masks hide an entry, after the masks show as many as declared."""
    shown = enough_shown(inputs, feed)
    return {
        name: np.where(hidden(inputs[name], shown, array.ndim), padding_of(padded, array.dtype), array)
        if (padded := inputs[name].padded) is not None
        else array
        for name, array in shown.items()
    }


def shown_at_least(inputs: Tensors) -> dict[str, int]:
    """Return how many entries of its last axis each mask shows at least, of all inputs that are masks, by name."""
    found: dict[str, int] = {}
    for tensor in inputs.values():
        if tensor.padded is not None:
            mask = tensor.padded.mask
            found[mask] = max(found.get(mask, 0), tensor.padded.shown)
    return found


def enough_shown(inputs: Tensors, feed: Feed) -> dict[str, Array]:
    """Return inputs whose masks show as many entries as declared: the first ones where they showed fewer."""
    found, hides = dict(feed), masks(inputs)
    for name, least in shown_at_least(inputs).items():
        mask = found[name]
        if not least or not mask.size:
            continue
        few = (mask != hides[name]).sum(axis=-1, keepdims=True) < least
        first = np.arange(mask.shape[-1]) < least
        found[name] = np.where(few & first, np.asarray(1 - hides[name]).astype(mask.dtype), mask)
    return found


def repad(inputs: Tensors, feed: Feed, was_padding: Feed, fresh: Feed) -> dict[str, Array]:
    """Return inputs that follow their masks anew: hidden entries are padded, those that were padding are drawn.

    Args:
        was_padding: by input, which of its entries were padding before the masks changed.
        fresh: by input, draws from its domain.
    """
    revealed = {
        name: np.where(was_padding[name], fresh[name], array) if inputs[name].padded is not None else array
        for name, array in feed.items()
    }
    return pad(inputs, revealed)


def half_trailing(mask: Array, where: int, generator: np.random.Generator) -> Array:
    """Return a mask of whose rows along the last axis half hide all entries from some place on, as data mostly do."""
    kept = generator.integers(0, mask.shape[-1], mask.shape[:-1], endpoint=True)[..., None]
    chosen = generator.random(mask.shape[:-1])[..., None] < 0.5
    trailing = np.where(np.arange(mask.shape[-1]) < kept, 1 - where, where).astype(mask.dtype)
    drawn: Array = np.where(chosen, trailing, mask)
    return drawn
