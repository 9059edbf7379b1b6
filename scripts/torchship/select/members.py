"""The folds of a point as one network that ships: the mean of its members' outputs. Standard library only."""

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torchship.core.files import replacing, write_text
from torchship.models.neighbours import bundle

# What the members' file is called in the one that ships.
MEMBER = "torchship_member"
NETWORK = '''"""The mean of {count} networks of models/{file}.py, one for each fold, put together by Torchship."""

from torch import Tensor, nn
from {member} import Network as Member


def mean(parts):
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total / len(parts)


class Network(nn.Module):
    def __init__(self, **arguments):
        super().__init__()
        self.members = nn.ModuleList([Member(**arguments) for _ in range({count})])

    def forward(self, {inputs}):
        # Each its own copy, which it may write on.
        found = [member({copies}) for member in self.members]
        if isinstance(found[0], Tensor):
            return mean(found)
        return tuple(mean(parts) for parts in zip(*found))
'''


def average(network: Path, inputs: int, count: int) -> str:
    """Return the text of a file whose Network is the mean of `count` of a file's Network, which it has in it.

    Args:
        inputs: how many tensors its forward takes.
    """
    names = [f"input_{place}" for place in range(inputs)]
    text = NETWORK.format(
        file=network.stem,
        count=count,
        member=MEMBER,
        inputs=", ".join(names),
        copies=", ".join(f"{name}.clone()" for name in names),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_text(folder / f"{MEMBER}.py", bundle(network))
        write_text(folder / "torchship_mean.py", text)
        return bundle(folder / "torchship_mean.py")


def write_together(path: Path, members: Sequence[Path]) -> None:
    """Write the tensors of some safetensors files into one, as members.<number>.<name>, which `average` calls them.

    The widest types come first, so that each tensor lies at a multiple of its type's size.
    """
    tensors = []
    for number, member in enumerate(members):
        content = member.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        for name, entry in json.loads(content[8:start]).items():
            if name != "__metadata__":
                first, last = entry["data_offsets"]
                tensors.append((f"members.{number}.{name}", entry, content[start + first : start + last]))
    tensors.sort(key=lambda tensor: (-width(tensor[1]["dtype"]), tensor[0]))
    header, place = {}, 0
    for name, entry, data in tensors:
        header[name] = {**entry, "data_offsets": [place, place + len(data)]}
        place += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as part:
        part.write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *(data for _, _, data in tensors)]))


def width(dtype: str) -> int:
    """Return the bits of a safetensors type, by its name; truth values take eight."""
    digits = re.search(r"\d+", dtype)
    return int(digits[0]) if digits else 8


def write_tables_together(path: Path, members: Sequence[Path]) -> None:
    """Write the rows of some tables of the same columns into one, with the number of the fold before each."""
    texts = [member.read_text(encoding="utf-8").splitlines() for member in members]
    rows = [f"{fold},{row}" for fold, lines in enumerate(texts) for row in lines[1:]]
    write_text(path, "\n".join([f"fold,{texts[0][0]}", *rows]) + "\n")
