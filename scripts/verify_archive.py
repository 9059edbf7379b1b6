"""Verify an archive anywhere, with Python 3.11 or newer and nothing else: python scripts/verify_archive.py FILE."""

import argparse
import sys
from pathlib import Path

from torchship.archive.verify import MOST_BYTES, verify
from torchship.core.errors import ArchiveError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, nargs="+", help="a .tar.gz that the archive stage made")
    parser.add_argument("--extract", type=Path, metavar="FOLDER", help="unpack into this new folder if all is well")
    parser.add_argument(
        "--most-bytes", type=int, default=MOST_BYTES, help="refuse to unpack more (default: %(default)s)"
    )
    arguments = parser.parse_args()
    if arguments.extract and len(arguments.archive) > 1:
        parser.error("--extract takes one archive at a time")
    for archive in arguments.archive:
        try:
            files = verify(archive, arguments.extract, arguments.most_bytes)
        except ArchiveError as error:
            print(f"ArchiveError: {error}", file=sys.stderr)
            return 1
        print(f"{archive}: {files} files as packed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
