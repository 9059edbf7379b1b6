"""Pack the workflow, its resolved configuration and everything deterministic that it made into one archive."""

import json
from pathlib import Path

from torchship.core.step import log, step

from torchship.archive import crate
from torchship.archive.manifest import Content
from torchship.archive.pack import pack
from torchship.core import provenance
from torchship.core.files import Json


def pack_archive(
    results: dict[str, Path],
    sources: dict[str, Path],
    output: Path,
    *,
    config: Json,
    knobs: crate.Archive,
    commit: str,
) -> None:
    modified = provenance.epoch()
    if commit.endswith("-dirty"):
        log.warning("the checkout has changes that are not committed: the archive says so")
    contents: dict[str, Content] = {**sources, **results}
    contents["config.resolved.json"] = (json.dumps(config, indent=2, sort_keys=True) + "\n").encode()
    contents["provenance.json"] = (json.dumps({"commit": commit, "date": modified}, sort_keys=True) + "\n").encode()
    about: crate.About = {
        **knobs,
        "commit": commit,
        "description": f"A PyTorch model from its data to validated ONNX files, made by Torchship at commit {commit}.",
    }
    contents[crate.METADATA] = crate.describe(contents, about, modified)
    pack(output, knobs["name"], contents, modified)
    log.info("%d files, %d bytes, commit %s", len(contents), output.stat().st_size, commit)


if __name__ == "__main__":
    with step() as snakemake:
        pack_archive(
            dict(zip(snakemake.params.names, map(Path, snakemake.input.results), strict=True)),
            dict(zip(snakemake.params.source_names, map(Path, snakemake.input.sources), strict=True)),
            Path(snakemake.output.archive),
            config=snakemake.params.config,
            knobs=snakemake.params.knobs,
            commit=snakemake.params.commit,
        )
