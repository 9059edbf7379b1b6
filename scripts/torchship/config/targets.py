"""Which runtimes can be had here, and which one stands in for a target whose own cannot."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from torchship.core.errors import ConfigError
from torchship.spec.target import TargetEntry

Targets = Mapping[str, TargetEntry]

# The oldest operator set that torch's exporter translates to; what is older is made of that by conversion.
OLDEST_NATIVE = 18

# The target that is today's runtime: it must read the files of all others.
TODAY = "latest"


def native(opset: int) -> int:
    """Return the operator set that torch translates to where this one is asked for."""
    return max(opset, OLDEST_NATIVE)


def natives(opsets: Iterable[int]) -> list[int]:
    """Return the operator sets to translate to, so that all these can be made of them, the newest first."""
    return sorted({native(opset) for opset in opsets}, reverse=True)


def file_opset(asked: int, target: TargetEntry) -> int:
    """Return the operator set of a target's file: the one that is asked for, or the target's newest if that is less."""
    return min(asked, target["opset"])


def version(text: str) -> tuple[int, ...]:
    """Return a version's numbers, for comparison."""
    return tuple(int(part) for part in text.split("."))


def runtime_of(targets: Targets, name: str) -> str:
    """Return the target whose runtime a target's files are run in: its own.

    Without a wheel of it, the oldest that has one and is newer: what a newer runtime refuses, an older one does too.
    """
    if targets[name]["wheel"]:
        return name
    own = version(targets[name]["onnxruntime"])
    wheels = {other: version(facts["onnxruntime"]) for other, facts in targets.items() if facts["wheel"]}
    newer = {other: number for other, number in wheels.items() if number >= own}
    return min(newer, key=lambda other: newer[other]) if newer else max(wheels, key=lambda other: wheels[other])


def runtimes_of(targets: Targets, name: str) -> list[str]:
    """Return the targets whose runtimes a target's file is run in: that of `runtime_of`, and today's."""
    today = [TODAY] if TODAY in targets and targets[TODAY]["wheel"] else []
    return list(dict.fromkeys([runtime_of(targets, name), *today]))


def pins_of(targets: Targets, name: str) -> str:
    """Return the file in envs/ that pins a target's runtime."""
    return f"onnxruntime-{targets[name]['onnxruntime']}.yaml"


def require_classes(targets: Targets) -> None:
    """Check that every target of CMSSW, and no other, says which generation of its class it has.

    Raises:
        ConfigError: one does not.
    """
    for name, facts in targets.items():
        if (facts["contract"] == "cmssw") != (facts["class"] is not None):
            raise ConfigError(
                f"targets/{name}/class is {facts['class']!r} with contract {facts['contract']!r}: with `contract: "
                "cmssw` it must be allocating or into, else null"
            )


def require_environments(targets: Targets, used: Sequence[str], environments: Path) -> None:
    """Check that every runtime that is needed has its environment file.

    Raises:
        ConfigError: one has none, or no target has a wheel.
    """
    if not any(facts["wheel"] for facts in targets.values()):
        raise ConfigError("targets: none has `wheel: true`, so that no file can be run")
    for name in dict.fromkeys(runtime for target in used for runtime in runtimes_of(targets, target)):
        if not (environments / pins_of(targets, name)).exists():
            raise ConfigError(
                f"targets/{name}: there is no envs/{pins_of(targets, name)}; write it as its neighbours are, and run "
                "`make runtimes`, or set wheel to false if there is no wheel of it"
            )
