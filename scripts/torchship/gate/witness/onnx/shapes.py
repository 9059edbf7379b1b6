"""Squeeze, Unsqueeze, Pad, ConvTranspose: which axes, and how far."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torchship.gate.witness.onnx.steps import Plain
from torchship.spec.arrays import Array


class OldSqueeze(Plain):
    """Squeeze with its axes as an attribute, in any order and from either end."""

    def _run(self, x: Array, axes: Sequence[int] | None = None) -> tuple[Array]:
        return (np.squeeze(x, tuple(axes) if axes else None),)


class OldUnsqueeze(Plain):
    """Unsqueeze with its axes as an attribute, in any order and from either end: they are axes of the result."""

    def _run(self, x: Array, axes: Sequence[int]) -> tuple[Array]:
        return (np.expand_dims(x, tuple(axes)),)


class Squeeze(Plain):
    """Squeeze with its axes as an input."""

    def _run(self, x: Array, axes: Array | None = None, **_: object) -> tuple[Array]:
        return (np.squeeze(x, None if axes is None else tuple(int(axis) for axis in np.ravel(axes))),)


class Unsqueeze(Plain):
    """Unsqueeze with its axes as an input."""

    def _run(self, x: Array, axes: Array, **_: object) -> tuple[Array]:
        return (np.expand_dims(x, tuple(int(axis) for axis in np.ravel(axes))),)


class OldPad(Plain):
    """Padding as an attribute; negative padding takes away."""

    def _run(self, x: Array, pads: Sequence[int], mode: str = "constant", value: float = 0.0) -> tuple[Array]:
        return (padded(x, pads, range(x.ndim), mode, value),)


class Pad(Plain):
    """Padding as an input, of some axes."""

    def _run(
        self, x: Array, pads: Array, value: Array | None = None, axes: Array | None = None, mode: str = "constant"
    ) -> tuple[Array]:
        fill = np.zeros((), x.dtype) if value is None or not np.size(value) else np.asarray(value).ravel()[0]
        chosen = range(x.ndim) if axes is None else [int(axis) % x.ndim for axis in axes]
        return (padded(x, [int(pad) for pad in pads], chosen, mode, fill),)


def padded(x: Array, pads: Sequence[int], axes: Sequence[int], mode: str, value: Any) -> Array:
    """Return an array with some axes padded, or cut where that is negative: cut first."""
    widths = [(0, 0)] * x.ndim
    for place, axis in enumerate(axes):
        widths[axis] = (pads[place], pads[place + len(axes)])
    cut = x[tuple(slice(max(0, -low), size - max(0, -high)) for (low, high), size in zip(widths, x.shape, strict=True))]
    positive = [(max(0, low), max(0, high)) for low, high in widths]
    if mode == "constant":
        return np.pad(cut, positive, constant_values=value)
    found: Array = np.pad(cut, positive, mode=mode)  # type: ignore[call-overload] # one of NumPy's names
    return found


class ConvTranspose(Plain):
    """With groups and a stated output shape, which the evaluator takes in part."""

    def _run(self, x: Array, w: Array, b: Array | None = None, **options: Any) -> tuple[Array]:
        count, group = x.ndim - 2, options.get("group") or 1
        kernel, sizes = w.shape[2:], x.shape[2:]
        strides, dilations = (options.get(name) or [1] * count for name in ("strides", "dilations"))
        extra, pads = options.get("output_padding") or [0] * count, options.get("pads") or [0] * (2 * count)
        automatic, wanted = options.get("auto_pad") or "NOTSET", options.get("output_shape")
        full = [strides[a] * (sizes[a] - 1) + (kernel[a] - 1) * dilations[a] + 1 + extra[a] for a in range(count)]
        if automatic.startswith("SAME") and not wanted:
            wanted = [sizes[a] * strides[a] for a in range(count)]
        if wanted:
            total = [full[a] - wanted[-count + a] for a in range(count)]
            first = [t // 2 if automatic == "SAME_UPPER" else t - t // 2 for t in total]
            pads = [*first, *(t - f for t, f in zip(total, first, strict=True))]
        grouped = x.reshape(len(x), group, -1, *sizes)
        weights = w.reshape(group, -1, w.shape[1], *kernel)
        result = np.zeros((len(x), group, w.shape[1], *full), x.dtype)
        for offset in np.ndindex(*kernel):
            part = np.einsum("ngi...,gio->ngo...", grouped, weights[(..., *offset)])
            where: Any = tuple(
                slice(offset[a] * dilations[a], offset[a] * dilations[a] + strides[a] * (sizes[a] - 1) + 1, strides[a])
                for a in range(count)
            )
            result[(..., *where)] += part
        result = result.reshape(len(x), -1, *full)
        result = padded(result, [-pad for pad in pads], range(2, x.ndim), "constant", 0.0)
        return (result if b is None else result + b.reshape(1, -1, *[1] * count),)
