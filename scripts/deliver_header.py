"""Deliver the C++ header as a package with its golden test, which is compiled and run."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from torchship.core.step import log, step

from torchship.codegen.compilers import compiler
from torchship.codegen.layers import read_network
from torchship.core.files import read_json, write_json, write_text
from torchship.deliver.golden import read_golden
from torchship.deliver.header import FILES, HEADER, package, try_package
from torchship.deliver.passed import require_all_passed
from torchship.spec.axes import read_axes
from torchship.spec.model import read_model
from torchship.spec.section import Section


def deliver_header(
    weights: Path,
    header: Path,
    cases: Path,
    validations: Mapping[str, Path],
    outputs: Mapping[str, Path],
    *,
    section: Section,
) -> None:
    passed, text = require_all_passed(validations), header.read_text(encoding="utf-8")
    golden = read_golden(cases, section["inputs"], section["outputs"], read_axes(section))
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    files = package(read_network(read_json(weights)), text, golden, passed, fingerprint)
    executable = compiler()
    compared = try_package(files, executable) if executable else None
    if compared is None:
        log.warning("there is no C++ compiler here: the golden test of the header has not been run")
    places = {"header": HEADER, **{name: path for name, (path, _) in FILES.items()}}
    for name, path in places.items():
        write_text(outputs[name], files[path])
    write_json(outputs["tried"], {"sha256": fingerprint, "validations": passed, "golden_events": compared})


if __name__ == "__main__":
    with step() as snakemake:
        deliver_header(
            Path(snakemake.input.weights),
            Path(snakemake.input.header),
            Path(snakemake.input.cases),
            dict(zip(snakemake.params.targets, map(Path, snakemake.input.validations), strict=True)),
            {name: Path(path) for name, path in snakemake.output.items()},
            section=read_model(Path(snakemake.input.shipped)).with_knobs(snakemake.params.knobs),
        )
