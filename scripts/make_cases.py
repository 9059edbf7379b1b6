"""Make the cases that every target is validated on, with what the witnesses say of each."""

from pathlib import Path
from typing import Any

from torchship.step import log, step

import torch
from torchship.cases import make_inputs, witness_cases, write_cases
from torchship.chosen import with_best
from torchship.datasets import read_set
from torchship.witnesses import read_reference, read_witnesses, require_agreement, require_reference


def make_cases(files: dict[str, Path], output: Path, *, run: str, model: dict[str, Any]) -> None:
    """Make the cases of a run from the files of its witnesses, and its events, where it has some."""
    torch.set_num_threads(1)
    witnesses, events, expected = read_witnesses(model, files), None, None
    if "test" in files:
        events = read_set(files["test"], files["datasheet"])
    elif "reference" in files:
        events, expected = read_reference(files["reference"], model["inputs"], model["outputs"])
    # One more than the largest batch of a training is tried as well.
    beyond = model["train"]["batch_size"]
    made = make_inputs(model["inputs"], events, model["validate"], beyond=beyond, seed=model["seed"])
    cases, facts = witness_cases(witnesses, made)
    facts["handcoded"] = require_agreement(witnesses, cases, run)
    if expected is not None:
        facts["reference"] = require_reference(cases, expected, run, files["onnx"].read_bytes())
    write_cases(output, cases, {**facts, "arbiter": witnesses.arbiter.kind})
    ratios = {**facts["handcoded"], **facts.get("reference", {})}
    log.info(
        "%d cases; the witnesses agree: %s in float32 within %.2g spreads, limit %.3g spreads, %s",
        len(cases), witnesses.arbiter.kind, facts["needed"], facts["factor"],
        f"the others within {max(ratios.values()):.2g}" if ratios else "there are no others",
    )  # fmt: skip


if __name__ == "__main__":
    with step():
        make_cases(
            {name: Path(path) for name, path in snakemake.input.items() if isinstance(path, str)},
            Path(snakemake.output.cases),
            run=snakemake.wildcards.run,
            model=with_best(snakemake.params.model, snakemake.input.get("best")),
        )
