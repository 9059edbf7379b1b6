"""Train all replicas of a candidate and keep the best by validation loss."""

from pathlib import Path

from torchship.core.step import logs, step

from torchship.core.files import exclusive
from torchship.models.devices import choose_device, gpu_identities, visible_gpus
from torchship.spec.section import Point, Section, Watch, in_order, read_section
from torchship.training.fit import Work, fit
from torchship.training.parallel.gpu_locks import claimed
from torchship.training.parallel.group import Processes
from torchship.training.parallel.launch import launch


def train_network(
    sets: dict[str, Path],
    datasheet: Path,
    network: Path,
    outputs: dict[str, Path],
    checkpoint: Path,
    code: str,
    *,
    section: Section,
    watch: Watch,
    point: Point,
) -> None:
    work = Work(
        sets={split: str(path) for split, path in sets.items()},
        datasheet=str(datasheet),
        network=str(network),
        outputs={name: str(path) for name, path in outputs.items()},
        checkpoint=str(checkpoint),
        code=code,
        section=in_order(section),
        watch=watch,
        point=point,
    )
    names, count = visible_gpus(section["device"]), section["train"]["devices"]
    # A copy may still run that a killed Snakemake has left on a cluster.
    with exclusive(checkpoint.with_name(".lock")) as lock, claimed(gpu_identities(len(names)), count) as places:
        if count == 1:
            fit(work, choose_device(section["device"], *places), Processes())
        else:
            choose_device(section["device"], count=count)
            launch(work, logs(), count, [names[place] for place in places], lock)


if __name__ == "__main__":
    with step() as snakemake:
        # Not declared, or Snakemake would delete it with the failed job that it is for.
        checkpoint = Path(snakemake.output.weights).with_name("checkpoint.pt")
        train_network(
            {split: Path(snakemake.input[split]) for split in ("train", "validation")},
            Path(snakemake.input.datasheet),
            Path(snakemake.input.network),
            {name: Path(path) for name, path in snakemake.output.items()},
            checkpoint,
            snakemake.params.code,
            section=read_section(snakemake.params.section),
            # Not a parameter: how one watches changes nothing.
            watch=snakemake.config["watch"],
            point=snakemake.params.point,
        )
