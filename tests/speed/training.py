"""How long an epoch takes in each engine of training, and in the plainest loop of torch.

    make training-benchmark        prints the tables of docs/training.md

The plainest loop is what anybody writes for data that stay in memory: a random order, and for each batch zero_grad,
loss, backward, step. All are timed in turns, on one thread, without records; the shortest of some epochs counts.
"""

import sys
import time
from pathlib import Path

import torch
from support import PROJECT, small_model
from torch import nn
from torchship.spec.objective import terms
from torchship.spec.tensor import Tensor
from torchship.training.batched import BatchedTrainer
from torchship.training.eager import EagerTrainer
from torchship.training.engine import Starts, Task
from torchship.training.events import EventDataset
from torchship.training.losses import Objective
from torchship.training.parallel.group import Processes

REPLICAS = [1, 4, 64, 1000]
ROUNDS = 5
# An epoch that takes longer is not repeated.
LONG = 2.0
NETWORKS = PROJECT / "tests" / "networks"
# File, arguments, shape of an event, events, events in a batch.
CASES = {
    "XOR 2-2-1": (PROJECT / "models" / "xor.py", {}, (2,), 4, 1),
    "MLP 30-32-16-1": (NETWORKS / "perceptron.py", {}, (30,), 2048, 64),
    "MLP 30-256-256-1": (NETWORKS / "perceptron.py", {"widths": [256, 256]}, (30,), 1024, 64),
    "convolution": (NETWORKS / "calorimeter.py", {}, (1, 12, 12), 256, 32),
}


def make_task(case, replicas):
    """Return the task of a case, with random events."""
    file, arguments, shape, events, batch = CASES[case]
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(events, *shape, generator=generator)
    y = (x.flatten(1).sum(1, keepdim=True) > x.flatten(1).sum(1).median()).float()
    dataset = EventDataset((x,), (y,))
    knobs = small_model(train={"replicas": replicas, "batch_size": batch})["train"]
    objective = Objective(terms("binary_cross_entropy", ["y"], "target"), 0.5)
    return Task(Starts(Path(file), arguments, knobs, 1), {"train": dataset, "validation": dataset}, objective,
                {"y": Tensor(("batch", 1))}, torch.device("cpu"), Processes())  # fmt: skip


def plain(task):
    """Return a function that trains one network for an epoch with the plainest loop."""
    module = task.starts.module(0)
    (x,), (y,) = task.sets["train"].inputs, task.sets["train"].targets
    optimizer = torch.optim.Adam(module.parameters(), lr=task.knobs["learning_rate"])

    def epoch(_):
        for index in torch.randperm(len(x)).split(task.knobs["batch_size"]):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy(module(x[index]), y[index])
            loss.backward()
            optimizer.step()

    return epoch


def shortest(epochs):
    """Return the shortest time of an epoch of each, in seconds, all in turns."""
    # A short epoch is measured in blocks: a timer has its grain, and orders are made some epochs ahead.
    blocks = {}
    best = dict.fromkeys(epochs, float("inf"))
    for turn in range(ROUNDS):
        for name, epoch in epochs.items():
            if turn > 1 and best[name] > LONG:
                continue
            count = blocks.get(name, 1)
            start = time.perf_counter()
            for number in range(count):
                epoch(1 + turn * 1000 + number)
            taken = (time.perf_counter() - start) / count
            best[name] = min(best[name], taken)
            blocks[name] = max(1, min(64, int(0.2 / taken)))
    return best


def main(cases):
    """Print a row for each case and number of replicas."""
    torch.set_num_threads(1)
    print(
        "| network | replicas | batched [ms] | eager [ms] | eager / batched | plainest loop [ms] | eager / plainest |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for case in cases or CASES:
        for replicas in REPLICAS:
            task = make_task(case, replicas)
            epochs = {"batched": BatchedTrainer(task).train_epoch, "eager": EagerTrainer(task).train_epoch}
            if replicas == 1:
                epochs["plain"] = plain(task)
            found = {name: 1000 * taken for name, taken in shortest(epochs).items()}
            alone = f"{found['plain']:.3g} | {found['eager'] / found['plain']:.2f}" if replicas == 1 else " | "
            print(f"| {case} | {replicas} | {found['batched']:.3g} | {found['eager']:.3g} | "
                  f"{found['eager'] / found['batched']:.2f} | {alone} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
