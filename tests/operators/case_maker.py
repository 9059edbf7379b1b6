"""What cases of one's own are made with."""

import itertools
from typing import Any

import numpy as np
from operator_cases import OperatorCase, single


class Maker:
    """Draws inputs, and numbers the cases of each operator."""

    def __init__(self, seed: int = 7) -> None:
        self.random = np.random.default_rng(seed)
        self.count = itertools.count()

    def x(self, *shape: int, low: float = -2.0, high: float = 2.0) -> Any:
        """Return float32 numbers."""
        return self.random.uniform(low, high, shape).astype(np.float32)

    def case(
        self,
        kind: str,
        opset: int,
        inputs: list[Any],
        outputs: int = 1,
        domain: str = "",
        tag: str = "",
        **attributes: Any,
    ) -> OperatorCase:
        """Return a case of one node."""
        feed = {f"x{place}": value for place, value in enumerate(inputs)}
        return single(f"own_{kind}{tag}_{next(self.count)}", kind, opset, feed, outputs, domain, **attributes)


def ints(*values: int) -> Any:
    """Return an int64 vector."""
    return np.array(values, np.int64)
