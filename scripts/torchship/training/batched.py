"""The batched engine: all replicas at once, as tensors with a leading replica axis, through torch.func.vmap.

Every replica's numbers are the same to the last bit however many are trained beside it. Three things make that so:
a random start from a seed of its own, an order of events from a counter-based hash, and a replica axis padded to a
multiple of `BLOCK`, so that vectorised kernels have no remainder to treat differently. Layers that draw random numbers
while training, such as Dropout, are the exception: they draw for all replicas together.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torchship.core.errors import TrainingError
from torchship.models.errors import told_as_theirs
from torchship.models.module import outputs_of
from torchship.models.seeds import derived_seed, in_mode, seed_draws
from torchship.training.engine import State, Task, make_optimizer
from torchship.training.passes import parts

# More than the lanes of any CPU's vector unit times the unrolling of torch's loops: AVX-512 takes 16 floats, 4 times.
BLOCK = 64
# Elements of the inputs of all copies together in one forward pass of evaluation: bounds its memory.
EVALUATION_ELEMENTS = 2**22


class Stack(nn.Module):
    """Copies of one network side by side.

    Attributes:
        skeleton: the first copy, which functional_call evaluates with the tensors of all copies in place of its own. It
            is a real module, since not every module can be moved to the meta device.
        learned: the parameters that are trained, by name, [copies, ...], leaves that require gradients.
        fixed: buffers and frozen parameters, by name, [copies, ...].
        frozen: what `train/frozen` names.
    """

    def __init__(self, modules: Iterable[nn.Module], device: torch.device, frozen: Sequence[str] = ()) -> None:
        super().__init__()
        self.frozen = frozen
        collected: dict[str, list[Tensor]] = {}
        skeleton: nn.Module | None = None
        for module in modules:
            skeleton = skeleton or module
            for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
                collected.setdefault(name, []).append(tensor.detach())
        assert skeleton is not None  # noqa: S101 -- there is at least one
        stacked = {name: torch.stack(tensors).to(device) for name, tensors in collected.items()}
        learned = {name for name, parameter in skeleton.named_parameters() if parameter.requires_grad}
        self.names = _names(skeleton)
        # Not a submodule: its own tensors are not trained, and not shared among processes.
        self.__dict__["skeleton"] = skeleton.to(device)
        self.learned: State = {name: nn.Parameter(stacked[name]) for name in sorted(learned)}
        self.fixed: State = {name: stacked[name] for name in sorted(stacked.keys() - learned)}
        for name, parameter in self.learned.items():
            # torch allows no point in the name of a parameter.
            self.register_parameter(f"learned/{name}".replace(".", "/"), cast("nn.Parameter", parameter))
        for name, buffer in self.fixed.items():
            self.register_buffer(f"fixed/{name}".replace(".", "/"), buffer)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of each copy, [copies, events, ...], in training mode."""
        return self.outputs(inputs, training=True)

    def outputs(
        self, inputs: Sequence[Tensor], *, training: bool, shared: bool = False, randomness: str = "different"
    ) -> tuple[Tensor, ...]:
        """Return the outputs of each copy, [copies, events, ...].

        Args:
            inputs: the network's inputs in order: [copies, events, ...], or [events, ...] if `shared` by all copies.
            training: whether layers such as BatchNorm and Dropout behave as in training.
            randomness: whether layers that draw random numbers draw the `same` for all copies.
        """
        skeleton = cast("nn.Module", self.skeleton)
        in_mode(skeleton, training=training, frozen=self.frozen)
        axis = None if shared else 0

        def call(learned: State, fixed: State, *inputs: Tensor) -> tuple[Tensor, ...]:
            return outputs_of(functional_call(skeleton, (learned, fixed), inputs))

        mapped: Callable[..., tuple[Tensor, ...]] = vmap(
            call, in_dims=(0, 0, *(axis for _ in inputs)), randomness=randomness
        )
        return mapped(self.learned, self.fixed, *inputs)

    def state(self, place: int) -> State:
        """Return one copy's state_dict."""
        tensors = {**self.learned, **self.fixed}
        return {name: tensors[own][place].detach().clone() for name, own in self.names.items()}


