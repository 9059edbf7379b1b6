"""The ONNX reference evaluator, corrected, watched in every graph within a graph, and disturbed where it rounds.

Corrections that hold for all operators: an attribute that is left out has the default of the *file's* operator set (the
evaluator takes the newest one's), float attributes are exact numbers (it computes with them in float32), and operators
that it gets wrong are replaced by those of `operators`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, defs
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpFunction, RuntimeContextError
from torchship.gate.witness.limits import UNIT_FLOAT32
from torchship.gate.witness.long_sums import growth_of_result, growth_of_terms
from torchship.gate.witness.onnx.kernels import Kernel
from torchship.gate.witness.onnx.monitor import Monitor, is_wide
from torchship.gate.witness.onnx.operators import operator_class
from torchship.gate.witness.onnx.steps import NoFunctionError
from torchship.gate.witness.onnx.sums import summed_in_float32, terms_of_products, terms_of_reduction
from torchship.gate.witness.onnx.widening import widen_node
from torchship.gate.witness.op_rules import Rule, onnx_rule


class Evaluator(ReferenceEvaluator):
    """The reference evaluator with the corrections above; each arbiter derives a class of its own.

    The evaluator makes others of its own class for graphs within graphs and for functions.

    Attributes:
        monitor: of the arbiter; None where nothing is watched.
        wide: whether graphs are brought to float64, such as those that define an operator.
        kernels: gathers the operators that ONNX Runtime's double kernels computed; None: they must not be used.
    """

    monitor: ClassVar[Monitor | None] = None
    wide: ClassVar[bool] = False
    kernels: ClassVar[set[str] | None] = None

    def _init(self) -> None:
        self.opsets_ = {"" if name == "ai.onnx" else name: version for name, version in self.opsets_.items()}
        nodes = [completed(node, self.opsets_) for node in self.nodes_]
        if self.wide:
            for node in nodes:
                widen_node(node)
        self.nodes_ = nodes
        super()._init()
        for node in self.rt_nodes_:
            exact_attributes(node)
            node.monitor = self.monitor
            if self.monitor is None:
                node.run = guarded(node, node.run, self.kernels)
            else:
                top = isinstance(self.proto_, ModelProto)
                node.unit = min((self.monitor.units.get(name, UNIT_FLOAT32) for name in node.output), default=0.0)
                node.run = guarded(node, node.run, self.kernels)
                node.run = observed(self.monitor, node, list(node.output) if top else [])

    def _load_impl(self, node: NodeProto, input_types: Any = None) -> Any:
        if node.domain not in self.opsets and node.domain in {"", "ai.onnx.ml"}:
            raise NotImplementedError(f"the file imports no operator set {node.domain or 'ai.onnx'!r}")
        if (node.domain, node.op_type) not in self.functions_:
            own = operator_class(node.domain, node.op_type, self.opsets.get(node.domain, 1))
            if own is not None:
                return own
        try:
            return super()._load_impl(node, input_types)
        except RuntimeContextError:  # the evaluator asks again, with types
            raise
        except Exception as error:
            if self.kernels is None:
                raise OperatorError(node, error) from error
            self.kernels.add(node.op_type)
            return Kernel


class OperatorError(RuntimeError):
    """What an operator cannot do, with its name."""

    def __init__(self, node: NodeProto, error: Exception) -> None:
        name = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        super().__init__(f"operator {name}: {' '.join(str(error).split())[:200] or type(error).__name__}")


def guarded(node: Any, run: Callable[..., Any], kernels: set[str] | None) -> Callable[..., Any]:
    """Return a node's `run` whose errors name the operator, or that falls back to a double kernel."""
    kernel: list[Kernel] = []

    def tried(*inputs: Any, **more: Any) -> Any:
        if kernel:
            return kernel[0].run(*inputs)
        try:
            return run(*inputs, **more)
        except OperatorError:
            raise
        except NoFunctionError as error:
            raise OperatorError(node.onnx_node, error) from error
        except Exception as error:
            if kernels is None or isinstance(node, OpFunction) or onnx_rule(node.op_type) is Rule.CONTAINER:
                raise OperatorError(node.onnx_node, error) from error
            try:
                other = Kernel(node.onnx_node, node.run_params)
                found = other.run(*inputs)
            except Exception:
                raise OperatorError(node.onnx_node, error) from error
            kernel.append(other)
            kernels.add(node.op_type)
            return found

    return tried


