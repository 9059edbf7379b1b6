"""Evaluate the networks of a run's candidates once, on events of the declared domain, before all else."""

import json
from collections.abc import Sequence
from pathlib import Path

from torchship.core.step import log, step

import torch
from torchship.core.errors import TorchshipError
from torchship.core.files import write_json
from torchship.spec.section import Section, read_section
from torchship.training.first_pass import first_pass


def check_network(files: Sequence[Path], report: Path, *, section: Section, networks: Sequence[Section]) -> None:
    by_name, found = {file.stem: file for file in files}, []
    for network in networks:
        try:
            about = first_pass(by_name[network["network"]["file"]], {**section, **network})
        except TorchshipError as error:
            if not network["network"].get("arguments"):
                raise
            # Of a scan: whose it is.
            raise type(error)(f"{error} (of the candidates with {json.dumps(network)})") from error
        found.append(about)
        outputs = ", ".join(f"{name} {one['shape']} {one['dtype']}" for name, one in about["outputs"].items())
        log.info("%s with %s: %d parameters, gives %s", about["file"], about["arguments"], about["parameters"], outputs)
    write_json(report, {"networks": found})


if __name__ == "__main__":
    with step() as snakemake:
        torch.set_num_threads(1)
        check_network(
            [Path(snakemake.input.network)],
            Path(snakemake.output.checked),
            section=read_section(snakemake.params.section),
            networks=snakemake.params.networks,
        )
