"""What an archive's packing and its verification share: the manifest's name, and what a name may be."""

from pathlib import Path, PurePosixPath


def beside(archive: Path) -> Path:
    """Return the path of the checksum that travels with an archive."""
    return archive.with_name(f"{archive.name}.sha256")


def is_inside(name: str) -> bool:
    """Tell whether a path stays below the folder that it is unpacked in."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\x00" not in name
