"""Write every parameter by name, and the layers in the order they are called."""

from pathlib import Path

from torchship.core.step import log, step

from torchship.codegen.tracing import weights_document
from torchship.core.files import write_json
from torchship.models.module import load
from torchship.spec.model import read_model
from torchship.spec.section import Section


def extract_weights(network: Path, trained: Path, weights: Path, *, run: str, model: Section) -> None:
    module = load(network, model["network"].get("arguments", {}), trained)
    document = weights_document(run, module, model["inputs"], model["outputs"])
    write_json(weights, document)
    log.info("%d parameters in %d layers", sum(p.numel() for p in module.parameters()), len(document["layers"]))


if __name__ == "__main__":
    with step() as snakemake:
        extract_weights(
            Path(snakemake.input.network),
            Path(snakemake.input.trained),
            Path(snakemake.output.weights),
            run=snakemake.wildcards.run,
            model=read_model(Path(snakemake.input.shipped)).with_knobs({}),
        )
