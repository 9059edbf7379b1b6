"""Take a network's weights that were trained elsewhere, as a candidate of their own."""

from pathlib import Path

from torchship.core.step import log, step

from torchship.core.files import sha256, write_rows
from torchship.models.given_weights import fitted, read_state, require_no_draws, without_prefix
from torchship.models.module import build, save_weights
from torchship.models.neighbours import digest
from torchship.spec.report import Report
from torchship.spec.section import Section, in_order, read_section
from torchship.training.tables import HISTORY_COLUMNS, REPLICA_COLUMNS, write_report


def take_weights(network: Path, given: Path, outputs: dict[str, Path], *, section: Section) -> None:
    """Write what a training writes: the weights, tables without a row, and a report that says where they are from."""
    arguments = section["network"].get("arguments", {})
    module = build(network, arguments)
    require_no_draws(network, arguments)
    state, key = read_state(given)
    state, prefix = without_prefix(state, module.state_dict())
    own, rounded = fitted(state, module, given)
    save_weights(outputs["weights"], own)
    write_rows(outputs["history"], HISTORY_COLUMNS, [])
    write_rows(outputs["replicas"], REPLICA_COLUMNS, [])
    about: Report = {
        "trained": "elsewhere",
        "point": {},
        "section": in_order(section),
        "device": None,
        "datasheet_sha256": None,
        "source": {"file": given.name, "sha256": sha256(given), "under": key, "prefix": prefix, "rounded": rounded},
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "network_sha256": digest(network),
    }
    write_report(outputs, about)
    if prefix:
        log.info("%s: the names of all tensors began with %r, which was taken away", given, prefix)
    for line in rounded:
        log.warning("%s: rounded %s", given, line)
    log.info("%s: %d tensors%s, trained elsewhere", given, len(own), f" under {key!r}" if key else "")


if __name__ == "__main__":
    with step() as snakemake:
        take_weights(
            Path(snakemake.input.network),
            Path(snakemake.input.given),
            {name: Path(path) for name, path in snakemake.output.items()},
            section=read_section(snakemake.params.section),
        )
