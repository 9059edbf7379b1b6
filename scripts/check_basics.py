"""Compute and check the basic facts of tensors, devices and automatic differentiation."""

from pathlib import Path

from torchship.core.step import log, step

from torchship.basics.facts import Fact, autograd_facts, device_facts, environment, tensor_facts
from torchship.core.errors import TorchshipError
from torchship.core.files import write_json


def check_basics(outputs: dict[str, Path]) -> None:
    facts = {"tensors": tensor_facts(), "devices": device_facts(), "autograd": autograd_facts()}
    for topic, found in facts.items():
        require(found)
        document: dict[str, object] = {"facts": [fact.document() for fact in found]}
        if topic == "devices":
            document["devices"] = environment()
        write_json(outputs[topic], document)
        log.info("%s: %d facts hold", topic, len(found))


def require(facts: list[Fact]) -> None:
    for fact in facts:
        if not fact.holds:
            raise TorchshipError(
                f"{fact.statement}: {fact.code} gives {fact.found}, expected {fact.expected}: torch is broken here"
            )


if __name__ == "__main__":
    with step() as snakemake:
        check_basics({name: Path(path) for name, path in snakemake.output.items()})
