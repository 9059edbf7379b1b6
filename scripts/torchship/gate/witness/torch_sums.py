"""Which operations of torch are sums, of how many terms, and what steps those have whose sums are within them."""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch._ops import OpOverload
from torchship.gate.witness.long_sums import LONG, running_sum, running_sums
from torchship.gate.witness.torch_operations import Arguments, Named, Operation

aten = torch.ops.aten
# Places of the argument along whose last axis products are summed.
PRODUCTS = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "vdot": 0, "addmm": 1, "baddbmm": 1, "addbmm": 1, "addmv": 1}
PRODUCTS |= {"cdist_forward": 0, "pdist_forward": 0, "addmm_activation": 1}
# What torch itself adds number by number in float32: in places that an index says, and in windows.
IN_ORDER = frozenset(
    "index_add scatter_add index_put put scatter_reduce scatter index_reduce segment_reduce "
    "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d".split()
)


def terms_of_products(done: Operation, args: Arguments) -> int:
    """Return how many products an operation sums for each of its results; 0 for one that sums none."""
    if done.name == "convolution":
        weight: Tensor = args[1]
        # A transposed one adds no more than that, and less where it has strides.
        return weight.numel() // (weight.shape[1] * args[8] if args[6] else weight.shape[0])
    return int(args[PRODUCTS[done.name]].shape[-1]) if done.name in PRODUCTS else 0


def terms_of_reduction(args: Arguments, result: object) -> int:
    """Return how many numbers of the first argument come together in one of a result; 1 where none do."""
    whole = args[0] if args else None
    if not isinstance(whole, Tensor) or not isinstance(result, Tensor) or not result.numel():
        return 1
    return max(whole.numel() // result.numel(), 1)


def summed_in_float32(func: OpOverload, done: Operation, args: Arguments, kwargs: Named, seed: int) -> Tensor | None:
    """Return what a sum gives that adds number by number in float32; None for other operations and short sums."""
    if kwargs.get("out") is not None or done.written - {0}:
        return None
    if done.name in IN_ORDER:
        found = func(*narrowed(args), **narrowed(kwargs))
        return found.double() if isinstance(found, Tensor) else None
    if done.written or done.name not in ("sum", "mean", "cumsum") or args[0].dtype != torch.float64:
        return None
    value: Tensor = args[0]
    axes = axes_at(1, args, kwargs)
    count = prod(value.shape[axis] for axis in axes) if value.dim() else 1
    if count < LONG or not value.numel():
        return None
    if done.name == "cumsum":
        return torch.from_numpy(running_sums(value.numpy(), axes[0]))
    total = torch.from_numpy(running_sum(value.numpy(), axes, seed))
    if not kwargs.get("keepdim", args[2] if len(args) > 2 else False):
        total = total.squeeze([axis % value.dim() for axis in axes])
    return total / count if done.name == "mean" else total


def narrowed(value: Any) -> Any:
    """Return arguments with their float64 tensors in float32."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype == torch.float64 else value
    if isinstance(value, dict):
        return {key: narrowed(item) for key, item in value.items()}
    return type(value)(narrowed(item) for item in value) if isinstance(value, tuple | list) else value


Steps = Callable[..., Any]


def var_mean(value: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Return variance and mean, by two sums; for all forms of `torch.var_mean`."""
    axes = axes_at(1, (value, *args), kwargs)
    # The older forms have a flag in place of a number that is taken from the count.
    flags = [given for given in args if isinstance(given, bool)]
    correction = kwargs.get("correction", int(kwargs.get("unbiased", flags[0] if flags else True)))
    keep = kwargs.get("keepdim", flags[1] if len(flags) > 1 else False)
    mean = value.mean(axes, keepdim=True)
    squares = (value - mean).square().sum(axes, keepdim=keep)
    count = prod(value.shape[axis] for axis in axes)
    return squares / max(count - (1 if correction is None else correction), 0), mean if keep else mean.squeeze(axes)


def axes_at(place: int, args: Arguments, kwargs: Named) -> list[int]:
    """Return the axes that an operation goes over, which its argument `dim` says; all where that is left out."""
    given = kwargs.get("dim", args[place] if len(args) > place else None)
    if given is None or isinstance(given, bool) or given == []:
        return list(range(args[0].dim()))
    return [given] if isinstance(given, int) else list(given)


def count_at(place: int) -> Callable[[Arguments, Named], int]:
    """Return what says over how many numbers an operation goes; 0 where it writes to what is given."""

    def count(args: Arguments, kwargs: Named) -> int:
        if "out" in kwargs or not args[0].dim():
            return 0
        return prod(args[0].shape[axis] for axis in axes_at(place, args, kwargs))

    return count


def softmax(value: Tensor, axis: int, form: object = None, *, dtype: torch.dtype | None = None) -> Tensor:
    """Return the softmax along an axis, by a sum of powers; for all of its forms."""
    powers = distances(value, axis, form, dtype).exp()
    return powers / powers.sum(axis, keepdim=True)


def log_softmax(value: Tensor, axis: int, form: object = None, *, dtype: torch.dtype | None = None) -> Tensor:
    """Return the logarithm of the softmax along an axis, by that of a sum of powers; for all of its forms."""
    shifted = distances(value, axis, form, dtype)
    return shifted - shifted.exp().sum(axis, keepdim=True).log()


def distances(value: Tensor, axis: int, form: object, dtype: torch.dtype | None) -> Tensor:
    """Return what is below the largest along an axis, in the type that is asked for, in place or by name."""
    asked = form if isinstance(form, torch.dtype) else dtype
    value = value if asked is None else value.to(asked)
    return value - value.amax(axis, keepdim=True)


# By name: the steps, and over how many numbers they go.
LONG_STEPS: dict[str, tuple[Steps, Callable[[Arguments, Named], float]]] = {
    "native_layer_norm": (decomposition_table[aten.native_layer_norm.default], lambda args, _: prod(args[1])),
    "native_group_norm": (
        decomposition_table[aten.native_group_norm.default],
        lambda args, _: args[0][0].numel() // args[6],
    ),
    "native_batch_norm": (
        decomposition_table[aten.native_batch_norm.default],
        lambda args, _: args[0].numel() // args[0].shape[1] if args[5] else 0,
    ),
    "var_mean": (var_mean, count_at(1)),
    "var": (lambda *args, **kwargs: var_mean(*args, **kwargs)[0], count_at(1)),
    "std": (lambda *args, **kwargs: var_mean(*args, **kwargs)[0].sqrt(), count_at(1)),
    "softmax": (softmax, count_at(1)),
    "safe_softmax": (decomposition_table[aten._safe_softmax.default], count_at(1)),  # noqa: SLF001
    "log_softmax": (log_softmax, count_at(1)),
    "logsumexp": (decomposition_table[aten.logsumexp.default], count_at(1)),
    "linalg_vector_norm": (decomposition_table[aten.linalg_vector_norm.default], count_at(2)),
    "norm": (decomposition_table[aten.norm.ScalarOpt_dim], count_at(2)),
}
# One operation for torch, but of several steps that round, the last of which may cancel or magnify what the first left.
ALWAYS = {"euclidean_dist": decomposition_table[aten._euclidean_dist.default]}  # noqa: SLF001 -- cdist's name


def steps_of(done: Operation, args: Arguments, kwargs: Named) -> Steps | None:
    """Return the steps that an operation is evaluated by; None where it is evaluated at once."""
    if done.name in LONG_STEPS:
        steps, count = LONG_STEPS[done.name]
        return steps if count(args, kwargs) >= LONG else None
    return ALWAYS.get(done.name)