def _names(module: nn.Module) -> dict[str, str]:
    """Return for each name in a module's state_dict the first name of its tensor, which may have several.

    Raises:
        TrainingError: the state_dict holds what is neither a parameter nor a buffer.
    """
    first = {id(tensor): name for name, tensor in [*module.named_parameters(), *module.named_buffers()]}
    both = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    known = {name: first[id(tensor)] for name, tensor in both}
    unknown = [name for name in module.state_dict() if name not in known]
    if unknown:
        raise TrainingError(
            f"the network's state_dict holds {unknown[0]!r}, which is neither a parameter nor a buffer: a file of "
            "weights holds tensors only, so keep it out of the state_dict"
        )
    return {name: known[name] for name in module.state_dict()}


class BatchedTrainer:
    """Trains all replicas of a task at once."""

    def __init__(self, task: Task) -> None:
        self.task, self.count = task, task.starts.count
        self.padded = -(-self.count // BLOCK) * BLOCK
        self.stack = Stack(map(task.starts.module, range(self.padded)), task.device, task.knobs["frozen"])
        self.sets = task.placed()
        self.batches = task.batches(self.sets["train"], self.padded)
        self.optimizer = make_optimizer(task.knobs, [*self.stack.parameters()], foreach=True)
        self.forward = task.processes.parallel(self.stack)

    def train_epoch(self, epoch: int) -> Tensor:
        """Take one pass over the training data; return each replica's mean loss over it, [replicas]."""
        processes, objective = self.task.processes, self.task.objective
        # For layers that draw random numbers, such as Dropout: a resumed run draws the same, each process its own.
        draws = derived_seed("epoch", self.task.starts.seed, epoch * processes.count + processes.rank)
        seed_draws(draws, self.task.device)
        total = torch.zeros(self.padded, device=self.task.device)
        for (inputs, targets), size in zip(self.batches.epoch(epoch), self.batches.sizes, strict=True):
            self.optimizer.zero_grad()
            with self._theirs():
                outputs = self.forward(*inputs)
            losses = objective.per_replica(outputs, targets)
            # Replicas share nothing, so the gradient of the sum holds each replica's own.
            torch.autograd.backward(processes.weigh(losses, size).sum())
            self.optimizer.step()
            total += losses.detach() * processes.events(size)
        return (processes.total(total) / self.batches.order.events)[: self.count]

    def _theirs(self) -> AbstractContextManager[None]:
        return told_as_theirs(cast("nn.Module", self.stack.skeleton), self.task.starts.file)

    def align(self) -> None:
        """Copy the buffers of the first process to all; see `Processes.align`."""
        self.task.processes.align(self.stack.fixed)

    @torch.no_grad()
    def evaluate(self, split: str) -> tuple[Tensor, Tensor]:
        """Return each replica's mean loss and accuracy over a set, [replicas] each; each process takes a share."""
        dataset, processes, objective = self.sets[split], self.task.processes, self.task.objective
        # Two tensors, since in a process without events they are still these when they are summed in place.
        loss_sum, right_sum = (torch.zeros(self.padded, device=self.task.device) for _ in range(2))
        elements = EVALUATION_ELEMENTS // self.padded
        for inputs, targets in parts(dataset, self.task.device, processes.rank, processes.count, elements):
            events = len(targets[0])
            with self._theirs():
                outputs = self.stack.outputs(inputs, training=False, shared=True)
            expanded = [target.expand(self.padded, *target.shape) for target in targets]
            loss_sum = loss_sum + objective.per_replica(outputs, expanded) * events
            right_sum = right_sum + objective.accuracy(outputs, expanded) * events
        means = (processes.total(part) / len(dataset) for part in (loss_sum, right_sum))
        loss, right = (mean[: self.count] for mean in means)
        return loss, right

    def state(self, place: int) -> State:
        """Return one replica's parameters and buffers, without the replica axis."""
        return self.stack.state(place)

    def snapshot(self) -> dict[str, object]:
        """Return all that a resumed training needs, in types that torch.load takes with weights_only."""
        learned = {name: tensor.detach() for name, tensor in self.stack.learned.items()}
        return {"learned": learned, "fixed": self.stack.fixed, "optimizer": self.optimizer.state_dict()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `snapshot` returned."""
        for part in ("learned", "fixed"):
            for name, tensor in getattr(self.stack, part).items():
                tensor.copy_(state[part][name])
        self.optimizer.load_state_dict(state["optimizer"])
