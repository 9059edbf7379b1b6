"""Make the three sets of a run from the source that the configuration names, and their datasheet."""

from collections.abc import Sequence
from pathlib import Path

from torchship.core.step import log, step

from torchship.core.files import write_json
from torchship.data.datasets import SPLITS, make_datasheet, write_arrays
from torchship.data.documents import Described, Way
from torchship.data.sources import Wanted, make_sets
from torchship.spec.section import Data, Section, read_section
from torchship.spec.tensor import documents


def generate_data(
    outputs: dict[str, Path],
    datasheet: Path,
    *,
    data: Data,
    model: Section,
    targets: list[str],
    seed: int,
    wanted: Sequence[Way] = (),
) -> None:
    sets, made_from = make_sets(Wanted(data, model, targets, seed, wanted))
    for split in SPLITS:
        write_arrays(outputs[split], sets[split])
        log.info("%s: %d events", split, len(sets[split][targets[0]]))
    about: Described = {
        "source": data["source"],
        "seed": seed,
        "inputs": documents(model["inputs"]),
        "outputs": documents(model["outputs"]),
        **made_from,
    }
    write_json(datasheet, make_datasheet(sets, outputs, about))


if __name__ == "__main__":
    with step() as snakemake:
        generate_data(
            {split: Path(snakemake.output[split]) for split in SPLITS},
            Path(snakemake.output.datasheet),
            data=snakemake.params.data,
            model=read_section(snakemake.params.model),
            targets=snakemake.params.targets,
            seed=snakemake.params.seed,
            wanted=snakemake.params.wanted,
        )
