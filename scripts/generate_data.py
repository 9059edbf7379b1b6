"""Make the three sets of a run, from the truth table or from a file of arrays, and their datasheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torchship.core.step import log, step

from torchship.core.errors import DataError
from torchship.core.files import sha256, write_json
from torchship.data.checks import check_domain, check_inputs
from torchship.data.datasets import (
    SPLITS,
    Arrays,
    count_events,
    make_datasheet,
    read_arrays,
    select,
    split_events,
    truth_table,
    write_arrays,
)
from torchship.data.targets import suit_all
from torchship.spec.axes import read_axes
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
    wanted: Sequence[dict[str, Any]] = (),
) -> None:
    inputs, target = model["inputs"], data["target"]
    about: dict[str, Any] = {
        "source": data["source"],
        "seed": seed,
        "inputs": documents(inputs),
        "outputs": documents(model["outputs"]),
    }
    if data["source"] == "xor":
        if len(inputs) != 1:
            raise DataError(f"the truth table of XOR fills one input, but the model declares {', '.join(inputs)}")
        sets = truth_table(target, next(iter(inputs)))
        check(sets["train"], "the truth table", [target], model)
        about["note"] = "the truth table is the whole population: the three sets are equal, nothing is held out"
    else:
        path = Path(data["path"] or "")
        read = read_arrays(path)
        unused = sorted(read.keys() - {*inputs, *targets})
        if unused:
            log.warning("%s: nothing uses %s; used are %s", path, ", ".join(unused), ", ".join([*inputs, *targets]))
        arrays = select(read, inputs, targets)
        count_events(arrays)
        # Before the events are shuffled, so that a message has their numbers in the file.
        check(arrays, str(path), targets, model)
        arrays, converted = suit_all(arrays, wanted, str(path))
        for name, words in converted.items():
            log.info("%s: %r converted from %s", path, name, words)
        sets = split_events(arrays, data["fractions"], seed)
        about |= {"path": path.name, "sha256": sha256(path), "fractions": data["fractions"], "converted": converted}
        about["note"] = "events were shuffled by the seed and cut into the three sets"
    for split in SPLITS:
        write_arrays(outputs[split], sets[split])
        log.info("%s: %d events", split, len(sets[split][targets[0]]))
    write_json(datasheet, make_datasheet(sets, outputs, about))


def check(arrays: Arrays, place: str, targets: list[str], model: Section) -> None:
    check_inputs(arrays, model["inputs"], targets, place, read_axes(model))
    check_domain(arrays, model["inputs"], place)


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
