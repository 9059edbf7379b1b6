"""GridSample and AffineGrid."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_affine_grid
from onnx.reference.ops._op_list import GridSample as SlowGridSample
from torchship.gate.witness.onnx.steps import Operator
from torchship.spec.arrays import Array


class GridSample(SlowGridSample):
    """With the names that modes had in opset 16, and coordinates in the type of the grid."""

    def _run(self, x: Array, grid: Array, mode: str = "linear", **attributes: Any) -> tuple[Array]:  # type: ignore[override]
        name = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
        self.cubic, self.border = name == "cubic", attributes.get("padding_mode") == "border"
        found: tuple[Array] = super()._run(x, grid, mode=name, **attributes)  # type: ignore[no-untyped-call]
        return found

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # A disturbed coordinate chooses another pixel, which no rounding of the value explains.
        self.stepped = getattr(self, "mode", "") == "nearest"

    def _prepare_border(self, dims: Sequence[int], align_corners: bool) -> Any:  # noqa: FBT001 -- its signature
        # A cubic's coordinates are not clamped, as in torch and ONNX Runtime: its pixels are.
        if self.cubic and self.border:
            return [-np.inf] * len(dims) + [np.inf] * len(dims)
        return super()._prepare_border(dims, align_corners=align_corners)

    def _gs_denormalize_coordinates(self, n: Array, dims: Sequence[int], align_corners: bool) -> Array:  # noqa: FBT001 -- its signature
        return np.array(
            [
                self._gs_denormalize(n=v, length=dim, align_corners=align_corners)
                for v, dim in zip(n, dims, strict=False)
            ],
            np.asarray(n).dtype,
        )

    def _gs_get_cubic_coeffs(self, x: Any, coeffs: Array) -> None:
        super()._gs_get_cubic_coeffs(x, coeffs)  # type: ignore[no-untyped-call]
        monitor = getattr(self, "monitor", None)
        if monitor is not None:
            # The terms of each are up to four and cancel.
            coeffs[...] = monitor.absolute(np.asarray(coeffs), 4 * getattr(self, "unit", 0.0))


class AffineGrid(Operator):
    """Coordinates under an affine map; the evaluator's are float32."""

    def _run(self, theta: Array, size: Array, align_corners: int = 0) -> tuple[Array]:
        shape = [int(number) for number in size[2:]]
        plain: Any = op_affine_grid.construct_original_grid(shape, align_corners)  # type: ignore[no-untyped-call]
        points = self.r(np.asarray(plain, np.float64))
        grid = self.r(points) @ self.r(np.swapaxes(theta, -1, -2)).reshape(
            len(theta), *[1] * (len(shape) - 1), len(shape) + 1, -1
        )
        return (np.asarray(self.r(grid)).astype(theta.dtype),)


OPERATORS: dict[str, type[OpRun]] = {kind.__name__: kind for kind in (GridSample, AffineGrid)}
