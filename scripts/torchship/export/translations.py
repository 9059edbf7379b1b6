"""A network as torch's exporter translated it: one file that holds it once for each operator set that is asked for."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import ModelProto
from torchship.core.errors import DataError
from torchship.core.files import read_json, replacing, sha256

# A ZIP archive holds dates; the same ones every time.
DATE = (1980, 1, 1, 0, 0, 0)


def write_translations(path: Path, models: Mapping[int, ModelProto]) -> None:
    """Write the models by operator set into a ZIP archive, as opset20.onnx, always with the same bytes."""
    with replacing(path) as part, zipfile.ZipFile(part, "w") as archive:
        for opset, model in sorted(models.items()):
            archive.writestr(zipfile.ZipInfo(f"opset{opset}.onnx", DATE), model.SerializeToString(deterministic=True))


def read_translation(path: Path, report: Path, opset: int) -> ModelProto:
    """Read the model of one operator set.

    Args:
        report: what was written beside it, with its `sha256`.

    Raises:
        DataError: the file has changed, or has no model of this operator set.
    """
    if sha256(path) != read_json(report)["sha256"]:
        raise DataError(f"{path} has changed since it was made, {report} has another sha256: delete it and run again")
    with zipfile.ZipFile(path) as archive:
        name = f"opset{opset}.onnx"
        if name not in archive.namelist():
            raise DataError(f"{path} has no {name}, only {', '.join(archive.namelist())}: delete it and run again")
        return onnx.load_from_string(archive.read(name))
