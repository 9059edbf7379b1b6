"""The same as `roundoff` for an ONNX graph without a torch module: the ONNX reference evaluator in float64, disturbed.

It says what the file means. Whether the file is what its maker meant, only a reference from elsewhere can say.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto
from torchship.errors import ExportError, ParityError
from torchship.graph_evaluator import Evaluator, Monitor, evaluator, is_wide, units_of, widen
from torchship.limits import SAMPLES, Recorded, Witnessed, witnessed

Array = NDArray[Any]
Feed = Mapping[str, Array]


class GraphArbiter:
    """A file, evaluated by the ONNX reference implementation in float64; has the methods of `roundoff.TorchArbiter`.

    Attributes:
        kind: what it is, as the verdict says it.
        rests_on: what was done to evaluate the file, where that is more than evaluating it.
        outputs: names of what it gives.

    Raises:
        ExportError: the file is no valid ONNX model, or has an operator that the evaluator does not know.
    """

    kind = "ONNX reference evaluator"
    rests_on = ""

    def __init__(self, content: bytes | ModelProto, seed: int = 0) -> None:
        self.seed = seed
        model = content if isinstance(content, ModelProto) else read_model(content)
        self.monitor = Monitor(units_of(model))
        try:
            self._single = evaluator(model, wide=False)
            self._wide = evaluator(widen(model), wide=True, monitor=self.monitor)
        except Exception as error:  # the evaluator raises types of its own
            raise ExportError(
                f"the ONNX reference evaluator cannot run this file: {' '.join(str(error).split())[:300]}"
            ) from error
        self.outputs = [output.name for output in model.graph.output]

    def witness(self, feed: Feed, samples: int = SAMPLES) -> dict[str, Witnessed]:
        """Return for each output its value in float64 and float32, and the spread that rounding gives it."""
        exact, _ = self._understood(feed)
        single = self._run(self._single, feed)
        disturbed = [self._disturbed(feed, number) for number in range(samples)]
        return {
            name: witnessed(exact[name], single[name], (sample[name] for sample in disturbed)) for name in self.outputs
        }

    def evaluate(self, feed: Feed) -> dict[str, Array]:
        """Return the outputs by name in float64."""
        return self._run(self._wide, widened(feed))

    def record(self, feed: Feed, samples: int = SAMPLES) -> list[Recorded]:
        """Return every floating-point value of the graph in float64, with the spread that rounding gives it."""
        _, values = self._understood(feed)
        rounds = []
        for number in range(samples):
            self.monitor.seen = seen = []
            try:
                self._disturbed(feed, number)
            finally:
                self.monitor.seen = None
            rounds.append({name: value for name, _, value in seen})
        return [Recorded(name, witnessed(value, value, (seen[name] for seen in rounds))) for name, _, value in values]

    def _understood(self, feed: Feed) -> tuple[dict[str, Array], list[tuple[str, str, Array]]]:
        """Return outputs and values in float64.

        Raises:
            ParityError: a disturbance of nothing changes them, so that no spread would mean anything.
        """
        found = []
        for strength in (None, 0.0):
            self.monitor.seen = seen = []
            try:
                outputs = self._run(self._wide, widened(feed)) if strength is None else self._disturbed(feed, 0, strength)
            finally:
                self.monitor.seen = None
            # A copy, since what is written in place later would change it as well.
            found.append((outputs, [(name, kind, value.copy()) for name, kind, value in seen]))
        (plain, values), (again, repeated) = found
        for (name, kind, value), (_, _, other) in zip(values, repeated, strict=True):
            if not same(value, other):
                raise ParityError(
                    f"the arbiter does not understand operator {kind}: its output {name!r} changes when nothing is "
                    "disturbed, as random numbers or values written in place do; give a reference, or leave it out"
                )
        for name in self.outputs:
            if not same(plain[name], again[name]):
                raise ParityError(f"the arbiter does not understand this file: output {name!r} is not repeatable")
        return plain, values

    def _disturbed(self, feed: Feed, number: int, strength: float = 1.0) -> dict[str, Array]:
        self.monitor.start(self.seed * SAMPLES + number, strength)
        try:
            return self._run(self._wide, widened(feed))
        finally:
            self.monitor.stop()

    def _run(self, graph: Evaluator, feed: Feed) -> dict[str, Array]:
        try:
            with np.errstate(all="ignore"):
                results: Any = graph.run(None, dict(feed))
        except Exception as error:  # each operator raises what its NumPy code raises
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in feed.items())
            raise ParityError(
                f"the ONNX reference evaluator does not take {shapes}: {type(error).__name__}: {error}"
            ) from error
        return {name: np.asarray(result) for name, result in zip(self.outputs, results, strict=True)}


def read_model(content: bytes) -> ModelProto:
    """Return a file's model.

    Raises:
        ExportError: the file is no valid ONNX model.
    """
    try:
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker each raise types of their own
        raise ExportError(f"the file is no valid ONNX model: {' '.join(str(error).split())[:300]}") from error
    return model


def same(one: Array, other: Array) -> bool:
    """Say whether two arrays are equal bit for bit, NaN among them."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))


def widened(feed: Feed) -> dict[str, Array]:
    """Return inputs with float32 and float16 as float64."""
    return {name: narrow_to_wide(array) for name, array in feed.items()}


def narrow_to_wide(value: Any) -> Any:
    """Return a float32 or narrower array as float64."""
    if isinstance(value, np.ndarray) and not is_wide(value) and (value.dtype.kind == "f" or value.dtype.name == "bfloat16"):
        return value.astype(np.float64)
    return value
