"""The eager engine: each replica is the module itself, trained by a plain loop, one after another within each epoch.

It takes any module, and its time grows with the number of replicas. A replica's numbers, those included that its layers
draw while training, depend on the number of its start alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchship.models.errors import told_as_theirs
from torchship.models.module import outputs_of
from torchship.models.seeds import derived_seed, in_mode, seed_draws
from torchship.training.engine import State, Task, make_optimizer
from torchship.training.events import Batch
from torchship.training.losses import Objective
from torchship.training.passes import CPU, parts


class EagerTrainer:
    """Trains the replicas of a task one after another."""

    def __init__(self, task: Task) -> None:
        self.task, self.count = task, task.starts.count
        self.modules = [task.starts.module(place).to(task.device) for place in range(self.count)]
        self.forwards = [task.processes.parallel(module) for module in self.modules]
        self.optimizers = [self._optimizer(module) for module in self.modules]
        self.sets = task.placed()
        self.batches = task.batches(self.sets["train"], self.count)
        self.sizes = torch.tensor(
            [float(task.processes.events(size)) for size in self.batches.sizes], device=task.device
        )

    def _optimizer(self, module: nn.Module) -> torch.optim.Optimizer:
        learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
        # fused: one call for all parameters, since a small network's step is mostly calls.
        return make_optimizer(self.task.knobs, learned, fused=all(one.is_floating_point() for one in learned))

    def train_epoch(self, epoch: int) -> Tensor:
        """Take one pass over the training data; return each replica's mean loss over it, [replicas]."""
        totals = torch.stack([self._train(place, epoch) for place in range(self.count)])
        return self.task.processes.total(totals) / self.batches.order.events

    def _train(self, place: int, epoch: int) -> Tensor:
        """Take one replica's pass; return the sum of its losses over this process's events."""
        module, forward, optimizer = self.modules[place], self.forwards[place], self.optimizers[place]
        processes, mean = self.task.processes, self.task.objective.mean
        number = self.task.starts.number(place)
        # For layers that draw random numbers: a resumed run draws the same, each replica and process its own.
        draws = derived_seed(f"epoch {epoch}", self.task.starts.seed, number * processes.count + processes.rank)
        seed_draws(draws, self.task.device)
        in_mode(module, training=True, frozen=self.task.knobs["frozen"])
        losses = []
        with told_as_theirs(module, self.task.starts.file):
            for (inputs, targets), size in zip(self.batches.epoch(epoch, number), self.batches.sizes, strict=True):
                loss = mean(outputs_of(forward(*inputs)), targets)
                processes.weigh(loss, size).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                optimizer.zero_grad()
                losses.append(loss.detach())
        return torch.stack(losses) @ self.sizes

    def align(self) -> None:
        """Copy the buffers of the first process to all; see `Processes.align`."""
        for module in self.modules:
            self.task.processes.align(dict(module.named_buffers()))

    def evaluate(self, split: str) -> tuple[Tensor, Tensor]:
        """Return each replica's mean loss and accuracy over a set, [replicas] each; each process takes a share."""
        processes, dataset = self.task.processes, self.sets[split]
        sums = []
        for module in self.modules:
            module.eval()
            with told_as_theirs(module, self.task.starts.file):
                batches = parts(dataset, self.task.device, processes.rank, processes.count)
                sums.append(evaluated(module, batches, self.task.objective, self.task.device))
        loss, right = (processes.total(torch.stack(part)) / len(dataset) for part in zip(*sums, strict=True))
        return loss, right

    def state(self, place: int) -> State:
        """Return one replica's parameters and buffers as its state_dict names them, copied."""
        return {name: tensor.detach().clone() for name, tensor in self.modules[place].state_dict().items()}

    def snapshot(self) -> dict[str, object]:
        """Return all that a resumed training needs, in types that torch.load takes with weights_only."""
        return {
            "tensors": [tensors_of(module) for module in self.modules],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `snapshot` returned."""
        for module, optimizer, tensors, moments in zip(
            self.modules, self.optimizers, state["tensors"], state["optimizers"], strict=True
        ):
            for name, tensor in tensors_of(module).items():
                tensor.copy_(tensors[name])
            optimizer.load_state_dict(moments)


def tensors_of(module: nn.Module) -> State:
    """Return a module's parameters and buffers, those included that its state_dict leaves out."""
    return {name: tensor.detach() for name, tensor in [*module.named_parameters(), *module.named_buffers()]}


@torch.no_grad()
def evaluated(
    module: nn.Module, batches: Iterable[Batch], objective: Objective, device: torch.device = CPU
) -> tuple[Tensor, Tensor]:
    """Return the sums of a network's losses and of its right decisions over batches, in the mode it is in."""
    loss_sum = right_sum = torch.zeros((), device=device)
    for inputs, targets in batches:
        outputs = outputs_of(module(*inputs))
        loss_sum = loss_sum + objective.mean(outputs, targets) * len(targets[0])
        right = objective.accuracy([output.unsqueeze(0) for output in outputs], [one.unsqueeze(0) for one in targets])
        right_sum = right_sum + right[0] * len(targets[0])
    return loss_sum, right_sum
