"""The same as `roundoff` for an ONNX graph without a torch module: the ONNX reference evaluator in float64, disturbed.

It says what the file means. Whether the file is what its maker meant, only a reference from elsewhere can say.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torchship.errors import ExportError, ParityError
from torchship.limits import SAMPLES, UNIT_FLOAT32, Recorded, Witnessed, witnessed

Array = NDArray[Any]
Feed = Mapping[str, Array]

# As in `roundoff`: operators that round nothing, those with an absolute error, those computed by way of exp(x) and 1,
# those whose error is times their argument, and those that round each element once. All others sum.
EXACT = frozenset(
    "Abs And ArgMax ArgMin Cast CastLike Ceil Clip Compress Concat Constant ConstantOfShape DepthToSpace Equal Expand "
    "EyeLike Flatten Floor Gather GatherElements GatherND Greater GreaterOrEqual Identity If IsInf IsNaN Less "
    "LessOrEqual Loop Max MaxPool Min Neg NonZero Not OneHot Or Pad Range ReduceMax ReduceMin Relu Reshape Round Scan "
    "Shape Sign Size Slice SpaceToDepth Split Squeeze Tile TopK Transpose Trilu Unique Unsqueeze Where Xor".split()
)
BOUNDED = frozenset("Sigmoid Tanh Erf Sin Cos HardSigmoid Atan".split())
SHIFTED = frozenset("Elu Celu Selu Softplus".split())
GATED = frozenset("Gelu Mish HardSwish Swish".split())
POINTWISE = frozenset(
    "Add Sub Mul Div Exp Log Sqrt Reciprocal Pow LeakyRelu PRelu Softsign ThresholdedRelu "
    "Mod Tan Acos Asin Acosh Asinh Atanh Cosh Sinh".split()
)
LARGEST = 1e300


def widen(model: ModelProto) -> ModelProto:
    """Give a copy of a model that computes in float64."""
    wide = ModelProto()
    wide.CopyFrom(model)
    _widen_graph(wide.graph)
    for function in wide.functions:
        for node in function.node:
            _widen_node(node)
    return wide


def _widen_graph(graph: GraphProto) -> None:
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for value in [*graph.input, *graph.output, *graph.value_info]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        _widen_node(node)


def _widen_node(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _widen_tensor(attribute.t)
        elif attribute.type == AttributeProto.GRAPH:
            _widen_graph(attribute.g)
        elif attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.DOUBLE
        elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
            values = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            # A float attribute is a float32: its exact value in float64.
            attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(np.array(values, np.float64))))


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


class GraphArbiter:
    """A file, evaluated by the ONNX reference implementation in float64; has the methods of `roundoff.TorchArbiter`.

    Raises:
        ExportError: the file is no valid ONNX model.
    """

    kind = "ONNX reference evaluator"

    def __init__(self, content: bytes, seed: int = 0) -> None:
        self.seed = seed
        try:
            model = onnx.load_from_string(content)
            onnx.checker.check_model(model)
            wide = widen(model)
            self._single, self._wide = ReferenceEvaluator(model), ReferenceEvaluator(wide)
        except Exception as error:  # protobuf, the checker and the evaluator each raise types of their own
            raise ExportError(f"the file is no valid ONNX model: {' '.join(str(error).split())[:300]}") from error
        self.outputs = [output.name for output in model.graph.output]
        self._noise: np.random.Generator | None = None
        self._seen: list[tuple[str, Array]] | None = None
        for node in self._wide.rt_nodes_:
            node.run = self._observed(node.op_type, list(node.output), node.run)

    def witness(self, feed: Feed, samples: int = SAMPLES) -> dict[str, Witnessed]:
        """Give for each output its value in float64 and float32, and the spread that rounding gives it."""
        exact, single = self._run(self._wide, widened(feed)), self._run(self._single, feed)
        disturbed = self._disturbed(feed, samples)
        return {
            name: witnessed(exact[name], single[name], (sample[name] for sample in disturbed)) for name in self.outputs
        }

    def evaluate(self, feed: Feed) -> dict[str, Array]:
        """Give the outputs by name in float64."""
        return self._run(self._wide, widened(feed))

    def record(self, feed: Feed, samples: int = SAMPLES) -> list[Recorded]:
        """Give every floating-point value of the graph in float64, with the spread that rounding gives it."""
        exact: list[tuple[str, Array]] = []
        self._seen = exact
        self._run(self._wide, widened(feed))
        rounds = []
        for _ in range(samples):
            self._seen = []
            self._disturbed(feed, 1)
            rounds.append(dict(self._seen))
        self._seen = None
        return [Recorded(name, witnessed(value, value, (seen[name] for seen in rounds))) for name, value in exact]

    def _disturbed(self, feed: Feed, samples: int) -> list[dict[str, Array]]:
        generator = self._noise = np.random.default_rng(self.seed)
        try:
            return [self._run(self._wide, widened(feed)) for _ in range(samples)]
        finally:
            assert generator is self._noise  # noqa: S101 -- not run from two places at once
            self._noise = None

    def _run(self, evaluator: ReferenceEvaluator, feed: Feed) -> dict[str, Array]:
        try:
            with np.errstate(all="ignore"):
                results: Any = evaluator.run(None, dict(feed))
        except Exception as error:  # each operator raises what its NumPy code raises
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in feed.items())
            raise ParityError(
                f"the ONNX reference evaluator does not take {shapes}: {type(error).__name__}: {error}"
            ) from error
        return {name: np.asarray(result) for name, result in zip(self.outputs, results, strict=True)}

    def _observed(self, kind: str, names: Sequence[str], run: Callable[..., Any]) -> Callable[..., Any]:
        def observed(*inputs: Any, **attributes: Any) -> Any:
            sums = kind not in EXACT | BOUNDED | SHIFTED | GATED | POINTWISE
            results = run(*(map(self._relative, inputs) if sums and self._noise is not None else inputs), **attributes)
            if self._noise is not None and kind not in EXACT:
                if kind in BOUNDED:
                    results = tuple(self._add(value, 1.0) for value in results)
                elif kind in SHIFTED:
                    results = tuple(self._add(value, np.maximum(np.abs(value), 1.0)) for value in results)
                elif kind in GATED:
                    results = tuple(self._add(value, np.abs(inputs[0])) for value in results)
                else:
                    results = tuple(map(self._relative, results))
            results = tuple(wide(value) for value in results)
            if self._seen is not None:
                self._seen += [(name, value) for name, value in zip(names, results, strict=False) if is_wide(value)]
            return results

        return observed

    def _relative(self, value: Any) -> Any:
        return self._add(value, np.abs(value)) if is_wide(value) else value

    def _add(self, value: Any, scale: Any) -> Any:
        assert self._noise is not None  # noqa: S101 -- only called while there is noise
        if not is_wide(value):
            return value
        # Infinities stay what they are: one minus another would be NaN.
        return value + UNIT_FLOAT32 * np.minimum(scale, LARGEST) * self._noise.uniform(-1.0, 1.0, np.shape(value))


def is_wide(value: Any) -> bool:
    """Say whether a value is a float64 array."""
    return isinstance(value, np.ndarray | np.floating) and value.dtype == np.float64


def wide(value: Any) -> Any:
    """Bring a float32 array to float64: some reference operators fall back to it."""
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value


def widened(feed: Feed) -> dict[str, Array]:
    """Give inputs with float32 as float64."""
    return {name: wide(array) for name, array in feed.items()}
