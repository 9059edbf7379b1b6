"""Generate readable Python and C++ from a network's numbers; the standard library is enough."""

from pathlib import Path

from torchship.step import step

from torchship import codegen_cpp, codegen_python
from torchship.files import read_json, write_text
from torchship.layers import read_network


def generate_code(weights: Path, python: Path, header: Path) -> None:
    network = read_network(read_json(weights))
    write_text(python, codegen_python.generate(network))
    write_text(header, codegen_cpp.generate(network))


if __name__ == "__main__":
    with step():
        generate_code(Path(snakemake.input.weights), Path(snakemake.output.python), Path(snakemake.output.header))
