"""The arbiter of an ONNX file without a torch module: the ONNX reference evaluator in float64, disturbed.

It says what the file means. Whether the file is what its maker meant, only a reference from elsewhere can say.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
from onnx import ModelProto
from torchship.core.errors import ExportError, ParityError
from torchship.gate.constants import graph_constants
from torchship.gate.witness.arbiter import SAMPLES
from torchship.gate.witness.limits import Recorded, Witnessed, unchanged, witnessed
from torchship.gate.witness.onnx.evaluator import Evaluator, evaluator
from torchship.gate.witness.onnx.kernels import opinions
from torchship.gate.witness.onnx.monitor import Monitor, is_wide
from torchship.gate.witness.onnx.widening import units_of, widen
from torchship.gate.witness.thresholds import Comparisons
from torchship.spec.arrays import Array, Feed

# By name and operator.
Values = list[tuple[str, str, Array]]


KIND = "ONNX reference evaluator"
# The operator set that files are converted to where their own is not understood.
CONVERTED = 21
INSTEAD = (
    "write it with operators of ONNX's own, in a newer operator set, or have it judged by reference outputs alone "
    "(onnx/reference and onnx/within)"
)


class GraphArbiter:
    """A file, evaluated by the ONNX reference implementation in float64; an `arbiter.Arbiter`.

    Attributes:
        kind: what it is, as the verdict says it.
        rests_on: what was done to evaluate the file, where that is more than evaluating it.
        outputs: names of what it gives.

    Raises:
        ExportError: the file is no valid ONNX model, or has an operator that the evaluator does not know.
    """

    def __init__(self, content: bytes | ModelProto, seed: int = 0) -> None:
        self.seed = seed
        model = content if isinstance(content, ModelProto) else read_model(content)
        self.monitor = Monitor(units_of(model))
        self._content = model.SerializeToString()
        self._ways = ways(model, self.monitor)
        self._first_error = ""
        self._constants = graph_constants(model)
        self._advance()
        self.outputs = [output.name for output in model.graph.output]

    def _advance(self) -> None:
        """Take the next way to evaluate the file that can be gone.

        Raises:
            ExportError: there is none.
        """
        while self._ways:
            way, *self._ways = self._ways
            try:
                self._single, self._wide, self._kernels, converted = way()
            except Exception as error:
                self._first_error = self._first_error or " ".join(str(error).split())[:300]
                continue
            self._converted = converted
            return
        raise ExportError(
            f"the ONNX reference evaluator cannot run this file: {self._first_error}; ONNX's converter and ONNX "
            f"Runtime's double kernels do not help: {INSTEAD}"
        )

    @property
    def rests_on(self) -> str:
        """Say what was done to evaluate the file, where that is more than evaluating it."""
        parts = [f"converted to operator set {self._converted}"] if self._converted else []
        if self._kernels:
            parts.append(f"{', '.join(sorted(self._kernels))} by ONNX Runtime's double kernels")
        return "; ".join(parts)

    @property
    def kind(self) -> str:
        """Say what it is, as the verdict does."""
        return f"{KIND} ({self.rests_on})" if self.rests_on else KIND

    def witness(self, feed: Feed, samples: int = SAMPLES) -> dict[str, Witnessed]:
        """Return for each output its value in float64 and float32, and the spread that rounding gives it."""
        self.evaluate(feed)  # which may take another way than the last time
        exact, _ = self._understood(feed)
        single = self._run(self._single, feed)
        disturbed = [self._disturbed(feed, number) for number in range(samples)]
        return {
            name: witnessed(exact[name], single[name], (sample[name] for sample in disturbed)) for name in self.outputs
        }

    def evaluate(self, feed: Feed) -> dict[str, Array]:
        """Return the outputs by name in float64, on the first way that takes them."""
        try:
            return self._run(self._wide, widened(feed))
        except ParityError as first:
            before = (self._single, self._wide, self._kernels, self._converted)
            remaining = self._ways
            for number, way in enumerate(remaining):
                try:
                    self._single, self._wide, self._kernels, self._converted = way()
                    found = self._run(self._wide, widened(feed))
                except Exception:  # noqa: S112 -- the first error tells more
                    continue
                self._ways = remaining[number + 1 :]
                return found
            self._single, self._wide, self._kernels, self._converted = before
            # An empty input is often beyond the evaluator alone, and nothing to be said.
            if all(array.size for array in feed.values()) and opinions(self._content, dict(feed)):
                raise ParityError(f"{first}; ONNX Runtime takes these inputs: {INSTEAD}") from first
            raise first from None

    def comparisons(self, feed: Feed, *, disturbed: int = 0) -> Comparisons:  # noqa: ARG002 -- as of any arbiter
        """Return what the file compares with; what comes out of its comparisons is not looked at."""
        return Comparisons([], self._constants)

    def record(self, feed: Feed, samples: int = SAMPLES) -> list[Recorded]:
        """Return every floating-point value of the graph in float64, with the spread that rounding gives it."""
        self.evaluate(feed)
        _, values = self._understood(feed)
        rounds = []
        for number in range(samples):
            seen: Values = []
            self.monitor.seen = seen
            try:
                self._disturbed(feed, number)
            finally:
                self.monitor.seen = None
            rounds.append({name: value for name, _, value in seen})
        return [Recorded(name, witnessed(value, value, (seen[name] for seen in rounds))) for name, _, value in values]

    def _understood(self, feed: Feed) -> tuple[dict[str, Array], Values]:
        """Return outputs and values in float64.

        Raises:
            ParityError: a disturbance of nothing changes them, so that no spread would mean anything.
        """
        found = []
        for strength in (None, 0.0):
            seen: Values = []
            self.monitor.seen = seen
            try:
                outputs = (
                    self._run(self._wide, widened(feed)) if strength is None else self._disturbed(feed, 0, strength)
                )
            finally:
                self.monitor.seen = None
            # A copy, since what is written in place later would change it as well.
            found.append((outputs, [(name, kind, value.copy()) for name, kind, value in seen]))
        (plain, values), (again, repeated) = found
        for (name, kind, value), (_, _, other) in zip(values, repeated, strict=True):
            if not unchanged(value, other):
                raise ParityError(
                    f"the arbiter does not understand operator {kind}: its output {name!r} changes when nothing is "
                    "disturbed, as random numbers or values written in place do; give a reference, or leave it out"
                )
        for name in self.outputs:
            if not unchanged(plain[name], again[name]):
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
                f"the ONNX reference evaluator does not take {shapes}: {' '.join(str(error).split())[:300]}"
            ) from error
        return {name: np.asarray(result) for name, result in zip(self.outputs, results, strict=True)}


Way = Callable[[], tuple[Evaluator, Evaluator, set[str], int]]


def ways(model: ModelProto, monitor: Monitor) -> list[Way]:
    """Return the ways to evaluate a model, the one that rests on least first.

    Each gives the evaluators in float32 and float64, the operators that ONNX Runtime's kernels computed (filled as they
    are met), and the operator set that the model was converted to, or 0.
    """

    def direct() -> tuple[Evaluator, Evaluator, set[str], int]:
        return evaluator(model, wide=False), evaluator(widen(model), wide=True, monitor=monitor), set(), 0

    def converted() -> tuple[Evaluator, Evaluator, set[str], int]:
        version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), CONVERTED)
        if version >= CONVERTED:
            raise NotImplementedError("the operator set is new")
        if any(node.op_type == "Scan" for node in model.graph.node) and version < 9:
            raise NotImplementedError("the converter makes another Scan of that of opset 8")
        newer = onnx.version_converter.convert_version(model, CONVERTED)
        monitor.units = {**units_of(newer), **monitor.units}
        wide = evaluator(widen(newer), wide=True, monitor=monitor)
        return evaluator(newer, wide=False), wide, set(), CONVERTED

    def kernels() -> tuple[Evaluator, Evaluator, set[str], int]:
        used: set[str] = set()
        wide = evaluator(widen(model), wide=True, monitor=monitor, kernels=used)
        return evaluator(model, wide=False, kernels=set()), wide, used, 0

    return [direct, converted, kernels]


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


def widened(feed: Feed) -> dict[str, Array]:
    """Return inputs with float32 and float16 as float64."""
    return {name: narrow_to_wide(array) for name, array in feed.items()}


def narrow_to_wide(value: Array) -> Array:
    """Return a float32 or narrower array as float64."""
    if (
        isinstance(value, np.ndarray | np.generic)
        and not is_wide(value)
        and (value.dtype.kind == "f" or value.dtype.name == "bfloat16")
    ):
        return np.asarray(value, dtype=np.float64)
    return value
