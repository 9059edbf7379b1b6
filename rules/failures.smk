"""What is said at the end of a run that failed."""

import atexit

from torchship.core.last_words import last_words


def tell_failures():
    """Print a line for each failed job that says why, behind Snakemake's own last words, where one looks first."""
    lines = []
    for failed in workflow.scheduler.failed:
        jobs = failed.jobs if failed.is_group() else [failed]
        logs = {
            "/".join([job.rule.name, *job.wildcards]): Path(job.log[0])
            for job in jobs
            if job.log
        }
        lines += last_words(logs, workflow.start_time.timestamp())
    if lines:
        text = "\n".join(["", "What failed, and why:", *sorted(lines)])
        atexit.register(print, text, file=sys.stderr)
