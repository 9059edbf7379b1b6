"""Resize, Upsample and the pools, a matrix or a window for each axis instead of loops over the elements."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun
from torchship.gate.witness.onnx.steps import Operator
from torchship.spec.arrays import Array


class Resize(Operator):
    """Resize of opset 10 and newer: one matrix for each axis, as all its modes are separable.

    Scales and sizes are taken as they are; coordinates are rounded as float32 arithmetic rounds them, where they are
    weights of an interpolation.
    """

    def _run(self, x: Array, *more: Array | None, **attributes: Any) -> tuple[Array]:
        # Opset 10 has X and scales; later X, roi, scales, sizes.
        old = self.run_params["opsets"].get("", 1) < 11
        region, scales, sizes = (None, more[0], None) if old else (*more, None, None, None)[:3]
        if old:
            attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "simple"}
        return (self.resized(x, region, scales, sizes, attributes),)

    def resized(
        self, x: Array, region: Array | None, scales: Array | None, sizes: Array | None, options: dict[str, Any]
    ) -> Array:
        """Return an array of another size."""
        axes = [axis % x.ndim for axis in options.get("axes") or range(x.ndim)]
        old = [x.shape[axis] for axis in axes]
        if scales is not None and scales.size:
            factors = [float(scale) for scale in scales]
            # As float32 multiplies, which decides on which side of a whole number the size falls.
            new = [
                int(np.floor(np.float32(size) * np.float32(scale))) for size, scale in zip(old, factors, strict=True)
            ]
        else:
            assert sizes is not None  # noqa: S101 -- one of the two is there in a valid file
            new, factors = fitted_sizes(
                old, [int(size) for size in sizes], options.get("keep_aspect_ratio_policy", "stretch")
            )
        regions = np.zeros(2 * len(axes)) if region is None or not region.size else np.asarray(region, np.float64)
        inexact = options.get("mode", "nearest") != "nearest"
        result = np.asarray(self.r(x) if inexact else x)
        for place, (axis, before, after, factor) in enumerate(zip(axes, old, new, factors, strict=True)):
            ends = (float(regions[place]), float(regions[place + len(axes)]))
            if before == after and factor == 1.0 and options["coordinate_transformation_mode"] != "tf_crop_and_resize":
                continue
            where = coordinates(before, after, factor, ends, options["coordinate_transformation_mode"])
            outside = (where < 0) | (where > before - 1)
            if not inexact:
                chosen = np.clip(nearest(where, options["nearest_mode"], factor), 0, before - 1)
                result = np.take(result, chosen, axis)
            else:
                matrix = self.r(weights(self.r(where), before, factor, options, self.r)).astype(x.dtype)
                result = np.moveaxis(np.tensordot(result, matrix, ([axis], [1])), -1, axis)
            if options["coordinate_transformation_mode"] == "tf_crop_and_resize" and outside.any():
                shape = [-1 if place == axis else 1 for place in range(x.ndim)]
                fill = np.asarray(options.get("extrapolation_value", 0.0), x.dtype)
                result = np.where(outside.reshape(shape), fill, result)
        return np.asarray(self.r(result) if inexact else result).astype(x.dtype)


def fitted_sizes(old: Sequence[int], sizes: Sequence[int], policy: str) -> tuple[list[int], list[float]]:
    """Return the new sizes and the scales that belong to them."""
    factors = [new / before for new, before in zip(sizes, old, strict=True)]
    if policy == "stretch":
        return list(sizes), factors
    factor = min(factors) if policy == "not_larger" else max(factors)
    return [int(np.floor(factor * before + 0.5)) for before in old], [factor] * len(old)


def coordinates(before: int, after: int, scale: float, ends: tuple[float, float], mode: str) -> Array:
    """Return where each new element lies among the old ones."""
    place = np.arange(after, dtype=np.float64)
    half = (place + 0.5) / scale
    start, end = ends
    single = after == 1
    known = {
        "half_pixel": half - 0.5,
        "half_pixel_symmetric": before / 2 * (1 - after / (scale * before)) + half - 0.5,
        "pytorch_half_pixel": np.zeros(after) if single else half - 0.5,
        "align_corners": np.zeros(after) if single else place * (before - 1) / max(after - 1, 1),
        "asymmetric": place / scale,
        "tf_half_pixel_for_nn": half,
        "tf_crop_and_resize": np.full(after, 0.5 * (start + end) * (before - 1))
        if single
        else start * (before - 1) + place * (end - start) * (before - 1) / max(after - 1, 1),
    }
    if mode not in known:
        raise NotImplementedError(f"Resize with coordinate_transformation_mode {mode!r}")
    return known[mode]


def nearest(where: Array, mode: str, scale: float) -> Array:
    """Return the old element of each new one."""
    match mode:
        case "round_prefer_floor":
            found = np.ceil(where - 0.5)
        case "round_prefer_ceil":
            found = np.floor(where + 0.5)
        case "floor":
            found = np.floor(where)
        case "ceil":
            found = np.ceil(where)
        case _:  # before opset 11 nothing is specified; ONNX Runtime rounds up when it makes smaller
            found = np.ceil(where) if scale < 1 else np.floor(where)
    return found.astype(np.int64)


def weights(
    where: Array, before: int, scale: float, options: dict[str, Any], rounded: Callable[[Array], Array]
) -> Array:
    """Return the matrix [new, old] of an interpolation; what lies outside counts as the element at the end."""
    cubic = options["mode"] == "cubic"
    smooth = bool(options.get("antialias", 0)) and scale < 1
    stretch = scale if smooth else 1.0
    reach = int(np.ceil((2 if cubic else 1) / stretch))
    offsets = np.arange(-reach, reach + 1)
    neighbours = np.floor(where)[:, None] + offsets
    distance = np.abs(neighbours - where[:, None]) * stretch
    if cubic:
        a = options.get("cubic_coeff_a", -0.75)
        # Each term is rounded: they cancel.
        near = rounded((a + 2) * distance**3) - rounded((a + 3) * distance**2) + 1
        far = rounded(a * distance**3) - rounded(5 * a * distance**2) + rounded(8 * a * distance) - 4 * a
        values = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    else:
        values = np.maximum(1 - distance, 0.0)
    outside = (neighbours < 0) | (neighbours >= before)
    if options.get("exclude_outside", 0):
        values = np.where(outside, 0.0, values)
    if options.get("exclude_outside", 0) or smooth:
        values = values / values.sum(1, keepdims=True)
    matrix = np.zeros((len(where), before))
    np.add.at(matrix, (np.arange(len(where))[:, None], np.clip(neighbours, 0, before - 1).astype(np.int64)), values)
    return matrix


class Upsample(Resize):
    """Upsample of opsets 7 (scales as an attribute) and 9."""

    def _run(self, x: Array, *more: Array | None, mode: str = "nearest", **attributes: Any) -> tuple[Array]:
        scales = more[0] if more else None
        factors = np.asarray(attributes["scales"] if scales is None else scales)
        options = {"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "simple"}
        return (self.resized(x, None, factors, None, options),)


class Pool(Operator):
    """What the pools have in common: windows [..., out_1, kernel_1, out_2, kernel_2, ...]."""

    def windows(
        self, x: Array, fill: float, options: dict[str, Any]
    ) -> tuple[Array, list[Array], list[tuple[int, int]]]:
        """Return the windows, the place of each entry on each axis [out, kernel], and the padding."""
        kernel = options["kernel_shape"]
        count = len(kernel)
        strides = options.get("strides") or [1] * count
        dilations = options.get("dilations") or [1] * count
        pads = options.get("pads") or [0] * (2 * count)
        automatic = options.get("auto_pad") or "NOTSET"
        places, padding = [], []
        windows = x
        for axis in range(count):
            size, reach = x.shape[axis + 2], (kernel[axis] - 1) * dilations[axis] + 1
            before, after = pads[axis], pads[axis + count]
            if automatic.startswith("SAME"):
                number = -(-size // strides[axis])
                total = max((number - 1) * strides[axis] + reach - size, 0)
                before = total // 2 if automatic == "SAME_UPPER" else total - total // 2
                after = total - before
            else:
                if automatic == "VALID":
                    before = after = 0
                room = size + before + after - reach
                number = (-(-room // strides[axis]) if options.get("ceil_mode") else room // strides[axis]) + 1
                if options.get("ceil_mode") and (number - 1) * strides[axis] >= size + before:
                    number -= 1  # no window begins in the padding behind
            place = np.arange(number)[:, None] * strides[axis] + np.arange(kernel[axis]) * dilations[axis] - before
            places.append(place)
            padding.append((before, after))
            # The axes before have become two each.
            at = 2 + 2 * axis
            inside = (place >= 0) & (place < size)
            windows = np.take(windows, np.clip(place, 0, max(size - 1, 0)), at)
            shape = [1] * windows.ndim
            shape[at : at + 2] = place.shape
            windows = np.where(inside.reshape(shape), windows, fill)
        return windows.astype(x.dtype), places, padding

    def summed(self, windows: Array, count: int) -> Array:
        """Return the sum of each window, as the kernels add one by one."""
        total: Array = windows.sum(kernel_axes(count))
        if self.monitor is None or self.monitor.strength is None:
            return total
        flat = np.moveaxis(windows, kernel_axes(count), range(-count, 0)).reshape(*total.shape, -1)
        return np.reshape(self.mean(flat, [-1]) * flat.shape[-1], total.shape)


def kernel_axes(count: int) -> tuple[int, ...]:
    """Return the axes of windows that lie in the kernel."""
    return tuple(3 + 2 * axis for axis in range(count))


def outer(parts: Sequence[Array]) -> Array:
    """Return the product of one number for each axis."""
    total = np.ones(())
    for part in parts:
        total = np.multiply.outer(total, part)
    return total


class AveragePool(Pool):
    """The mean of a window; padding counts or not, what lies beyond the padding never does."""

    def _run(self, x: Array, **options: Any) -> tuple[Array]:
        windows, places, padding = self.windows(self.r(x), 0.0, options)
        total = self.summed(windows, len(places))
        counts = []
        for place, (before, after), size in zip(places, padding, x.shape[2:], strict=True):
            low, high = (-before, size + after) if options.get("count_include_pad") else (0, size)
            counts.append(((place >= low) & (place < high)).sum(1))
        return (self.r(total / outer(counts)).astype(x.dtype),)


class LpPool(Pool):
    """The p-norm of a window."""

    def _run(self, x: Array, p: int = 2, **options: Any) -> tuple[Array]:
        windows, places, _ = self.windows(self.r(np.abs(x) ** p), 0.0, options)
        return (self.r(self.summed(windows, len(places)) ** (1.0 / p)).astype(x.dtype),)


class MaxPool(Pool):
    """The largest of a window, and where that is."""

    def _run(self, x: Array, storage_order: int = 0, **options: Any) -> tuple[Array, ...]:
        least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        windows, places, _ = self.windows(x, least, options)
        count = len(places)
        axes = kernel_axes(count)
        if len([name for name in self.onnx_node.output if name]) == 1:
            return (windows.max(axes),)
        flat = np.moveaxis(windows, axes, range(-count, 0))
        shape = flat.shape[:-count]
        flat = flat.reshape(*shape, -1)
        chosen = np.unravel_index(flat.argmax(-1), [place.shape[1] for place in places])
        sizes = x.shape[2:]
        order = range(count) if not storage_order else range(count - 1, -1, -1)
        index = np.zeros(shape, np.int64)
        for axis in order:
            own = np.arange(shape[2 + axis]).reshape([-1 if at == 2 + axis else 1 for at in range(len(shape))])
            index = index * sizes[axis] + places[axis][own, chosen[axis]]
        channel = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * count)
        return flat.max(-1), index + channel * int(np.prod(sizes))


OPERATORS: dict[str, type[OpRun]] = {kind.__name__: kind for kind in (Resize, Upsample, AveragePool, LpPool, MaxPool)}
