"""Generate readable Python and C++ from a network's numbers; the standard library is enough."""

from pathlib import Path

from torchship.core.step import step

from torchship.codegen import to_cpp, to_python
from torchship.codegen.layers import read_network
from torchship.core.files import read_json, write_text


def generate_code(weights: Path, python: Path, header: Path) -> None:
    network = read_network(read_json(weights))
    write_text(python, to_python.generate(network))
    write_text(header, to_cpp.generate(network))


if __name__ == "__main__":
    with step() as snakemake:
        generate_code(Path(snakemake.input.weights), Path(snakemake.output.python), Path(snakemake.output.header))
