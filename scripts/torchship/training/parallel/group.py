"""The processes that train one model together with DistributedDataParallel, each on its share of every batch."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed
from torch import Tensor, nn
from torchship.core import errors
from torchship.core.errors import TorchshipError, TrainingError
from torchship.core.files import read_json, write_json, write_text

# Seconds that processes have for a checkpoint after a signal. profiles/slurm has it sent 120 seconds before the end.
GRACE = 90


@dataclass(frozen=True)
class Processes:
    """The processes of a training, seen from one of them; only the first one writes files and the log."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Tell whether this is the one that writes."""
        return self.rank == 0

    def share(self, index: Tensor) -> Tensor:
        """Return this process's share of a batch of event numbers, [replicas, events].

        If there are fewer events than processes, some get the last event again, since a network need not accept an
        empty batch. `weigh` gives it no weight.
        """
        share = index.tensor_split(self.count, dim=1)[self.rank]
        return share if share.shape[1] else index[:, -1:]

    def events(self, batch: int) -> int:
        """Return how many of a batch's events are this process's share."""
        return batch // self.count + (self.rank < batch % self.count)

    def total(self, tensor: Tensor) -> Tensor:
        """Return the sum of a tensor over the processes."""
        if self.count > 1:
            torch.distributed.all_reduce(tensor)
        return tensor

    def any(self, *flags: bool, device: torch.device) -> list[bool]:
        """Tell for each flag whether it is raised in any of the processes."""
        if self.count == 1:
            return list(flags)
        raised = self.total(torch.tensor(flags, dtype=torch.int32, device=device))
        return [bool(number) for number in raised]

    def align(self, buffers: Mapping[str, Tensor]) -> None:
        """Copy the first process's buffers to all: those of BatchNorm, for one, follow each process's own events."""
        if self.count > 1:
            for buffer in buffers.values():
                torch.distributed.broadcast(buffer, 0)

    def require_same(self, epoch: int, device: torch.device) -> None:
        """Check that all processes continue after the same epoch; otherwise they would wait for one another forever.

        Raises:
            TrainingError: they do not.
        """
        if self.count > 1 and int(self.total(torch.tensor([epoch], device=device))) != epoch * self.count:
            raise TrainingError(f"process {self.rank} goes on after epoch {epoch}, another one does not: run again")

    def weigh(self, losses: Tensor, batch: int) -> Tensor:
        """Return mean losses over this share, scaled so that their mean over the processes is that over the batch.

        DistributedDataParallel averages gradients over the processes, however many events each of them has.
        """
        return losses if self.count == 1 else losses * (self.count * self.events(batch) / batch)

    def parallel(self, module: nn.Module) -> nn.Module:
        """Return a module with the same outputs, whose gradients are averaged over all processes."""
        if self.count == 1:
            return module
        # A batch may leave some parameters unused. The search for them also keeps gradients in the same buckets from
        # the first step on, so that a resumed training adds them in the same order.
        return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)


@contextmanager
def joined(folder: Path, device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun has started; they meet through a file in the folder."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        # Not init_method with an address of the file: torch does not decode it, and a path may have a space.
        store=torch.distributed.FileStore(str(folder / "store"), count),  # type: ignore[attr-defined]
        rank=rank,
        world_size=count,
    )
    try:
        yield Processes(rank, count)
    finally:
        torch.distributed.destroy_process_group()


def report(folder: Path, rank: int, error: TorchshipError) -> None:
    """Write an error where the process that waits for all of them looks for it."""
    write_json(folder / f"error.{rank}.json", {"kind": type(error).__name__, "message": str(error)})


def reported(folder: Path) -> TorchshipError | None:
    """Return an error that one of the processes reported, of several the first by number; None if there is none."""
    for path in sorted(folder.glob("error.*.json")):
        found = read_json(path)
        kind: type[TorchshipError] = getattr(errors, found["kind"])
        return kind(found["message"])
    return None


def report_unexpected(folder: Path, rank: int, traceback: str) -> None:
    """Write the traceback of an unexpected error where the process that waits for all of them looks for it."""
    write_text(folder / f"traceback.{rank}.txt", traceback)


def unexpected(folder: Path) -> dict[int, str]:
    """Return the tracebacks that processes reported, the earliest first: later ones may be its consequences."""
    paths = sorted(folder.glob("traceback.*.txt"), key=lambda path: path.stat().st_mtime_ns)
    return {int(path.suffixes[0][1:]): path.read_text().strip() for path in paths}