def evaluator(
    model: ModelProto, *, wide: bool, monitor: Monitor | None = None, kernels: set[str] | None = None
) -> Evaluator:
    """Return an evaluator of a model."""
    made = type("Evaluator", (Evaluator,), {"monitor": monitor, "wide": wide, "kernels": kernels})
    found: Evaluator = made(model)
    return found


def observed(monitor: Monitor, node: Any, names: Sequence[str]) -> Callable[..., Any]:
    """Return a node's `run`, disturbed and watched as the monitor says."""
    run, kind, unit, rule = node.run, node.op_type, node.unit, onnx_rule(node.op_type)
    # What disturbs itself, and what consists of nodes that do.
    own = getattr(node, "stepped", False) or rule is Rule.CONTAINER or isinstance(node, OpFunction)
    sums = not own and rule is Rule.SUM

    def disturbed(value: Any, times: float = 1.0) -> Any:
        if isinstance(value, list):
            return [disturbed(part, times) for part in value]
        return monitor.absolute(value, unit) if rule is Rule.BOUNDED else monitor.relative(value, times * unit)

    def summed(inputs: tuple[Any, ...], more: dict[str, Any]) -> tuple[Any, ...]:
        products = terms_of_products(node, inputs)
        inputs = tuple(disturbed(value, growth_of_terms(products)) for value in inputs)
        results = tuple(map(widened, run(*inputs, **more)))
        if not is_wide(results[0]) or not monitor.disturbs:
            return tuple(map(disturbed, results))
        running = summed_in_float32(node, inputs, results[0], run, monitor.number())
        if running is not None:
            results = (monitor.towards(results[0], running, unit), *results[1:])
        terms = products or terms_of_reduction(node, inputs, results[0])
        return tuple(disturbed(value, growth_of_result(terms)) for value in results)

    def watched(*inputs: Any, **more: Any) -> Any:
        if sums and monitor.strength is not None:
            results = summed(inputs, more)
        else:
            results = tuple(map(widened, run(*inputs, **more)))
            if not own and rule is not Rule.EXACT:
                results = tuple(map(disturbed, results))
        if monitor.seen is not None:
            monitor.seen += [(name, kind, value) for name, value in zip(names, results, strict=False) if is_wide(value)]
        return results

    return watched


def completed(node: NodeProto, opsets: Mapping[str, int]) -> NodeProto:
    """Return a copy of a node with all attributes that have defaults in its operator set."""
    copy = NodeProto()
    copy.CopyFrom(node)
    if copy.domain == "ai.onnx":
        copy.domain = ""
    try:
        schema = defs.get_schema(copy.op_type, opsets.get(copy.domain, 1), copy.domain)
    except defs.SchemaError:
        return copy
    there = {attribute.name for attribute in copy.attribute}
    for name, attribute in sorted(schema.attributes.items()):
        default = attribute.default_value
        if name not in there and default.type != AttributeProto.UNDEFINED and default.name:
            if default.type == AttributeProto.TENSOR and not default.t.data_type:
                continue
            copy.attribute.append(default)
    return copy


def exact_attributes(node: Any) -> None:
    """Replace the float32 numbers among a node's attributes by Python's, which take the type of what they meet."""
    for name in node.attributes_names_:
        value = getattr(node, name)
        if isinstance(value, np.float32):
            setattr(node, name, float(value))
        elif isinstance(value, list) and value and all(isinstance(item, np.float32) for item in value):
            setattr(node, name, [float(item) for item in value])


def widened(value: Any) -> Any:
    """Return a float32 array as float64: some of the evaluator's operators fall back to it."""
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value
