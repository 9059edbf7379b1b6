"""Put a recording queue in the place of HTCondor's, in the one process that submits: Python imports this on starting.

HTCondor's own bindings read the description and the event log; what takes the jobs is this. A job runs here at once,
by the words of its description, as an old-style list of arguments is read: separated by spaces, without quotes.
"""

import os
import sys

if "htcondor" in " ".join(sys.orig_argv) and "--mode" not in sys.orig_argv and os.environ.get("TORCHSHIP_QUEUE"):
    import json
    import subprocess
    import time
    from pathlib import Path

    import htcondor2

    USAGE = "".join(
        f"\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  {kind} Usage\n"
        for kind in ("Run Remote", "Run Local", "Total Remote", "Total Local")
    )
    BYTES = "\n".join(
        f"\t0  -  {kind} By Job"
        for kind in ("Run Bytes Sent", "Run Bytes Received", "Total Bytes Sent", "Total Bytes Received")
    )
    TERMINATED = "Job terminated.\n\t(1) Normal termination (return value {})\n" + USAGE + BYTES

    class Result:
        def __init__(self, number):
            self._number = number

        def cluster(self):
            return self._number

    class Queue:
        """A schedd that runs each job to its end when it is submitted; or only leaves the files that it promised."""

        number = 0
        runs = os.environ.get("TORCHSHIP_QUEUE_RUNS") != "no"

        def submit(self, description, *_, **__):
            queue = Path(os.environ["TORCHSHIP_QUEUE"])
            # No number twice, not even in another run.
            Queue.number = 1 + (len(queue.read_text().splitlines()) if queue.exists() else 0)
            said = {key: description[key] for key in description}
            names = {"$(ClusterId)": str(Queue.number), "$(Cluster)": str(Queue.number)}

            def path(key):
                text = said[key]
                for name, value in names.items():
                    text = text.replace(name, value)
                return Path(text)

            with queue.open("a") as stream:
                stream.write(json.dumps(said) + "\n")
            status = self.run(said, path("output"), path("error")) if self.runs else self.promise()
            with path("log").open("a") as log:
                self.event(log, "000", "Job submitted from host: <127.0.0.1:9618>")
                self.event(log, "001", "Job executing on host: <127.0.0.1:9618>")
                self.event(log, "005", TERMINATED.format(status))
            return Result(Queue.number)

        def run(self, said, output, error):
            environment = {name: os.environ[name] for name in said["getenv"].split(",") if name in os.environ}
            command = [said["executable"], *said["arguments"].split()]
            with output.open("wb") as out, error.open("wb") as err:
                return subprocess.run(command, env=environment, stdout=out, stderr=err, check=False).returncode

        def promise(self):
            job = submitted[-1]
            for name in [*job.output, job.benchmark]:
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).touch()
            return 0

        @staticmethod
        def event(log, kind, text):
            log.write(f"{kind} ({Queue.number:03d}.000.000) {time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n...\n")

        def act(self, *_, **__):
            return None

    submitted = []

    def remembering(run_job):
        def remembered(self, job):
            submitted.append(job)
            return run_job(self, job)

        return remembered

    import snakemake_executor_plugin_htcondor as plugin

    plugin.Executor.run_job = remembering(plugin.Executor.run_job)
    htcondor2.Schedd = Queue
    htcondor2.Submit.issue_credentials = lambda self: None
