"""Snakemake, which says at its end how long it took and how much memory it had."""

import re
import sys
import time
from pathlib import Path

start = time.perf_counter()
sys.argv[0] = "snakemake"
try:
    from snakemake.cli import main

    main()
finally:
    # Of this process alone; what resource.getrusage says is inherited from what started it.
    kilobytes = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
    print(f"measured {time.perf_counter() - start:.2f} s {kilobytes / 1024:.0f} MB", file=sys.stderr)
