"""Files in models/ that a network's file imports: found, part of its digest, and carried in the one that ships."""

import subprocess
import sys

import pytest
import torch
from support import PROJECT
from torchship.core.errors import ConfigError, TrainingError
from torchship.models.module import build, network_class
from torchship.models.neighbours import bundle, digest, neighbours, neighbours_digest
from torchship.training.checkpoints import Checkpoint
from trained_networks import trained

NETWORK = '''"""A network of blocks."""

from __future__ import annotations

import json

import torch
from torch import nn

from blocks import Block
from layers.edge import {scale}


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block, self.head = Block(), nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from late import shift

        return torch.sigmoid(self.head(self.block(x)) * {scale} + shift(x))
'''
FILES = {
    "network.py": NETWORK.replace("{scale}", "SCALE"),
    "blocks.py": "import torch\nfrom torch import nn\n\nfrom activations import bend\n\n\nclass Block(nn.Module):\n"
    "    def __init__(self):\n        super().__init__()\n        self.linear = nn.Linear(2, 4)\n\n"
    "    def forward(self, x):\n        return bend(self.linear(x))\n",
    "activations.py": "import torch\n\n\ndef bend(x):\n    return torch.tanh(x)\n",
    "layers/__init__.py": "",
    "layers/edge.py": "from .constants import SCALE\nfrom . import constants\n",
    "layers/constants.py": "SCALE = 2.0\n",
    "late.py": "def shift(x):\n    return 0.0 * x.sum()\n",
    "json.py": "raise RuntimeError('the standard library has this name')\n",
    "unused.py": "raise RuntimeError('nobody imports this')\n",
}


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "models")


def fill(folder, **changes):
    for name, text in {**FILES, **changes}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_neighbours_of_neighbours_and_packages_are_found(folder):
    found = neighbours(folder / "network.py")
    assert list(found) == ["activations", "blocks", "late", "layers", "layers.constants", "layers.edge"]
    assert found["layers"] == folder / "layers" / "__init__.py"


def test_no_network_of_the_project_has_any():
    file = PROJECT / "models" / "xor.py"
    assert neighbours(file) == {}
    assert neighbours_digest(file) == ""
    assert bundle(file) == file.read_text()


def test_the_digest_is_that_of_what_is_imported(folder):
    file = folder / "network.py"
    before = digest(file)
    (folder / "unused.py").write_text("x = 1\n")
    assert digest(file) == before
    (folder / "layers" / "constants.py").write_text("SCALE = 3.0\n")
    assert digest(file) != before


def test_a_network_takes_what_stands_beside_it(folder):
    module = build(folder / "network.py", {})
    assert module(torch.zeros(3, 2)).shape == (3, 1)


@pytest.mark.parametrize(
    "text",
    [
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import broken\n",
        "try:\n    import broken\nexcept ImportError:\n    broken = None\n",
        "def look():\n    import broken\n",
        # Each needs the other, in this order.
        "import second\n",
        # A folder of folders.
        "from outer.inner.numbers import ONE\n",
    ],
)
def test_what_python_imports_is_imported_as_python_does(tmp_path, text):
    fill(tmp_path, **{
        "broken.py": "import not_installed_here\n",
        "first.py": "import second\n\n\nclass First(second.Base):\n    pass\n",
        "second.py": "class Base:\n    pass\n\n\nfrom first import First\n",
        "outer/inner/numbers.py": "ONE = 1\n",
        "network.py": f"from torch import nn\n\n{text}\n\nclass Network(nn.Module):\n    pass\n",
    })  # fmt: skip
    assert neighbours(tmp_path / "network.py")
    build(tmp_path / "network.py", {})
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "network.py").write_text(bundle(tmp_path / "network.py"))
    build(tmp_path / "alone" / "network.py", {})


def test_a_bundle_imports_nothing_from_the_future_for_its_neighbours(tmp_path):
    (tmp_path / "kinds.py").write_text("def first(x: int) -> int:\n    return x\n")
    text = "from __future__ import annotations\nfrom torch import nn\nfrom kinds import first\n\n\nclass Network(nn.Module):\n    kind = first.__annotations__['x']\n"
    (tmp_path / "network.py").write_text(text)
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "network.py").write_text(bundle(tmp_path / "network.py"))
    assert [build(place / "network.py", {}).kind for place in (tmp_path, tmp_path / "alone")] == [int, int]


def test_two_folders_do_not_get_each_other_s_modules(folder, tmp_path):
    other = fill(tmp_path / "other", **{"activations.py": "def bend(x):\n    return 0 * x\n"})
    one, two = (build(place / "network.py", {}) for place in (folder, other))
    two.load_state_dict(one.state_dict())
    x = torch.ones(1, 2)
    assert not torch.equal(one(x), two(x))
    assert torch.equal(two(x), two(2 * x))


def test_a_bundle_stands_alone_and_is_the_same_network(folder, tmp_path):
    text = bundle(folder / "network.py")
    assert text == bundle(folder / "network.py")
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan" / "network.py").write_text(text)
    one, two = (build(place / "network.py", {}) for place in (folder, tmp_path / "scan"))
    two.load_state_dict(one.state_dict())
    x = torch.rand(5, 2)
    assert torch.equal(one(x), two(x))
    assert neighbours(tmp_path / "scan" / "network.py") == {}


def test_a_bundle_needs_nothing_of_this_project(folder, tmp_path):
    (tmp_path / "alone.py").write_text(bundle(folder / "network.py"))
    code = "import alone, torch; print(alone.__doc__, alone.Network()(torch.zeros(2, 2)).shape)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "A network of blocks. torch.Size([2, 1])"


def test_errors_in_a_neighbour_are_told_with_its_line(folder, tmp_path):
    (folder / "activations.py").write_text("import torch\n\n\ndef bend(x):\n    return x @ x\n")
    with pytest.raises(
        TrainingError, match=r"activations.py, line 5, in layer block \(Block\): RuntimeError: mat1 and mat2 shapes"
    ):
        trained(tmp_path, folder / "network.py")
    (folder / "again.py").write_text("from blocks import Block\nfrom broken import x\n")
    (folder / "broken.py").write_text("x = 1 /\n")
    with pytest.raises(ConfigError, match=r"broken.py, line 1: SyntaxError: invalid syntax"):
        build(folder / "again.py", {})
    (folder / "missing.py").write_text("import blokcs\n")
    with pytest.raises(ConfigError, match=r"^\S+missing.py, line 1: ModuleNotFoundError: No module named 'blokcs'"):
        build(folder / "missing.py", {})


def test_a_checkpoint_is_not_used_where_a_neighbour_has_changed(folder, tmp_path, monkeypatch, caplog):
    trained(tmp_path, folder / "network.py", replicas=1)
    saved = []
    monkeypatch.setattr(Checkpoint, "remove", lambda self: saved.append(self.identity))
    trained(tmp_path, folder / "network.py", name="one", replicas=1)
    (folder / "late.py").write_text("def shift(x):\n    return 0.1 * x.sum()\n")
    network_class.cache_clear()
    trained(tmp_path, folder / "network.py", name="two", replicas=1)
    assert saved[0] != saved[1]
