"""The truth about a file, found without anything of the gate: float64 against the file in plain ONNX Runtime.

Points are drawn by code of its own from the declared domain. A file is wrong if it cannot be run on them, or if more than
two events in a thousand are off by more than a thousandth of the output's standard deviation, unless torch's own float32
is as well: where a network decides (nearest neighbours, thresholds, arg-max), rounding may flip a few events.
"""

import copy
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch

# Share of the standard deviation, and share of events, beyond which an error does harm.
HARM, SHARE = 1e-3, 2e-3
EVENTS, CHUNKS = 256, 12
GRAPHS, GRAPH_EVENTS = 200, 5


@dataclass(frozen=True)
class Truth:
    """What the independent check found.

    Attributes:
        wrong: why the file is wrong, None if it is right.
        worst: largest error in standard deviations of its output.
        share: of events with an error that does harm.
        own: the same of torch's float32, or of float32 NumPy.
    """

    wrong: str | None
    worst: float
    share: float
    own: float


def ends(tensor, key):
    """Return an end of the domain, one number or one for each entry of the last axis."""
    value = tensor.get(key, {"low": 0, "high": 1}[key])  # a truth value
    if isinstance(value, dict):
        value = [value[feature] for feature in tensor["features"]]
    return np.asarray(value, dtype=np.float64)


def draw_tensor(tensor, sizes, generator, *, coarse):
    """Draw one input: uniform and, if `coarse`, a quarter of it whole and half numbers, as counts and coarse data are."""
    shape = [sizes.get(axis, axis) for axis in tensor["shape"]]
    dtype = np.dtype(tensor.get("dtype", "float32"))
    if "values" in tensor:
        return np.asarray(generator.choice(np.array(tensor["values"]), shape)).astype(dtype)
    if "indexes" in tensor:
        return generator.integers(0, sizes[tensor["indexes"]], shape, dtype=dtype)
    low, high = ends(tensor, "low"), ends(tensor, "high")
    if dtype.kind in "iub":
        return generator.integers(int(low), int(high), shape, endpoint=True).astype(dtype)
    drawn = generator.uniform(np.broadcast_to(low, shape), np.broadcast_to(high, shape))
    kind = generator.integers(0, 8, shape) if coarse else 2
    drawn = np.where(kind == 0, np.round(drawn), np.where(kind == 1, np.round(2 * drawn) / 2, drawn))
    return np.asarray(np.clip(drawn, low, high)).astype(dtype)


def draw_points(entry, generator, events=EVENTS, *, coarse=True):
    """Draw all inputs at sizes that the declaration allows; what is padded is padded, and no event is empty."""
    inputs, axes = entry["inputs"], entry.get("axes", {})
    sizes = {"batch": events}
    for axis in {a for tensor in inputs.values() for a in tensor["shape"] if isinstance(a, str)} - {"batch"}:
        least = axes.get(axis, {}).get("least", 1)
        sizes[axis] = int(generator.integers(max(least, 4), max(least, 4) + 12))
    feed = {name: draw_tensor(tensor, sizes, generator, coarse=coarse) for name, tensor in inputs.items()}
    pads = {name: tensor["padded"] for name, tensor in inputs.items() if "padded" in tensor}
    for pad in pads.values():
        feed[pad["mask"]].reshape(len(feed[pad["mask"]]), -1)[:, 0] = 1 - pad.get("where", 0)
    for name, pad in pads.items():
        feed[name] = padded(feed[name], feed[pad["mask"]], pad.get("value", 0.0), pad.get("where", 0))
    for name, change in AS_DATA.get(entry.get("data_like"), {}).items():
        feed[name] = change(feed[name], generator)
    return feed


def zeros_at_the_end(values, generator):
    """Pad events of [batch, particles, features] by particles of zeros, the first one excepted."""
    count = generator.integers(1, values.shape[1] + 1, len(values))
    return np.where((np.arange(values.shape[1]) < count[:, None])[..., None], values, values.dtype.type(0))


# What a declaration cannot say of data, by what an entry says as `data_like`.
AS_DATA = {"zero_padded": {"jets": zeros_at_the_end}}


def padded(values, mask, value, where=0):
    """Set what a mask hides; the mask has the axes of the values, or all but the last."""
    hidden = mask == where
    if hidden.ndim < values.ndim:
        hidden = hidden[..., None]
    return np.where(hidden, values.dtype.type(value), values)


def float64(module, feed):
    """Evaluate a copy of a module in float64."""
    wide, kept = copy.deepcopy(module).double().eval(), torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return numbers(wide, feed, lambda tensor: tensor.double() if tensor.is_floating_point() else tensor)
    finally:
        torch.set_default_dtype(kept)


