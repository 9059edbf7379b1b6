"""Where the C++ compiler is. Standard library only, since planning asks whether there is one."""

import os
import shutil


def compiler() -> str | None:
    """Return the C++ compiler: $CXX, else the first of c++, g++, clang++ on PATH, else None."""
    candidates = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    return next((path for name in candidates if name and (path := shutil.which(name))), None)
