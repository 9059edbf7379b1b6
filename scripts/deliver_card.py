"""Deliver the card of a model, as Markdown and as a page, and its bill of materials."""

from collections.abc import Mapping
from pathlib import Path

from torchship.core.step import log, step

from torchship.core.files import read_json, write_text
from torchship.core.pins import read_pins
from torchship.deliver.bom import bill
from torchship.deliver.card import Documents, card, html
from torchship.deliver.passed import require_passed
from torchship.spec.axes import read_axes
from torchship.spec.model import read_model
from torchship.spec.section import Section


def deliver_card(
    files: Mapping[str, Path],
    exported: Mapping[str, Path],
    validations: Mapping[str, Path],
    environments: list[Path],
    outputs: Mapping[str, Path],
    *,
    knobs: Section,
    handcoded: bool,
    cmssw: list[str],
    license: str,  # noqa: A002 -- as the configuration calls it
) -> None:
    model = read_model(files["shipped"])
    exports = {target: read_json(path) for target, path in exported.items()}
    passed = {target: require_passed(path) for target, path in validations.items()}
    optional = {
        name: read_json(files[name]) if name in files else None for name in ("training", "datasheet", "metrics")
    }
    given = Documents(
        exports=exports,
        passed=passed,
        **optional,
        handcoded=handcoded,
        cmssw=cmssw,
        subsystem=knobs["deliver"]["subsystem"],
        license=license,
        axes=read_axes(model.with_knobs(dict(knobs))),
    )
    text = card(model, given)
    packages = {name: version for path in environments for name, version in read_pins(path).items()}
    write_text(outputs["card"], text)
    write_text(outputs["page"], html(text, model.run))
    write_text(outputs["bom"], bill(model, exports, passed, optional["datasheet"], packages))
    log.info("%d targets, %d packages", len(exports), len(packages))


if __name__ == "__main__":
    with step() as snakemake:
        targets = snakemake.params.targets
        deliver_card(
            {name: Path(path) for name, path in snakemake.input.items() if isinstance(path, str)},
            dict(zip(targets, map(Path, snakemake.input.exports), strict=True)),
            dict(zip(targets, map(Path, snakemake.input.validations), strict=True)),
            [Path(path) for path in snakemake.input.environments],
            {name: Path(path) for name, path in snakemake.output.items()},
            knobs=snakemake.params.knobs,
            handcoded=snakemake.params.handcoded,
            cmssw=snakemake.params.cmssw,
            license=snakemake.params.license,
        )
