"""A deployment target, as targets.yaml has it. Standard library only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

# The contract of cms::Ort::ONNXRuntime, and the newer of the two generations of that class: in the older one ONNX
# Runtime allocates the outputs; this one, since March 2026, has it write into memory whose size it works out before.
CMSSW, INTO = "cmssw", "into"

# `class` is a word of Python's.
TargetEntry = TypedDict(
    "TargetEntry",
    {
        "onnxruntime": str,
        "opset": int,
        "ir": int,
        "ml": int,
        "series": Sequence[str],
        "wheel": bool,
        "contract": str | None,
        "class": str | None,
        "source": str,
    },
)


@dataclass(frozen=True)
class Target:
    """What a target's runtime takes.

    Attributes:
        onnxruntime: the version that it ships.
        opset, ir: the newest operator set and IR version that it accepts.
        ml: the newest operator set of ai.onnx.ml.
        series: the CMSSW series that ship it.
        wheel: whether it can be installed here, so that files run in it.
        contract: what takes the files there, beside the runtime: `cmssw`, or None.
        generation: of cmssw, which one of its class it is; in targets.yaml `class`.
        source: how this is known.
    """

    onnxruntime: str
    opset: int
    ir: int
    ml: int
    series: tuple[str, ...] = ()
    wheel: bool = True
    contract: str | None = None
    generation: str | None = None
    source: str = ""

    def document(self) -> TargetEntry:
        """Return it for JSON."""
        return {
            "onnxruntime": self.onnxruntime,
            "opset": self.opset,
            "ir": self.ir,
            "ml": self.ml,
            "series": list(self.series),
            "wheel": self.wheel,
            "contract": self.contract,
            "class": self.generation,
            "source": self.source,
        }


def read_target(entry: TargetEntry) -> Target:
    """Return a target from an entry of targets.yaml."""
    return Target(
        entry["onnxruntime"],
        entry["opset"],
        entry["ir"],
        entry["ml"],
        tuple(entry["series"]),
        entry["wheel"],
        entry["contract"],
        entry["class"],
        entry["source"],
    )


def read_targets(entries: Mapping[str, TargetEntry]) -> dict[str, Target]:
    """Return targets by name."""
    return {name: read_target(entry) for name, entry in entries.items()}
