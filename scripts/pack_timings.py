"""Pack what differs from run to run: timings, their plots, and what this machine is."""

import json
import os
import platform
from importlib import metadata
from pathlib import Path

from torchship.core.step import log, step

from torchship.archive.manifest import Content
from torchship.archive.pack import pack
from torchship.core import provenance


def pack_timings(results: dict[str, Path], output: Path, *, name: str, commit: str) -> None:
    machine = {
        "commit": commit,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "platform": platform.platform(),
        "processor": processor(),
        "python": platform.python_version(),
        "packages": sorted(f"{entry.name}=={entry.version}" for entry in metadata.distributions()),
    }
    contents: dict[str, Content] = {**results}
    contents["machine.json"] = (json.dumps(machine, indent=2, sort_keys=True) + "\n").encode()
    pack(output, f"{name}-timings", contents, provenance.epoch())
    log.info("%d files, %s", len(contents), machine["processor"])


def processor() -> str:
    """Return the processor's name, from Linux's own table where there is one."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


if __name__ == "__main__":
    with step() as snakemake:
        pack_timings(
            dict(zip(snakemake.params.names, map(Path, snakemake.input.results), strict=True)),
            Path(snakemake.output.archive),
            name=snakemake.params.name,
            commit=snakemake.params.commit,
        )
