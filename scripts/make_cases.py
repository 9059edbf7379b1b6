"""Make the cases that every target is validated on, with what the witnesses say of each."""

from pathlib import Path

from torchship.core.step import log, step

import torch
from torchship.core.claims import withdraw
from torchship.core.errors import ParityError, WitnessError
from torchship.data.datasets import read_set
from torchship.gate.case_inputs import make_inputs
from torchship.gate.cases import witness_cases, write_cases
from torchship.gate.witness.given_reference import GivenReference
from torchship.gate.witness.witnesses import (
    cases_alone,
    read_reference,
    read_witnesses,
    require_agreement,
    require_reference,
)
from torchship.pages.witnesses import write_failure
from torchship.spec.axes import read_axes
from torchship.spec.model import read_model
from torchship.spec.section import Section


def make_cases(files: dict[str, Path], outputs: dict[str, Path], *, run: str, model: Section) -> None:
    """Make the cases of a run from the files of its witnesses, and its events, where it has some."""
    torch.set_num_threads(1)
    witnesses, events, training, expected = read_witnesses(model, files), None, None, None
    alone = witnesses.arbiter if isinstance(witnesses.arbiter, GivenReference) else None
    if "test" in files:
        events, training = (read_set(files[name], files["datasheet"]) for name in ("test", "train"))
    elif "reference" in files:
        events, expected = read_reference(files["reference"], model["inputs"], model["outputs"])
    made = make_inputs(
        model["inputs"],
        events,
        model["validate"],
        training=training,
        comparer=witnesses.arbiter,
        # One more than the largest batch of a training is tried as well.
        beyond=model["train"]["batch_size"],
        seed=model["seed"],
        axes=read_axes(model),
    )
    try:
        if alone:
            cases, facts = cases_alone(alone, model, model["train"]["batch_size"])
        else:
            cases, facts = witness_cases(witnesses, made, model["validate"]["widest_limit"])
        facts["handcoded"] = require_agreement(witnesses, cases, run)
        if expected is not None and not alone:
            facts["reference"] = require_reference(cases, expected, run, files["onnx"].read_bytes())
    except ParityError as error:
        write_failure(outputs, f"The witnesses: {run}", error)
        raise WitnessError(f"{run}: {error}; the whole story is in {outputs['page']}") from error
    write_cases(outputs["cases"], cases, {**facts, "arbiter": witnesses.arbiter.kind})
    if alone:
        log.info("%d cases; there is nobody but the %s, within %s", len(cases), witnesses.arbiter.kind, facts["within"])
        return
    ratios = {**facts["handcoded"], **facts.get("reference", {})}
    log.info(
        "%d cases; the witnesses agree: %s in float32 within %.2g spreads, limit %.3g spreads, %s",
        len(cases),
        witnesses.arbiter.kind,
        max(facts["needed"].values()),
        max(facts["factors"].values()),
        f"the others within {max(ratios.values()):.2g}" if ratios else "there are no others",
    )


if __name__ == "__main__":
    with step() as snakemake:
        # Whatever comes of it, pages speak of other cases.
        withdraw(map(Path, snakemake.params.claims), snakemake.wildcards.run)
        make_cases(
            {name: Path(path) for name, path in snakemake.input.items() if isinstance(path, str)},
            {"cases": Path(snakemake.output.cases)}
            | {name: Path(snakemake.log[name]) for name in ("evidence", "page")},
            run=snakemake.wildcards.run,
            model=read_model(Path(snakemake.input.shipped)).with_knobs(snakemake.params.knobs),
        )
