"""Make the cases that every target is validated on, with what the witnesses say of each."""

from pathlib import Path
from typing import Any

from torchship.step import log, step

import torch
from torchship.cases import make_inputs, witness_cases, write_cases
from torchship.datasets import read_set
from torchship.witnesses import require_agreement, torch_witnesses


def make_cases(
    network: Path, trained: Path, weights: Path | None, python: Path | None, test: Path, datasheet: Path, output: Path,
    *, run: str, model: dict[str, Any],
) -> None:  # fmt: skip
    torch.set_num_threads(1)
    witnesses = torch_witnesses(model, network, trained, weights, python)
    beyond = model["train"]["batch_size"]
    made = make_inputs(model["inputs"], read_set(test, datasheet), model["validate"], beyond=beyond, seed=model["seed"])
    cases, facts = witness_cases(witnesses, made)
    agreement = require_agreement(witnesses, cases, run)
    write_cases(output, cases, {**facts, "arbiter": witnesses.arbiter.kind, "handcoded": agreement})
    log.info(
        "%d cases; the witnesses agree: torch's float32 within %.2g spreads, limit %.3g spreads, %s",
        len(cases),
        facts["needed"],
        facts["factor"],
        f"hand-coded within {max(agreement.values()):.2g}" if agreement else "no hand-coded network",
    )


def given(name: str) -> Path | None:
    """Give an input of the rule that a network may not have."""
    return Path(snakemake.input.get(name)) if snakemake.input.get(name) else None


if __name__ == "__main__":
    with step():
        make_cases(
            Path(snakemake.input.network),
            Path(snakemake.input.trained),
            given("weights"),
            given("python"),
            Path(snakemake.input.test),
            Path(snakemake.input.datasheet),
            Path(snakemake.output.cases),
            run=snakemake.wildcards.run,
            model=snakemake.params.model,
        )
