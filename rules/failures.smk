"""What is said at the end of a run that failed."""

from torchship.core.last_words import last_words


def failures():
    """Return a line for each failed job that says why, behind one that says what these are."""
    lines = []
    for failed in workflow.scheduler.failed:
        jobs = failed.jobs if failed.is_group() else [failed]
        logs = {
            "/".join([job.rule.name, *job.wildcards]): Path(job.log[0]) for job in jobs
        }
        lines += last_words(logs, workflow.start_time.timestamp())
    return "\n".join(["", "What failed, and why:", *sorted(lines)])
