"""The wall of foreign networks and files, whole: each one all the way to a verdict, and a page about it.

    make foreign                                  all of it, into docs/foreign.md
    make foreign ARGS="--only hcr paddle_names"   some, to the screen
    make foreign ARGS="--targets latest --quick"  one target, without training, little search, to the screen

Each network or file has a process of its own, so that one that dies or hangs is a line of the table.
"""

import argparse
import ast
import os
import pickle
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import files_wall
import networks_wall
import torch
from building import NETWORKS
from files_wall import FILES
from library import TARGETS
from page import page

HERE = Path(__file__).parent
SECONDS = 1800
SEARCH = 2048


def one(name, targets, quick, path):
    """Examine one in this process, and leave the result in a file."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    more = {} if quick else {"search": {"evaluations": SEARCH, "seconds": 300}}
    if name in FILES:
        result = files_wall.examine(name, targets, **more)
    else:
        result = networks_wall.examine(name, targets, train=not quick, **more)
    path.write_bytes(pickle.dumps(result))


def apart(name, arguments, folder):
    """Examine one in a process of its own; return the result, or why there is none."""
    path = folder / f"{name}.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())
    command = [
        sys.executable,
        __file__,
        "--one",
        name,
        str(path),
        "--targets",
        *arguments.targets,
        *["--quick"] * arguments.quick,
    ]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        return f"not done after {SECONDS} s"
    print(f"{name}: {'done' if path.exists() else 'died'}", file=sys.stderr)
    lines = done.stderr.strip().splitlines()
    return (
        pickle.loads(path.read_bytes()) if path.exists() else f"died ({done.returncode}): {lines[-1] if lines else ''}"
    )


def style(name):
    """Return what a network or file says of itself: the first line of its docstring."""
    folder = "files" if name in FILES else "networks"
    return ast.get_docstring(ast.parse((HERE / folder / f"{name}.py").read_text())).splitlines()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[*NETWORKS, *FILES])
    parser.add_argument("--targets", nargs="+", default=list(TARGETS))
    parser.add_argument("--quick", action="store_true", help="no training, and a small search")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, help="the page, if the whole is done; else it goes to the screen")
    parser.add_argument("--keep", type=Path, help="a folder for the results: another run takes what is there")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one[0], tuple(arguments.targets), arguments.quick, Path(arguments.one[1]))
        return 0
    with tempfile.TemporaryDirectory() as own, ThreadPoolExecutor(arguments.jobs) as pool:
        folder = arguments.keep or Path(own)
        folder.mkdir(parents=True, exist_ok=True)
        done = pool.map(lambda name: apart(name, arguments, folder), arguments.only)
        found = dict(zip(arguments.only, done, strict=True))
    results = {name: result for name, result in found.items() if not isinstance(result, str)}
    died = {name: result for name, result in found.items() if isinstance(result, str)}
    text = page(results, died, {name: style(name) for name in found}, list(FILES), arguments.targets)
    whole = (*arguments.only, *arguments.targets) == (*NETWORKS, *FILES, *TARGETS) and not arguments.quick
    if arguments.output and whole:
        arguments.output.write_text(text)
    else:
        sys.stdout.write(text)
    return int(bool(died) or any(result.false_alarm or result.missed for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
