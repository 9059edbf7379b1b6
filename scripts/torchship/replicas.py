"""Many copies of one network, side by side: parameters with a leading replica axis.

Every replica's numbers are the same to the last bit however many are trained beside it. Three things make that so:
a random start from a seed of its own, an order of events from a counter-based hash instead of a shared generator,
and a replica axis padded to a multiple of `BLOCK`, so that vectorised kernels have no remainder to treat differently.
Layers that draw random numbers while training, such as Dropout, are the exception: their draws are for all replicas.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torchship.networks import build, derived_seed, random_start

# More than the lanes of any CPU's vector unit times the unrolling of torch's loops: AVX-512 takes 16 floats, 4 times.
BLOCK = 64

State = dict[str, Tensor]


class Replicas:
    """`count` random starts of one network, padded to a multiple of `BLOCK`.

    Args:
        knobs: the section `train` of the configuration: how many, which is the first, how they start.

    Attributes:
        first: the number of the first one in the series of all starts that a seed has.
        count: replicas asked for; only they are reported.
        padded: replicas computed.
        parameters: by name, [padded, ...], leaves that require gradients.
        buffers: by name, [padded, ...].
    """

    def __init__(
        self,
        file: Path,
        arguments: Mapping[str, Any],
        knobs: Mapping[str, Any],
        seed: int,
        device: torch.device,
    ) -> None:
        self.first, self.count = knobs["first_replica"], knobs["replicas"]
        self.padded = -(-self.count // BLOCK) * BLOCK
        self.seeds = [derived_seed("start", seed, self.first + place) for place in range(self.padded)]
        starts = [random_start(file, arguments, knobs["weights"], start) for start in self.seeds]
        # functional_call puts the replicas' tensors in place of the skeleton's own.
        self.skeleton = build(file, arguments).to("meta")
        learned = {name for name, _ in self.skeleton.named_parameters()}
        stacked = {name: torch.stack([start[name] for start in starts]).to(device) for name in starts[0]}
        self.parameters: State = {name: nn.Parameter(stacked[name]) for name in sorted(learned)}
        self.buffers: State = {name: stacked[name] for name in sorted(stacked.keys() - learned)}

    def __call__(self, inputs: Sequence[Tensor], *, training: bool, shared: bool = False) -> Tensor:
        """Give the first output of each replica, [padded, events, ...].

        Args:
            inputs: the network's inputs in order: [padded, events, ...], or [events, ...] if `shared` by all replicas.
            training: whether layers such as BatchNorm and Dropout behave as in training.
        """
        self.skeleton.train(training)
        axis = None if shared else 0
        mapped = vmap(self._call, in_dims=(0, 0, *(axis for _ in inputs)), randomness="different")
        output: Tensor = mapped(self.parameters, self.buffers, *inputs)
        return output

    def _call(self, parameters: State, buffers: State, *inputs: Tensor) -> Tensor:
        result = functional_call(self.skeleton, (parameters, buffers), inputs)
        first: Tensor = result[0] if isinstance(result, tuple) else result
        return first

    def state(self, replica: int) -> State:
        """Give one replica's parameters and buffers, without the replica axis."""
        return {name: tensor[replica].detach().clone() for name, tensor in {**self.parameters, **self.buffers}.items()}


def event_order(seed: int, replicas: int, epoch: int, events: int, device: torch.device, first: int = 0) -> Tensor:
    """Give each replica its own random order of the events in one epoch, [replicas, events].

    The sort keys are a hash of (seed, epoch, replica, event): no state, so a resumed run goes on with the same orders.
    The hash is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    """
    replica = torch.arange(first, first + replicas, device=device).unsqueeze(1)
    event = torch.arange(events, device=device).unsqueeze(0)
    key = mix(mix(mix(torch.tensor(seed, device=device)) + epoch) + replica)
    return torch.argsort(mix(key + event), dim=1, stable=True)


def mix(key: Tensor) -> Tensor:
    """Hash 64-bit integers elementwise: SplitMix64's increment and finaliser, in wrapping arithmetic."""
    key = key + signed(0x9E3779B97F4A7C15)
    key = (key ^ logical_shift(key, 30)) * signed(0xBF58476D1CE4E5B9)
    key = (key ^ logical_shift(key, 27)) * signed(0x94D049BB133111EB)
    hashed: Tensor = key ^ logical_shift(key, 31)
    return hashed


def signed(value: int) -> int:
    """Give the signed 64-bit integer with the same bits as an unsigned one: torch has few unsigned operations."""
    return value - 2**64 if value >= 2**63 else value


def logical_shift(key: Tensor, bits: int) -> Tensor:
    """Shift right and fill with zeros, where torch's own >> fills with the sign."""
    shifted: Tensor = (key >> bits) & (2 ** (64 - bits) - 1)
    return shifted


def per_replica(loss: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Give a loss by its name in the configuration, from outputs and targets [replicas, events, ...] to [replicas]."""
    functional: Any = {
        "binary_cross_entropy": _binary_cross_entropy,
        "binary_cross_entropy_with_logits": nn.functional.binary_cross_entropy_with_logits,
        "cross_entropy": _cross_entropy,
        "mean_squared_error": nn.functional.mse_loss,
    }[loss]

    def mean(output: Tensor, target: Tensor) -> Tensor:
        losses: Tensor = functional(output, target, reduction="none").flatten(1).mean(1)
        return losses

    return mean


def _binary_cross_entropy(output: Tensor, target: Tensor, *, reduction: str) -> Tensor:
    # torch's own stops the process at a NaN, which only says that one replica of many has diverged.
    diverged = output.isnan()
    loss = nn.functional.binary_cross_entropy(output.masked_fill(diverged, 0.5), target, reduction=reduction)
    return loss.masked_fill(diverged, torch.nan)


def _cross_entropy(output: Tensor, target: Tensor, *, reduction: str) -> Tensor:
    # torch wants the classes on axis 1: [replicas, events, classes] -> [replicas, classes, events].
    return nn.functional.cross_entropy(output.movedim(-1, 1), target.reshape(output.shape[:-1]), reduction=reduction)


def accuracy(output: Tensor, target: Tensor, threshold: float) -> Tensor:
    """Give the share of right decisions, [replicas], of outputs and targets [replicas, events, classes or 1]."""
    decided = output.squeeze(-1) > threshold if output.shape[-1] == 1 else output.argmax(-1)
    return (decided == target.reshape(decided.shape)).float().mean(1)
