"""A whole training: from the data of a run to its weights, tables and report, in one process or as one of several."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torchship.core.errors import DivergenceError, TrainingError
from torchship.core.files import Json, sha256
from torchship.models.devices import describe_device
from torchship.models.errors import one_line, out_of_memory
from torchship.models.neighbours import digest
from torchship.spec.objective import terms_of
from torchship.spec.report import Report
from torchship.spec.section import Point, Section, Train, Watch, by_name
from torchship.training.checkpoints import Checkpoint, fingerprint
from torchship.training.engine import Starts, Task
from torchship.training.engine_choice import choose_engine, make_trainer
from torchship.training.events import EventDataset, read_events
from torchship.training.folds import of_fold
from torchship.training.loop import train
from torchship.training.losses import Objective
from torchship.training.parallel.group import Processes
from torchship.training.rehearsal import rehearse
from torchship.training.report import write_divergence, write_outcome

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """What a training works on, in types that JSON has, since it may be passed to other processes.

    Attributes:
        sets: the files of the training and validation set, by name.
        outputs: the files to write: weights, history, replicas, training.
        code: a digest of the code that trains: a checkpoint of other code is not used.
        section: the knobs of the candidate that decide the training, as `in_order` writes them.
        watch: the section `watch` of the configuration.
        point: what the run changes if it is one of a scan, by place; then it may diverge.
    """

    sets: dict[str, str]
    datasheet: str
    network: str
    outputs: dict[str, str]
    checkpoint: str
    code: str
    section: Json
    watch: Watch
    point: Point


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Make torch compute the same under vmap as without, and on a GPU as on a CPU, inside a `with` block.

    The fast path of attention depends on whether a gradient is asked for, which vmap hides. With TF32, convolutions on
    a GPU have three digits.
    """
    fast, cudnn = torch.backends.mha.get_fastpath_enabled(), torch.backends.cudnn
    torch.backends.mha.set_fastpath_enabled(value=False)
    # The call sets all flags: the others stay as they are.
    others = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "benchmark_limit", "deterministic")}
    try:
        with cudnn.flags(**others, allow_tf32=False):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(value=fast)


@contextmanager
def enough_memory(knobs: Train) -> Iterator[None]:
    """Say what needs less memory, inside a `with` block, where there is not enough.

    Raises:
        TrainingError: torch had none for a tensor.
    """
    try:
        yield
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise TrainingError(
            f"there is not enough memory: {one_line(error)}; fewer train/replicas (now {knobs['replicas']}) or a "
            f"smaller train/batch_size (now {knobs['batch_size']}) need less, as does train/engine: eager (now "
            f"{knobs['engine']}), and train/loader: dataloader leaves the data on the CPU (now {knobs['loader']})"
        ) from error


def events_of(work: Work, model: Section) -> dict[str, EventDataset]:
    """Return the training and the validation set, those of its fold where the candidate is one.

    Raises:
        DataError: see `read_events`.
    """
    datasheet, knobs = Path(work.datasheet), model["train"]
    data = {split: read_events(Path(path), datasheet, model, split) for split, path in work.sets.items()}
    if "fold" not in knobs:
        return data
    data = of_fold(data, knobs["fold"], knobs["folds"])
    sizes = [len(events) for events in data.values()]
    log.info("fold %d of %d: %d events to train on, %d events to validate on", knobs["fold"], knobs["folds"], *sizes)
    return data


@plain_kernels()
def fit(work: Work, device: torch.device, processes: Processes) -> None:
    """Train all replicas of a network, or go on from a checkpoint, and write the best by validation loss.

    Raises:
        DataError: a set is not what its datasheet says, or its target does not suit the loss.
        TrainingError: all replicas have diverged (but for a point of a scan, where that is a result), a signal has
            ended it, or something is wrong with the network; see `rehearse`, `choose_engine` and `require_same`.
    """
    model = by_name(work.section)
    knobs, seed = model["train"], model["seed"]
    torch.set_num_threads(knobs["threads"])
    together = f", {processes.count} processes" if processes.count > 1 else ""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
    log.info("device: %s (asked for %s)%s", describe_device(device), model["device"], together)
    log.info("%d threads, CUDA_VISIBLE_DEVICES %s", knobs["threads"], seen)
    datasheet, network = Path(work.datasheet), Path(work.network)
    starts = Starts(network, model["network"].get("arguments", {}), knobs, seed)
    objective = Objective(terms_of(model), model["evaluate"]["threshold"])
    data = events_of(work, model)
    task = Task(starts, data, objective, model["outputs"], device, processes)
    about: Report = {
        "device": describe_device(device),
        "processes": processes.count,
        "epochs": knobs["epochs"],
        "seed": seed,
        "torch": torch.__version__,
        "point": work.point,
        "section": work.section,
        "network_sha256": digest(network),
        "datasheet_sha256": sha256(datasheet),
    }
    files = [about["datasheet_sha256"], about["network_sha256"]]
    identity = fingerprint([work.section, device.type, torch.__version__, work.code, *files])
    saved = Checkpoint(Path(work.checkpoint), identity, work.watch["checkpoint_seconds"])
    outputs = {name: Path(path) for name, path in work.outputs.items()}
    with enough_memory(knobs):
        rehearse(task, list(model["inputs"]))
        choice = choose_engine(task)
    log.info("engine: %s (asked for %s): %s", choice.engine, choice.asked, choice.reason)
    about["engine"] = choice.report()
    try:
        with enough_memory(knobs):
            trainer = make_trainer(task, choice)
        with saved.on_signal(), enough_memory(knobs):
            history = train(trainer, task, checkpoint=saved, log_every=work.watch["log_every"])
        if processes.first:
            # If all diverged in the last epoch, or on the validation set, it raises before it writes anything.
            write_outcome(outputs, about, trainer, task, history)
    except DivergenceError as error:
        if not work.point:
            raise
        if processes.first:
            log.warning("%s; the point stays in the scan's table, without a rank", error)
            write_divergence(outputs, about, task)
    if processes.first:
        saved.remove()