def numbers(module, feed, change=lambda tensor: tensor):
    with torch.no_grad():
        result = module(*(change(torch.from_numpy(array.copy())) for array in feed.values()))
    return [value.numpy() for value in ([result] if isinstance(result, torch.Tensor) else result)]


def truth(content, entry, exact, single, seed=7):
    """Compare a file with the right function on many points.

    Args:
        content: the file.
        entry: the declaration.
        exact, single: functions of the inputs by name that give the outputs in order, in float64 and float32.
    """
    generator = np.random.default_rng(seed)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        return Truth(f"does not load: {str(error)[:80]}", np.inf, 1.0, 0.0)
    names = [value.name for value in session.get_outputs()]
    if [value.name for value in session.get_inputs()] != list(entry["inputs"]) or names != list(entry["outputs"]):
        return Truth("other names", np.inf, 1.0, 0.0)
    batched = all(tensor["shape"][0] == "batch" for tensor in entry["inputs"].values() if tensor["shape"])
    sizes = [EVENTS] * CHUNKS + [1, 1, 2, 7] if batched else [GRAPH_EVENTS] * GRAPHS
    feeds = [draw_points(entry, generator, events, coarse=entry.get("coarse", True)) for events in sizes]
    feeds += [
        feed
        for name, tensor in entry["inputs"].items()
        if "values" in tensor
        for feed in all_equal(entry, name, generator)
    ]
    found, wanted, own = ([[] for _ in names] for _ in range(3))
    for feed in feeds:
        try:
            results = session.run(None, feed)
        except Exception as error:
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in feed.items())
            return Truth(f"does not run on {shapes}: {str(error)[:60]}", np.inf, 1.0, 0.0)
        for place, arrays in enumerate(zip(results, exact(feed), single(feed), strict=True)):
            if np.shape(arrays[0]) != np.shape(arrays[1]):
                return Truth(f"{names[place]} has shape {np.shape(arrays[0])}", np.inf, 1.0, 0.0)
            for kept, array in zip((found, wanted, own), arrays, strict=True):
                kept[place].append(rows(array))
    return judged(names, found, wanted, own)


def all_equal(entry, name, generator):
    """Draw points with one discrete input at either of its ends: masks that hide all or nothing are in the domain."""
    for end in (min, max):
        feed = draw_points(entry, generator, GRAPH_EVENTS)
        feed[name] = np.full_like(feed[name], end(entry["inputs"][name]["values"]))
        for other, tensor in entry["inputs"].items():
            if tensor.get("padded", {}).get("mask") == name:
                feed[other] = padded(feed[other], feed[name], tensor["padded"]["value"])
        yield feed


def rows(array):
    array = np.asarray(array)
    return array.reshape(len(array), -1) if array.ndim > 1 else array.reshape(-1, 1)


def judged(names, found, wanted, own):
    """Put the errors of all outputs together."""
    worst, share, mine, wrong = 0.0, 0.0, 0.0, None
    for place, name in enumerate(names):
        # Outputs with a dynamic axis have rows of several lengths.
        deviation, reference, spread = [], [], []
        for have, want, single in zip(found[place], wanted[place], own[place], strict=True):
            spread.append(want.ravel())
            deviation.append((have, want))
            reference.append((single, want))
        values = np.concatenate(spread).astype(np.float64)
        scale = np.nanstd(values) if values.dtype.kind == "f" else 1.0
        off = np.concatenate([errors(*pair, scale) for pair in deviation])
        rounding = np.concatenate([errors(*pair, scale) for pair in reference])
        worst, share = max(worst, off.max()), max(share, (off > HARM).mean())
        mine = max(mine, (rounding > HARM).mean())
        if (off > HARM).mean() > max(SHARE, 2 * (rounding > HARM).mean()) and wrong is None:
            wrong = f"{name}: {100 * (off > HARM).mean():.2g} % of the events off, worst by {off.max():.2g} deviations"
    return Truth(wrong, float(worst), float(share), float(mine))


def errors(have, want, scale):
    """Return the largest error of each event in standard deviations; NaN equals NaN."""
    with np.errstate(all="ignore"):
        have, want = have.astype(np.float64), want.astype(np.float64)
        off = np.where((have == want) | (np.isnan(have) & np.isnan(want)), 0.0, np.abs(have - want) / (scale + 1e-30))
    return np.nan_to_num(off, nan=np.inf).max(axis=1, initial=0.0)
