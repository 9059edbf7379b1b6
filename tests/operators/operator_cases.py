"""Cases of single operators: onnx's own backend tests, at the operator sets where they hold, and more for old ones."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, defs, helper, numpy_helper

Array = NDArray[Any]

OLDEST = 7
# The newest operator sets that ONNX Runtime 1.32 takes without a warning that they are under development.
NEWEST = {"": 26, "ai.onnx.ml": 5}
# The intermediate representation of files that the oldest runtimes here read.
IR = 8


@dataclass(frozen=True)
class OperatorCase:
    """One model, with inputs, and outputs where someone gave them.

    Attributes:
        operator: as `domain::name` or `name`.
        opset: of that domain.
    """

    name: str
    operator: str
    opset: int
    model: ModelProto
    feed: dict[str, Array]
    expected: list[Array] | None

    @property
    def kind(self) -> str:
        """Return the operator's name without its domain."""
        return self.operator.split("::")[-1]


def backend_cases() -> Iterator[OperatorCase]:
    """Yield the backend tests of single nodes, at every operator set from 7 on at which the operator was changed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_node_model_tests  # noqa: PLC0415 -- it computes all tests

        tests = load_node_model_tests()
    versions = changes()
    for test in tests:
        inputs, outputs = test.data_sets[0]
        if not all(isinstance(value, np.ndarray | np.generic) for value in [*inputs, *outputs]):
            continue
        feed = {value.name: np.asarray(array) for value, array in zip(test.model.graph.input, inputs, strict=True)}
        expected = [np.asarray(array) for array in outputs]
        if "_expanded" in test.name:
            continue
        node = test.model.graph.node[0]
        imports = {entry.domain: entry.version for entry in test.model.opset_import}
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain not in NEWEST:
            continue
        own = imports[domain]
        for version in sorted({own, *versions.get((domain, node.op_type), ())}):
            if version > own or (domain == "" and version < OLDEST) or version > NEWEST[domain]:
                continue
            model = at_opset(test.model, domain, version)
            if fits(model, domain, version):
                yield OperatorCase(test.name, operator(domain, node.op_type), version, model, feed, expected)


def changes() -> dict[tuple[str, str], list[int]]:
    """Return the operator sets in which each operator was changed, those in force at 7 as 7."""
    found: dict[tuple[str, str], list[int]] = {}
    for schema in defs.get_all_schemas_with_history():
        since = max(schema.since_version, OLDEST) if schema.domain == "" else schema.since_version
        found.setdefault((schema.domain, schema.name), []).append(since)
    return found


def operator(domain: str, name: str) -> str:
    """Return an operator's name with its domain, where that is not ONNX's own."""
    return f"{domain}::{name}" if domain else name


def at_opset(model: ModelProto, domain: str, version: int) -> ModelProto:
    """Return a copy of a model that imports another operator set."""
    copy = ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = min(copy.ir_version, IR) if version < 19 or domain else copy.ir_version
    for entry in copy.opset_import:
        if entry.domain == domain:
            entry.version = version
    return copy


def fits(model: ModelProto, domain: str, version: int) -> bool:
    """Say whether a model's nodes are valid in that operator set: attributes, number and types of inputs."""
    for node in model.graph.node:
        if node.domain not in (domain, "ai.onnx" if domain == "" else domain):
            continue
        try:
            schema = defs.get_schema(node.op_type, version, domain)
        except defs.SchemaError:
            return False
        if any(attribute.name not in schema.attributes for attribute in node.attribute):
            return False
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception:
        return False
    return True


def stored_cases() -> Iterator[OperatorCase]:
    """Yield the models that the onnx package ships as files, which are of operator sets 6 to 9, taken at 7 at least."""
    folder = Path(onnx.__file__).parent / "backend/test/data"
    for path in sorted(folder.glob("*/*/model.onnx")):
        if path.parent.parent.name not in ("pytorch-converted", "pytorch-operator", "simple"):
            continue
        model = onnx.load(path)
        version = next((entry.version for entry in model.opset_import if entry.domain == ""), 0)
        kinds = {node.op_type for node in model.graph.node} - {"Constant"}
        if version < OLDEST:
            model, version = at_opset(model, "", OLDEST), OLDEST
        constants = {tensor.name for tensor in model.graph.initializer}
        names = [value.name for value in model.graph.input if value.name not in constants]
        try:
            feed = {
                name: read_tensor(path.parent / f"test_data_set_0/input_{place}.pb") for place, name in enumerate(names)
            }
            expected = [
                read_tensor(path.parent / f"test_data_set_0/output_{place}.pb")
                for place in range(len(model.graph.output))
            ]
        except (FileNotFoundError, ValueError, TypeError, AttributeError, NotImplementedError):
            continue
        name = next(iter(kinds)) if len(kinds) == 1 else "several"
        if fits(model, "", version):
            yield OperatorCase(path.parent.name, name, version, model, feed, expected)


def read_tensor(path: Path) -> Array:
    """Return the tensor in a file."""
    tensor = TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def single(
    name: str,
    kind: str,
    opset: int,
    feed: dict[str, Array | None],
    outputs: int | list[str] = 1,
    domain: str = "",
    **attributes: Any,
) -> OperatorCase:
    """Return a case of one node; inputs that are None are left out, outputs are typed by inference."""
    produced = [f"y{place}" for place in range(outputs)] if isinstance(outputs, int) else outputs
    names = [key if value is not None else "" for key, value in feed.items()]
    node = helper.make_node(kind, names, produced, domain=domain, **attributes)
    given = {key: np.asarray(value) for key, value in feed.items() if value is not None}
    inputs = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(value.dtype), list(value.shape))
        for key, value in given.items()
    ]
    graph = helper.make_graph(
        [node], name, inputs, [helper.make_empty_tensor_value_info(name) for name in produced if name]
    )
    imports = [helper.make_opsetid(domain, opset)]
    if domain:
        imports.append(helper.make_opsetid("", 17))
    model = helper.make_model(graph, opset_imports=imports, ir_version=IR if opset < 19 else 10)
    inferred = onnx.shape_inference.infer_shapes(model)
    for place, value in enumerate(inferred.graph.output):
        if value.type.WhichOneof("value"):
            model.graph.output[place].CopyFrom(value)
    return OperatorCase(name, operator(domain, kind), opset, model, given, None)
