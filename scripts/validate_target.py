"""The gate: examine an exported file in its target's runtime, and stop the workflow if it fails."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from torchship.core.step import log, step

import torch
from torchship.core.claims import withdraw
from torchship.core.errors import ParityError, TorchshipError
from torchship.core.files import read_json, write_text
from torchship.gate.cases import Witnesses, read_cases, read_inputs, write_inputs
from torchship.gate.evidence import circumstances, static_failures, write_evidence
from torchship.gate.examine import Examination
from torchship.gate.judge import Judge
from torchship.gate.session import ExportedFile
from torchship.gate.verdict import verdict_line
from torchship.gate.witness.witnesses import read_witnesses
from torchship.pages import gate as gate_page
from torchship.pages.errors import write_errors
from torchship.runtimes.remote import Runtime
from torchship.spec.axes import read_axes
from torchship.spec.model import read_model
from torchship.spec.section import Section
from torchship.spec.target import Target, read_target


def validate_target(
    file: Path,
    exported: Path,
    cases: Path,
    witnesses: Witnesses,
    runtimes: list[Path],
    outputs: dict[str, Path],
    *,
    what: str,
    target: Target,
    model: Section,
    claims: Sequence[Path] = (),
) -> None:
    judged, facts = read_cases(cases)
    report, factors, content = read_json(exported), facts["factors"], file.read_bytes()
    kept = read_inputs(outputs["worst"], witnesses, factors, model["inputs"], read_axes(model))
    with ExitStack() as stack:
        own, *others = (stack.enter_context(Runtime(Path(read_json(path)["python"]))) for path in runtimes)
        examination = Examination(
            ExportedFile(content, model["inputs"], model["outputs"], read_axes(model)),
            Judge(witnesses, factors, model["outputs"], model["validate"]["tolerance"]),
            own,
            judged,
            model["validate"],
            threshold=model["evaluate"]["threshold"],
            seed=model["seed"],
            others=others,
            kept=kept,
            modules=report["modules"],
        )
        try:
            done = examination.conduct()
        except TorchshipError as error:
            # Such as a witness that does not take what the search made up: there is no verdict, and no page of one.
            withdraw(claims, what.rpartition("/")[0])
            write_inputs(outputs["worst"], examination.worst or kept)
            raise type(error)(f"{what}: no verdict: {error}") from error
        static = static_failures(content, report, target, own.version, model)
        document = done.conclude(static, circumstances(facts, report, target, own.version, model["validate"]))
    # Snakemake deletes what a failed rule has made: the evidence must survive, and so must the worst inputs.
    write_evidence(outputs["evidence"], document)
    # A run that searched for none keeps those of the last one.
    write_inputs(outputs["worst"], done.worst or kept)
    write_text(outputs["page"], gate_page.write(f"The gate: {what}", {what.rpartition("/")[2]: document}))
    line = verdict_line(document)
    if document["failures"]:
        withdraw(claims, what.rpartition("/")[0])
        raise ParityError(f"{what}: {line}; the whole story is in {outputs['page']}")
    write_errors(outputs["errors"], done.cases, done.results, model["inputs"], model["outputs"])
    write_evidence(outputs["validation"], document)
    log.info("%s: %s", what, line)


if __name__ == "__main__":
    with step() as snakemake:
        # Whatever comes of it, pages speak of another examination.
        withdraw(map(Path, snakemake.params.claims), snakemake.wildcards.run)
        torch.set_num_threads(1)
        section = read_model(Path(snakemake.input.shipped)).with_knobs(snakemake.params.knobs)
        files = {name: Path(path) for name, path in snakemake.input.items() if isinstance(path, str)}
        validate_target(
            Path(snakemake.input.file),
            Path(snakemake.input.exported),
            Path(snakemake.input.cases),
            read_witnesses(section, files),
            [Path(path) for path in snakemake.input.runtimes],
            {
                **{name: Path(path) for name, path in snakemake.output.items()},
                **{name: Path(snakemake.log[name]) for name in ("evidence", "page")},
                # Not declared, or Snakemake would delete the worst inputs with the failed job that found them.
                "worst": Path(snakemake.output.validation).with_name(".worst.safetensors"),
            },
            what="/".join(snakemake.wildcards),
            target=read_target(snakemake.params.target),
            model=section,
            claims=[Path(path) for path in snakemake.params.claims],
        )
