"""Take an ONNX file that was made elsewhere: one file with all its weights, and a description of what it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torchship.core.step import log, step

from torchship.adopt.completion import complete
from torchship.adopt.onnx_file import read_model, serialized, signature
from torchship.core.claims import withdraw
from torchship.core.files import replacing, sha256
from torchship.data.datasets import read_arrays
from torchship.spec.model import GivenModel, Model, write_model
from torchship.spec.tensor import TensorEntry, Tensors


def adopt_onnx(
    file: Path,
    reference: Path | None,
    output: Path,
    shipped: Path,
    *,
    run: str,
    section: Mapping[str, Mapping[str, TensorEntry]],
    claims: Sequence[Path] = (),
) -> None:
    # Whatever comes of this one, Snakemake has deleted the one before, of which pages speak.
    withdraw(claims, run)
    proto, beside = read_model(file)
    arrays = None if reference is None else read_arrays(reference)
    inputs, outputs, notes = complete(f"models/{run}", section, signature(proto, file), arrays)
    # As it came, byte by byte, unless something had to be put into it.
    content = serialized(proto, file) if beside else file.read_bytes()
    if beside:
        names = ", ".join(path.name for path in beside)
        notes.append(f"the weights in {names} were put into the file, since one file is deployed")
    with replacing(output) as part:
        part.write_bytes(content)
    source: GivenModel = {
        "file": file.name,
        "sha256": sha256(file),
        "beside": {path.name: sha256(path) for path in beside},
    }
    files = {output.name: sha256(output)}
    write_model(shipped, Model(run, {"inputs": inputs, "outputs": outputs}, files, source=source, notes=tuple(notes)))
    for line in notes:
        log.info("%s: %s", file, line)
    log.info("%s: inputs %s; outputs %s", file, *map(listed, (inputs, outputs)))


def listed(tensors: Tensors) -> str:
    """Return names, shapes and types of tensors in one line."""
    return ", ".join(f"{name} {tensor.spelled} {tensor.dtype}" for name, tensor in tensors.items())


if __name__ == "__main__":
    with step() as snakemake:
        reference = snakemake.input.get("reference")
        adopt_onnx(
            Path(snakemake.input.onnx),
            Path(reference) if reference else None,
            Path(snakemake.output.model),
            Path(snakemake.output.shipped),
            run=snakemake.wildcards.run,
            section=snakemake.params.section,
            claims=[Path(path) for path in snakemake.params.claims],
        )
