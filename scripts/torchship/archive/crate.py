"""RO-Crate metadata of an archive (https://w3id.org/ro/crate/), made with the rocrate library."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TypedDict

from rocrate.model.person import Person
from rocrate.rocrate import ROCrate
from torchship.archive.manifest import Content, digest_of, size_of

METADATA = "ro-crate-metadata.json"
# A table of our own: the platform's differs from machine to machine.
TYPES = {
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".hpp": "text/x-c++",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".py": "text/x-python",
    ".safetensors": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
}


class Archive(TypedDict):
    """The section `archive` of the configuration."""

    name: str
    license: str
    author: str | None


class About(Archive):
    """What a crate says of itself, beside that."""

    commit: str
    description: str


def describe(contents: Mapping[str, Content], about: About, modified: int) -> bytes:
    """Return ro-crate-metadata.json for files by their path, with the Snakefile as the main workflow.

    Args:
        about: what it says of itself.
        modified: the crate's date, in seconds since 1970.
    """
    crate = ROCrate()
    crate.name, crate.description = about["name"], about["description"]
    crate.license = f"https://spdx.org/licenses/{about['license']}"
    crate.datePublished = datetime.fromtimestamp(modified, tz=UTC)
    crate.root_dataset["version"] = about["commit"]
    if about["author"]:
        # An identifier of its own: the library's default is random.
        author = Person(crate, identifier="#author", properties={"name": about["author"]})
        crate.root_dataset["author"] = crate.add(author)
    for name in sorted(contents):
        properties = {
            "contentSize": str(size_of(contents[name])),
            "sha256": digest_of(contents[name]),
            "encodingFormat": encoding(name),
        }
        if name == "Snakefile":
            crate.add_workflow(
                dest_path=name, main=True, lang="snakemake", properties={"name": "Torchship", **properties}
            )
        else:
            crate.add_file(dest_path=name, properties={"name": name, **properties})
    document = crate.metadata.generate()
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def encoding(name: str) -> str:
    """Return a file's media type."""
    return TYPES.get(PurePosixPath(name).suffix, "text/plain")
