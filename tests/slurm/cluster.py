"""A private Slurm on this machine: four nodes, two of them with pretend GPUs, on ports and folders of its own.

The daemons are real. The GPUs are device files that are none: Slurm hands them out and sets CUDA_VISIBLE_DEVICES, and
nothing can compute on them.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

NODES = {"c1": 0, "c2": 0, "g1": 1, "g2": 2}
TOOLS = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo", "srun"]

CONFIGURATION = """
ClusterName=torchship
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={base}/munge/socket
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,sched_interval=1,bf_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
SlurmctldTimeout=10
SlurmdTimeout=10
InactiveLimit=0
MinJobAge=3600
KillWait=5
Waittime=0
ReturnToService=2
JobRequeue=1
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool.%n
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd.%n.pid
SlurmctldLogFile={base}/slurmctld.log
SlurmdLogFile={base}/slurmd.%n.log
AccountingStorageType=accounting_storage/none
"""


def missing():
    """Return the tools that are not installed."""
    found = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [tool for tool in TOOLS if not shutil.which(tool, path=found)]


class Cluster:
    """A running Slurm; ends what it started, and nothing else, with the `with` block.

    Args:
        cpus, memory: that each node pretends to have, in MB.
    """

    def __init__(self, cpus=16, memory=12000):
        # munge wants every folder above its socket to be open to all, and a socket's path to be short.
        self.base = Path(tempfile.mkdtemp(prefix="torchship-slurm-", dir="/tmp"))
        self.base.chmod(0o755)
        self.cpus, self.memory = cpus, memory
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(self.base / "slurm.conf"),
            # The plugin drops SLURM_CONF before it calls srun (jobstep 0.6.1): a srun in front of it puts it back.
            "PATH": f"{self.base / 'bin'}:{os.environ['PATH']}:/usr/sbin",
        }

    def __enter__(self):
        for name in ("munge", "state", "bin", "dev", *(f"spool.{node}" for node in NODES)):
            (self.base / name).mkdir(parents=True, mode=0o755)
        (self.base / "munge").chmod(0o755)
        self._configure()
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if (self.base / "slurmctld.pid").exists():
            self._ask("scancel", "--user", str(os.getuid()))
            deadline = time.monotonic() + 15
            while self.queue() and time.monotonic() < deadline:
                time.sleep(0.2)
        for name in (*(f"slurmd.{node}" for node in NODES), "slurmctld", "munged"):
            self.kill(name, signal.SIGTERM)
        # Those of a node that was killed have outlived it.
        for process in self.processes("slurmstepd"):
            os.kill(process, signal.SIGKILL)
        shutil.rmtree(self.base, ignore_errors=True)

    def _configure(self):
        host, (port, *ports) = socket.gethostname().split(".")[0], free_ports(1 + len(NODES))
        text = CONFIGURATION.format(host=host, port=port, base=self.base)
        for (node, gpus), own in zip(NODES.items(), ports, strict=True):
            text += (
                f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={own} CPUs={self.cpus} "
                f"RealMemory={self.memory} {f'Gres=gpu:{gpus}' if gpus else ''} State=UNKNOWN\n"
            )
        for partition, start, default in (("cpu", "c", "YES"), ("gpu", "g", "NO")):
            names = ",".join(node for node in NODES if node.startswith(start))
            text += f"PartitionName={partition} Nodes={names} Default={default} MaxTime=600 State=UP DefMemPerCPU=500\n"
        (self.base / "slurm.conf").write_text(text)
        lines = ["AutoDetect=off"]
        for node, gpus in NODES.items():
            for number in range(gpus):
                device = self.base / "dev" / f"nvidia{number}"
                if not device.is_symlink():
                    device.symlink_to("/dev/null")
                lines.append(f"NodeName={node} Name=gpu File={device}")
        (self.base / "gres.conf").write_text("\n".join(lines) + "\n")
        srun = self.base / "bin" / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.base / "slurm.conf"} exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)

    def _start(self):
        munge = self.base / "munge"
        (munge / "key").write_bytes(os.urandom(128))
        (munge / "key").chmod(0o400)
        options = {
            "key-file": "key",
            "socket": "socket",
            "pid-file": "../munged.pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        self._run("munged", *(f"--{name}={(munge / file).resolve()}" for name, file in options.items()))
        self._run("slurmctld", "-c")
        for node in NODES:
            self.start_node(node)
        deadline = time.monotonic() + 60
        while self.nodes().count("idle") < len(NODES):
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"the nodes are {self.nodes()}:\n{(self.base / 'slurmctld.log').read_text()[-2000:]}"
                )
            time.sleep(0.1)

    def start_node(self, node):
        """Start a node's daemon."""
        self._run("slurmd", "-N", node)

    def kill(self, name, number):
        """Send a signal to one of the daemons by the number in its own file, and wait for its end."""
        file = self.base / f"{name}.pid"
        if not file.exists() or not file.read_text().strip():
            return
        process = int(file.read_text())
        try:
            os.kill(process, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + 15
        while Path(f"/proc/{process}").exists():
            if time.monotonic() > deadline:
                os.kill(process, signal.SIGKILL)
            time.sleep(0.05)
        file.unlink(missing_ok=True)

    def lose_node(self, node):
        """Take a node away as a power cut does: its daemon, and all that runs on it."""
        self.kill(f"slurmd.{node}", signal.SIGKILL)
        for process in (*self.processes("", SLURMD_NODENAME=node), *self.processes("slurmstepd", node=node)):
            # It may have ended with the one before it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def processes(self, name, node=None, **variables):
        """Return the processes that were started by this cluster, by the start of their command and their variables."""
        wanted = [f"SLURM_CONF={self.base / 'slurm.conf'}", *(f"{key}={value}" for key, value in variables.items())]
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            there = node is None or f"SLURMD_NODENAME={node}" in environment or f"-N {node}" in command
            if there and command.startswith(name) and all(entry in environment for entry in wanted):
                found.append(int(folder.name))
        return found

    def _run(self, *command):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{command[0]} ended with status {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def _ask(self, *command):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout

    def nodes(self):
        """Return the states of the nodes."""
        return self._ask("sinfo", "-h", "-N", "-o", "%t").split()

    def queue(self):
        """Return the numbers of the jobs that wait or run."""
        return self._ask("squeue", "-h", "-t", "PD,R,CG,S", "-o", "%i").split()

    def jobs(self):
        """Return what the controller recorded of every job: a mapping of scontrol's words for each, by number."""
        records = {}
        for block in self._ask("scontrol", "show", "job", "--details").strip().split("\n\n"):
            # Values may hold spaces, but then they have a line of their own.
            lines = [line.strip() for line in block.splitlines()]
            parts = [
                [line] if line.startswith(("WorkDir=", "Command=", "Std", "Comment=")) else line.split()
                for line in lines
            ]
            words = dict(word.split("=", 1) for words in parts for word in words if "=" in word)
            if "JobId" in words:
                records[int(words["JobId"])] = words
        return records

    def cancel(self, number):
        """Cancel a job, as a user would."""
        self._run("scancel", str(number))


def free_ports(count):
    """Return ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
