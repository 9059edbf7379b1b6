"""The order of the events in each epoch, a replica's own: from a counter-based hash instead of a shared generator."""

import torch
from torch import Tensor


def event_order(seed: int, replicas: int, epoch: int, events: int, device: torch.device, first: int = 0) -> Tensor:
    """Return each replica's own random order of the events in one epoch, [replicas, events]."""
    numbers = torch.arange(first, first + replicas, device=device).unsqueeze(1)
    return orders(seed, numbers, torch.tensor(epoch, device=device), events)


def epoch_orders(seed: int, replica: int, epochs: range, events: int, device: torch.device) -> Tensor:
    """Return one replica's orders in some epochs, [epochs, events]: those that `event_order` gives it."""
    numbers = torch.arange(epochs.start, epochs.stop, device=device).unsqueeze(1)
    return orders(seed, torch.tensor(replica, device=device), numbers, events)


def orders(seed: int, replica: Tensor, epoch: Tensor, events: int) -> Tensor:
    """Return orders of events by replica and epoch, which are broadcast against each other, [..., events].

    The sort keys are a hash of (seed, epoch, replica, event): no state, so a resumed run goes on with the same orders.
    The hash is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    """
    event = torch.arange(events, device=replica.device).unsqueeze(0)
    key = mix(mix(mix(torch.tensor(seed, device=replica.device)) + epoch) + replica)
    return torch.argsort(mix(key + event), dim=1, stable=True)


def mix(key: Tensor) -> Tensor:
    """Hash 64-bit integers elementwise: SplitMix64's increment and finaliser, in wrapping arithmetic."""
    key = key + signed(0x9E3779B97F4A7C15)
    key = (key ^ logical_shift(key, 30)) * signed(0xBF58476D1CE4E5B9)
    key = (key ^ logical_shift(key, 27)) * signed(0x94D049BB133111EB)
    hashed: Tensor = key ^ logical_shift(key, 31)
    return hashed


def signed(value: int) -> int:
    """Return the signed 64-bit integer with the same bits as an unsigned one: torch has few unsigned operations."""
    return value - 2**64 if value >= 2**63 else value


def logical_shift(key: Tensor, bits: int) -> Tensor:
    """Shift right and fill with zeros, where torch's own >> fills with the sign."""
    shifted: Tensor = (key >> bits) & (2 ** (64 - bits) - 1)
    return shifted
