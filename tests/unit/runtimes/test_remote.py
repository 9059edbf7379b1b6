"""A runtime that dies, or hangs, says at which call, and the calls after it go on."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gating import gated
from support import PROJECT
from torch import nn
from torchship.core.errors import TargetError
from torchship.export.torch_export import export
from torchship.runtimes import interpreters
from torchship.runtimes.frames import RefusedError
from torchship.runtimes.interpreters import interpreter
from torchship.runtimes.local import LocalRuntime
from torchship.runtimes.remote import Runtime
from torchship.spec.tensor import Tensor

SCRIPTS = PROJECT / "scripts"
INPUTS = {"x": Tensor(("batch", 5, 4), low=-1.0, high=1.0)}
OUTPUTS = {"y": Tensor(("batch", 1))}


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.last = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 1)

    def forward(self, x):
        hidden, _ = self.gru(x)
        return self.last(hidden[:, -1])


@pytest.fixture(scope="module")
def recurrent():
    """Return a recurrent network and its file, which ONNX Runtime cannot run with an empty batch."""
    torch.manual_seed(0)
    module = Recurrent().eval()
    model = export(module, INPUTS, OUTPUTS, 20)
    model.ir_version = 9
    return module, model.SerializeToString()


@pytest.mark.parametrize("version", ["1.17.1", "1.32.0"])
def test_a_gru_that_aborts_at_batch_0_is_named_and_the_other_batches_go_on(recurrent, version):
    module, content = recurrent
    with Runtime(interpreter(PROJECT / "envs" / f"onnxruntime-{version}.yaml")) as runtime:
        number = runtime.open(content, "all", 2)
        kept = runtime.open(content, "disabled", 1)
        for batch in (3, 0, 1, 0, 7):
            x = np.random.default_rng(batch).normal(size=(batch, 5, 4)).astype(np.float32)
            if batch:
                for opened in (number, kept):
                    assert np.allclose(
                        runtime.run(opened, {"x": x})["y"], module(torch.from_numpy(x)).detach(), atol=1e-5
                    )
                continue
            with pytest.raises(RefusedError) as caught:
                runtime.run(number, {"x": x})
            assert f"the runtime {version} crashed: killed by SIGABRT" in str(caught.value)
            assert str(caught.value).endswith("it was running x float32[0, 5, 4] (optimization all, 2 threads)")
        assert runtime.signature(kept)["inputs"][0][0] == "x"
        runtime.close(number)


# A runtime that does as it is told by the bytes of the file and by the numbers of its input.
STAND_IN = """
import os, signal, sys, time
sys.path.insert(0, {scripts!r})
import numpy as np
from safetensors.numpy import load
from torchship.runtimes.frames import read_frame, write_frame
channel = os.fdopen(os.dup(1), "wb")
def end(what):
    print("what it says of its errors", file=sys.stderr, flush=True)
    if what == "hang":
        time.sleep(60)
    if what == "half":
        channel.write((1000).to_bytes(8, "little") + b"the half of a frame")
        channel.flush()
        os._exit(3)
    if what == "error":
        raise MemoryError("no room")
    os.kill(os.getpid(), getattr(signal, what))
if os.path.exists({flag!r}):
    end("SIGSEGV")
write_frame(channel, {{"version": "9.9.9"}}, {{}})
files = []
while True:
    request, block = read_frame(sys.stdin.buffer)
    what = request["do"]
    if what == "open":
        files.append(block.decode())
    told = files[request["number"] if "number" in request else -1].split()
    if told[0] == what:
        if what != "run" or load(block)["x"].sum() == 0.0:
            end(told[1])
    answer = {{"number": len(files) - 1}} if what == "open" else {{"inputs": [], "outputs": ["y"] if what == "run" else []}}
    write_frame(channel, answer, load(block) and {{"y": load(block)["x"]}} if what == "run" else {{}})
