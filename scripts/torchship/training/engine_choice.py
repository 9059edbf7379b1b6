"""Which engine trains a run, and why: by a rule, not by measuring, since the bytes of a run must not depend on that."""

from dataclasses import asdict, dataclass

from torchship.core.errors import TrainingError
from torchship.training.agreement import objection
from torchship.training.batched import BatchedTrainer
from torchship.training.eager import EagerTrainer
from torchship.training.engine import Task, Trainer

# With `auto`: from so many trained parameters on, up to so many replicas are trained one after another. All at once, a
# few cost as much as 64. One after another, each has steps of its own, which for a small network are mostly calls.
# docs/training.md has the figures.
FEW = {0: 4, 1_000: 8, 50_000: 64}


@dataclass(frozen=True)
class Choice:
    """The engine that trains a run.

    Attributes:
        asked: `train/engine` of the configuration.
        engine: batched or eager.
        reason: why it is that one, in words.
    """

    asked: str
    engine: str
    reason: str

    def report(self) -> dict[str, str]:
        """Return it as it stands in training.json."""
        return asdict(self)


def choose_engine(task: Task) -> Choice:
    """Return the engine of a task; alike in all processes, since it depends on the task alone.

    Raises:
        TrainingError: the batched engine is asked for, and would not compute what the module does.
    """
    asked, count = task.knobs["engine"], task.starts.count
    if asked == "eager":
        return Choice(asked, "eager", "train/engine says so")
    parameters = trained_parameters(task)
    few = max(most for least, most in FEW.items() if parameters >= least)
    if asked == "auto" and count <= few:
        words = f"up to {few} replicas of a network with {parameters} trained parameters are trained one after another"
        return Choice(asked, "eager", words)
    reason, wrong = objection(task)
    if asked == "batched":
        if wrong:
            raise TrainingError(f"train/engine is batched, but {reason}; set it to auto or eager")
        return Choice(asked, "batched", "train/engine says so")
    if reason:
        return Choice(asked, "eager", reason)
    return Choice(asked, "batched", f"{count} replicas, and for three of them it computes what the module does")


def trained_parameters(task: Task) -> int:
    """Return how many numbers of a network are trained."""
    return sum(one.numel() for one in task.starts.module(0).parameters() if one.requires_grad)


def make_trainer(task: Task, choice: Choice) -> Trainer:
    """Build the engine that was chosen."""
    return BatchedTrainer(task) if choice.engine == "batched" else EagerTrainer(task)
