"""Make the cases that every target is validated on, with the outputs of three witnesses and the derived bound."""

from pathlib import Path
from typing import Any

from torchship.step import log, step

import numpy as np
import torch
from torchship import handcoded
from torchship.cases import limit, make_inputs
from torchship.crosscheck import BOTH_ROUND, eager
from torchship.datasets import Arrays, read_set, write_arrays
from torchship.files import read_json
from torchship.layers import read_network
from torchship.networks import load
from torchship.parity import compare, require
from torchship.reference import UNIT_FLOAT64, evaluate


def make_cases(
    network: Path, trained: Path, weights: Path, python: Path, test: Path, datasheet: Path, output: Path,
    *, model: dict[str, Any],
) -> None:  # fmt: skip
    torch.set_num_threads(1)
    described, function = read_network(read_json(weights)), handcoded.load(python)
    module = load(network, model["network"].get("arguments", {}), trained)
    arrays: Arrays = {}
    cases = []
    batch_sizes = model["validate"]["batch_sizes"]
    for about, inputs in make_inputs(model["inputs"], read_set(test, datasheet), batch_sizes, model["seed"]):
        (x,) = inputs.values()
        wide = BOTH_ROUND * evaluate(described, x, UNIT_FLOAT64)[1]
        bound = evaluate(described, x)[1]
        witnesses = {
            "float64": eager(module, x, torch.float64),
            "float32": eager(module, x, torch.float32),
            "handcoded": handcoded.evaluate_all(function, x),
        }
        # Before any runtime is judged, those who judge must agree.
        what, name = f"{described.name}, {about['origin']}, batch {about['batch']}", described.output_name
        require(
            compare(witnesses["handcoded"], witnesses["float64"], wide),
            1.0,
            f"{what}: hand-coded against torch float64",
            name,
        )
        require(
            compare(witnesses["float32"], witnesses["float64"], bound),
            1.0,
            f"{what}: torch float32 against float64",
            name,
        )
        case = len(cases)
        arrays |= {f"{case}/input/{key}": array for key, array in inputs.items()}
        arrays |= {f"{case}/{key}": array for key, array in witnesses.items()} | {f"{case}/bound": bound}
        cases.append(about)
    observed = max(
        float(np.abs(arrays[f"{case}/float32"] - arrays[f"{case}/float64"]).max()) for case in range(len(cases))
    )
    largest = max(float(np.abs(arrays[f"{case}/float64"]).max()) for case in range(len(cases)))
    for case in range(len(cases)):
        arrays[f"{case}/bound"] = limit(arrays[f"{case}/bound"], observed, largest)
    write_arrays(output, arrays, {"inputs": list(model["inputs"]), "output": described.output_name, "cases": cases})
    log.info("%d cases, batches %s; the witnesses agree, float32 within %.2g", len(cases), batch_sizes, observed)


if __name__ == "__main__":
    with step():
        make_cases(
            *(Path(snakemake.input[name]) for name in ("network", "trained", "weights", "python", "test", "datasheet")),
            Path(snakemake.output.cases),
            model=snakemake.params.model,
        )
