"""GPUs of a machine: who has some, which ones a training sees, and that two trainings do not take the same."""

import os
import select
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from support import PROJECT
from torchship.core.errors import TrainingError
from torchship.models.devices import choose_device, gpu_identities, visible_gpus
from torchship.training.parallel.gpu_locks import any_here, claimed, locked

CLAIM = """
import sys, time; sys.path.insert(0, {path!r})
from pathlib import Path
from torchship.training.parallel.gpu_locks import claimed
with claimed(["0", "1", "GPU-a/b"], 1, Path({folder!r})) as places:
    print(places, flush=True)
    sys.stdin.read()
"""


def claiming(folder):
    """Start a process that holds one of three GPUs until its standard input ends."""
    code = CLAIM.format(path=str(PROJECT / "scripts"), folder=str(folder))
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_one_process_at_a_time_chooses_its_gpus(tmp_path):
    with locked(tmp_path / "choice.lock"):
        process = claiming(tmp_path)
        assert select.select([process.stdout], [], [], 1.0)[0] == [], "it did not wait"
    assert process.stdout.readline().strip() == "[0]"
    process.communicate()


def test_each_process_takes_a_gpu_of_its_own(tmp_path, caplog, monkeypatch):
    caplog.set_level("INFO")
    held = []
    for expected in ("[0]", "[1]"):
        process = claiming(tmp_path)
        held.append(process)
        assert process.stdout.readline().strip() == expected
    names = ["0", "1", "GPU-a/b"]
    with claimed(names, 1, tmp_path) as places:
        assert places == [2]
    assert caplog.messages == ["uses GPU 2 of those that it sees, GPU-a/b"]
    # Too few are free: the one that is, and another, not the same for all.
    for number, shared in ((10, 0), (11, 1)):
        monkeypatch.setattr(os, "getpid", lambda number=number: number)
        with claimed(names, 2, tmp_path) as places:
            assert places == [shared, 2]
    monkeypatch.undo()
    assert "of 3 GPUs only 1 are free, 2 are wanted" in caplog.text
    held[0].communicate()
    with claimed(names, 2, tmp_path) as places:
        assert places == [0, 2]
    held[1].communicate()
    with claimed([], 2, tmp_path) as places:
        assert places == []


@pytest.mark.parametrize("name", ["nvidia3", "dxg", "kfd"])
def test_a_machine_with_a_gpu_is_known_by_its_devices(tmp_path, name):
    (tmp_path / "nvram").touch()
    assert not any_here(tmp_path)
    (tmp_path / name).touch()
    assert any_here(tmp_path)


def test_too_few_gpus_stop_the_training(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TrainingError, match=r"train/devices is 2, but torch sees 1 GPUs"):
        choose_device("auto", count=2)
    assert choose_device("cpu", count=2) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda place: SimpleNamespace(uuid=f"GPU-{place}"))
    assert gpu_identities(2) == ["GPU-0", "GPU-1"]
    assert choose_device("auto", 1, 2) == torch.device("cuda", 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert visible_gpus("auto") == ["4", "7"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus("cuda") == ["0", "1"]
    assert visible_gpus("cpu") == []
