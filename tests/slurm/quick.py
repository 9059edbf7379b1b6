"""Snakemake, with the plugin's wait between two looks at the queue capped: it adds ten seconds each time nothing happens.

For tests alone: many short jobs would wait for minutes.
"""

import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

LONGEST = 2.0

plain = RemoteExecutor.next_seconds_between_status_checks
RemoteExecutor.next_seconds_between_status_checks = property(
    plain.fget, lambda self, value: plain.fset(self, None if value is None else min(value, LONGEST))
)
sys.argv[0] = "snakemake"
main()