"""


@pytest.fixture
def stand_in(tmp_path):
    """Return an executable in the place of an interpreter, and the file whose presence keeps it from starting."""
    flag, script, python = tmp_path / "flag", tmp_path / "stand_in.py", tmp_path / "python"
    script.write_text(STAND_IN.format(scripts=str(SCRIPTS), flag=str(flag)))
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    python.chmod(0o755)
    return python, flag


ENDS = [
    ("SIGKILL", r"crashed: killed by SIGKILL, as the system does where memory runs out: what it says of its errors"),
    ("SIGSEGV", r"crashed: killed by SIGSEGV"),
    ("half", r"crashed: it ended with status 3"),
    ("error", r"crashed: it ended with status 1: MemoryError: no room"),
    ("hang", r"hung: it had not answered after 2 seconds, and was ended"),
]


@pytest.mark.parametrize(("end", "message"), ENDS)
def test_whatever_ends_a_run_is_told_and_the_next_one_goes_on(stand_in, end, message):
    ones, zeros = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    with Runtime(stand_in[0], patience=2.0) as runtime:
        number = runtime.open(f"run {end}".encode())
        with pytest.raises(
            RefusedError, match=message + r".*; it was running x float32\[2, 3\] \(optimization all, 1 thread\)"
        ):
            runtime.run(number, {"x": zeros})
        assert (runtime.run(number, {"x": ones})["y"] == 1.0).all()
        runtime.close(number)


def test_an_end_at_opening_at_the_signature_and_at_closing_is_told(stand_in):
    with Runtime(stand_in[0], patience=20.0) as runtime:
        with pytest.raises(
            RefusedError, match=r"SIGABRT.*; it was opening a file of 12 bytes \(optimization basic, 4 threads\)"
        ):
            runtime.open(b"open SIGABRT", "basic", 4)
        number = runtime.open(b"signature SIGABRT")
        with pytest.raises(RefusedError, match=r"; it was reading inputs and outputs \(optimization all, 1 thread\)"):
            runtime.signature(number)
        assert runtime.run(number, {"x": np.ones(1, np.float32)})["y"] == 1.0
        last = runtime.open(b"close SIGABRT")
        runtime.close(last)
        assert runtime.run(number, {"x": np.ones(1, np.float32)})["y"] == 1.0


def test_a_file_that_hangs_again_and_again_is_not_waited_for(stand_in):
    zeros = {"x": np.zeros(2, np.float32)}
    with Runtime(stand_in[0], patience=2.0) as runtime:
        number = runtime.open(b"run hang")
        for _ in range(2):
            with pytest.raises(RefusedError, match="hung: it had not answered"):
                runtime.run(number, zeros)
        for _ in range(100):
            with pytest.raises(RefusedError, match=r"not tried: the runtime 9\.9\.9 hung 2 times on this file before"):
                runtime.run(number, zeros)


def test_a_runtime_that_does_not_start_is_an_error_of_its_target(stand_in):
    python, flag = stand_in
    flag.touch()
    with pytest.raises(TargetError, match=r"cannot start ONNX Runtime, killed by SIGSEGV: what it says of its errors"):
        Runtime(python).__enter__()


def test_an_interpreter_that_is_gone_is_told_with_what_helps():
    with pytest.raises(
        TargetError, match=r"/gone/python cannot be started: .*; run `make runtimes`, and .*find_runtime"
    ):
        Runtime(Path("/gone/python")).__enter__()


def test_an_interpreter_within_the_project_is_found_when_its_folder_has_another_name(stand_in, tmp_path, monkeypatch):
    monkeypatch.setattr(interpreters, "PROJECT", tmp_path / "before")
    recorded = interpreters.recorded(tmp_path / "before" / ".runtimes" / "python")
    assert interpreters.recorded(stand_in[0]) == str(stand_in[0])
    (tmp_path / "after" / ".runtimes").mkdir(parents=True)
    (tmp_path / "after" / ".runtimes" / "python").symlink_to(stand_in[0])
    monkeypatch.setattr(interpreters, "PROJECT", tmp_path / "after")
    with Runtime(Path(recorded)) as runtime:
        assert runtime.version == "9.9.9"


class DiesOfSignatures(LocalRuntime):
    """A runtime that dies whenever it is asked for a file's inputs and outputs."""

    def signature(self, number):
        raise RefusedError("the runtime 9.9.9 crashed: killed by SIGABRT; it was reading inputs and outputs")


def test_a_file_whose_signature_ends_the_runtime_is_examined_on():
    found = gated("batch_norm").judge(runtime=DiesOfSignatures())
    (failure,) = found["failures"]
    assert (failure["check"], failure["place"]) == ("refused", f"ONNX Runtime {DiesOfSignatures().version}")
    assert "it was reading inputs and outputs" in failure["message"]
    # All cases were judged all the same.
    assert all(
        entry["refused"] is None and entry["outputs"] for entry in found["cases"] if 0 not in entry["sizes"].values()
    )
