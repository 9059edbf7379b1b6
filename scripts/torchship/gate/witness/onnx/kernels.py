"""Single operators by ONNX Runtime's double kernels, for those that the reference evaluator does not know.

A double kernel shares its code with the one that is judged: what they get wrong alike stays unseen, and the verdict
says what it rests on.
"""

from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, defs, helper
from torchship.gate.witness.onnx.steps import Plain
from torchship.spec.arrays import Array


class Kernel(Plain):
    """A node as a model of its own, run in float64.

    Its attributes are not looked up in a schema: ONNX has none for the operators of others.
    """

    used: set[str]

    def __init__(self, node: NodeProto, run_params: dict[str, Any]) -> None:
        super().__init__(node, run_params)
        self._sessions: dict[tuple[tuple[str, str, int], ...], Any] = {}
        self._opsets = dict(run_params["opsets"])

    def run(self, *inputs: Any, **_: object) -> tuple[Array, ...]:
        """Return the node's outputs."""
        return self._run(*inputs)

    def _run(self, *inputs: Any, **_: object) -> tuple[Array, ...]:
        given = {f"x{place}": np.asarray(value) for place, value in enumerate(inputs) if value is not None}
        key = tuple((name, value.dtype.str, value.ndim) for name, value in given.items())
        if key not in self._sessions:
            self._sessions[key] = self._session(given, len(inputs))
        return tuple(np.asarray(value) for value in self._sessions[key].run(None, given))

    def _session(self, given: dict[str, Array], count: int) -> Any:
        try:
            import onnxruntime  # noqa: PLC0415 -- where files are run alone, the environment may not have it
        except ImportError as error:
            raise NotImplementedError(f"no implementation of {self.onnx_node.op_type}") from error
        node = NodeProto()
        node.CopyFrom(self.onnx_node)
        del node.input[:], node.output[:]
        node.input.extend(f"x{place}" if f"x{place}" in given else "" for place in range(count))
        outputs = [f"y{place}" if name else "" for place, name in enumerate(self.onnx_node.output)]
        node.output.extend(outputs)
        described = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), [None] * value.ndim)
            for name, value in given.items()
        ]
        graph = helper.make_graph(
            [node], "node", described, [helper.make_empty_tensor_value_info(name) for name in outputs if name]
        )
        # ONNX Runtime wants its own domain declared, and ONNX's.
        opsets = {"": min(defs.onnx_opset_version(), 20), node.domain: 1, **self._opsets}
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid(*entry) for entry in opsets.items()], ir_version=10
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def opinions(content: bytes, feed: dict[str, Array]) -> dict[str, dict[str, Array]]:
    """Return what today's ONNX Runtime makes of a file, by optimization level; nothing where it is not installed.

    It is no judge: it tells whether the reference evaluator stands alone against a reference.
    """
    try:
        import onnxruntime  # noqa: PLC0415 -- where files are run alone, the environment may not have it
    except ImportError:
        return {}
    found = {}
    for name, level in (("disabled", "ORT_DISABLE_ALL"), ("all", "ORT_ENABLE_ALL")):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        try:
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            results = session.run(None, feed)
        except Exception:  # noqa: S112 -- its binding's own types; then it has no opinion
            continue
        outputs = [output.name for output in onnx.load_from_string(content).graph.output]
        found[f"ONNX Runtime {onnxruntime.__version__}, optimization {name}"] = dict(zip(outputs, results, strict=True))
    return found
