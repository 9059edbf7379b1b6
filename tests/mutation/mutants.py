"""Ways to break a correct file: what a mistaken exporter, a careless hand or a bad disk might do to it.

A kind of mutant is a function of a model and a random generator that yields what was done, and the model after it.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


@dataclass(frozen=True)
class Mutant:
    """A broken file, or one that only looks broken.

    Attributes:
        kind: of the change, for the table.
        what: the change itself.
        static: whether it is wrong whatever it computes: its target does not take it, or its metadata lie.
    """

    kind: str
    what: str
    content: bytes
    static: bool = False


def mutants(model: ModelProto, seed: int, most: int = 8) -> Iterator[Mutant]:
    """Return the mutants of a file, at most some of each kind, chosen by the seed."""
    for kind, change in KINDS.items():
        generator = np.random.default_rng([seed, *kind.encode()])
        made = list(change(model, generator))
        chosen = sorted(generator.choice(len(made), most, replace=False)) if len(made) > most else range(len(made))
        for place in chosen:
            what, broken = made[place]
            content = broken if isinstance(broken, bytes) else broken.SerializeToString()
            yield Mutant(kind, what, content, static=kind in STATIC)


def clone(model: ModelProto) -> ModelProto:
    return copy.deepcopy(model)


def tensors(model: ModelProto, kinds: str = "f", least: int = 1) -> list[tuple[int, str, np.ndarray]]:
    """Return place, name and values of the weights."""
    found = [
        (place, tensor.name, numpy_helper.to_array(tensor)) for place, tensor in enumerate(model.graph.initializer)
    ]
    return [item for item in found if item[2].dtype.kind in kinds and item[2].size >= least]


def replaced(model: ModelProto, place: int, values: np.ndarray) -> ModelProto:
    mutant = clone(model)
    tensor = mutant.graph.initializer[place]
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
    return mutant


def scaled(amount: float):
    """Scale one weight of a tensor."""

    def change(model, generator):
        for place, name, values in tensors(model, least=2):
            changed = values.copy()
            index = int(generator.choice(np.flatnonzero(changed)))
            changed.flat[index] *= np.float32(1.0 + amount)
            yield f"{name}[{index}] × (1 + {amount:g})", replaced(model, place, changed)

    return change


def reordered(model, generator):
    """Order a weight's rows or columns, the terms of a sum, or a whole matrix in another way."""
    for place, name, values in tensors(model, least=2):
        for axis in range(values.ndim):
            if values.shape[axis] > 1:
                one, two = generator.choice(values.shape[axis], 2, replace=False)
                order = np.arange(values.shape[axis])
                order[[one, two]] = two, one
                yield (
                    f"{name}: {one} and {two} of axis {axis} swapped",
                    replaced(model, place, values.take(order, axis)),
                )
        if values.ndim == 2:
            turned = values.T if values.shape[0] == values.shape[1] else values.T.reshape(values.shape)
            yield f"{name} transposed", replaced(model, place, turned)


def wrong_weights(model, generator):
    """Use weights of another epoch, of a lower precision, or of the wrong sign."""
    for place, name, values in tensors(model, least=2):
        yield f"{name} of float16", replaced(model, place, values.astype(np.float16).astype(np.float32))
        drifted = values * (1.0 + 1e-3 * generator.standard_normal(values.shape)).astype(np.float32)
        yield f"{name} of another epoch", replaced(model, place, drifted)
        flipped = values.copy()
        flipped.flat[int(generator.integers(values.size))] *= -1
        yield f"{name}: a sign flipped", replaced(model, place, flipped)
    for place, name, values in tensors(model, least=2):
        for other_place, other, others in tensors(model, least=2):
            if place < other_place and values.shape == others.shape:
                yield f"{name} and {other} exchanged", replaced(replaced(model, place, others), other_place, values)


def dropped_biases(model, _):
    """Leave out what is added."""
    for place, name, values in tensors(model):
        if values.ndim == 1 and values.any():
            yield f"{name} is 0", replaced(model, place, np.zeros_like(values))
    for number, node in enumerate(model.graph.node):
        if node.op_type in ("Gemm", "Conv", "LayerNormalization") and len(node.input) == 3:
            mutant = clone(model)
            del mutant.graph.node[number].input[2]
            yield f"{node.name} without its bias", mutant


def changed_constants(model, generator):
    """Change numbers of the code: scales, ends of slices, shapes."""
    for place, name, values in tensors(model):
        if values.size == 1:
            for factor in (1.001, 2.0):
                yield f"constant {name} × {factor:g}", replaced(model, place, (values * factor).astype(np.float32))
    for place, name, values in tensors(model, kinds="i"):
        if values.size:
            changed = values.copy()
            changed.flat[int(generator.integers(values.size))] += int(generator.choice([-1, 1]))
            yield f"constant {name}: {values.tolist()} is {changed.tolist()}", replaced(model, place, changed)


INSTEAD = {
    "Sigmoid": ["HardSigmoid", "Tanh"], "Tanh": ["Softsign", "Sigmoid"], "Relu": ["LeakyRelu", "Elu", "Identity"],
    "Erf": ["Tanh"], "Exp": ["Softplus"], "Softmax": ["LogSoftmax", "Hardmax"], "MaxPool": ["AveragePool"],
    "Add": ["Sub"], "Sub": ["Add"], "Mul": ["Add"], "Div": ["Mul"], "ReduceMean": ["ReduceSum", "ReduceMax"],
    "ReduceSum": ["ReduceMean"],
}  # fmt: skip


def other_operators(model, _):
    """Compute something else that has the same form."""
    for number, node in enumerate(model.graph.node):
        for other in INSTEAD.get(node.op_type, []):
            mutant = clone(model)
            mine = mutant.graph.node[number]
            mine.op_type = other
            if other == "AveragePool":
                del mine.attribute[:]
                mine.attribute.extend(a for a in node.attribute if a.name in ("kernel_shape", "strides", "pads"))
            yield f"{node.name}: {other} instead of {node.op_type}", mutant


def swapped_operands(model, _):
    """Exchange what an operation is given."""
    for number, node in enumerate(model.graph.node):
        if node.op_type in ("Sub", "Div", "MatMul", "Concat", "Mul", "Add") and len(node.input) > 1:
            mutant = clone(model)
            mine = mutant.graph.node[number].input
            mine[0], mine[1] = node.input[1], node.input[0]
            yield f"{node.name}: operands of {node.op_type} swapped", mutant
    for values, kind in ((model.graph.input, "inputs"), (model.graph.output, "outputs")):
        if len(values) > 1:
            mutant = clone(model)
            field = mutant.graph.input if kind == "inputs" else mutant.graph.output
            names = [value.name for value in values]
            for value, name in zip(field, reversed(names), strict=True):
                value.name = name
            yield f"{kind} {' and '.join(names)} swapped", mutant


def other_attributes(model, _):
    """Change axes, epsilons, factors, strides."""
    for number, node in enumerate(model.graph.node):
        for place, attribute in enumerate(node.attribute):
            for what, value in other_values(node, attribute):
                mutant = clone(model)
                mutant.graph.node[number].attribute[place].CopyFrom(helper.make_attribute(attribute.name, value))
                yield f"{node.name}: {what}", mutant


def other_values(node, attribute):
    value = helper.get_attribute_value(attribute)
    tried = {
        "axis": lambda: sorted({0, 1, -1} - {value}),
        "epsilon": lambda: [value * factor for factor in (10.0, 1e3, 1e-3)],
        "alpha": lambda: [value * 1.01],
        "beta": lambda: [value * 1.01],
        "transB": lambda: [1 - value],
        "keepdims": lambda: [1 - value],
        "perm": lambda: [value[::-1]],
        "reduction": lambda: ["none", "mul", "max"],
        **dict.fromkeys(("strides", "pads", "kernel_shape", "dilations"), lambda: [[*value[:-1], value[-1] + 1]]),
    }.get(attribute.name, list)
    for other in tried():
        yield f"{attribute.name} {other} instead of {value}", other


def removed_nodes(model, _):
    """Pass a node's first input on instead of its output."""
    for number, node in enumerate(model.graph.node):
        if node.op_type in ("Shape", "Constant", "Concat", "Reshape", "Slice", "Expand", "Squeeze", "Unsqueeze"):
            continue
        mutant = clone(model)
        mine = mutant.graph.node[number]
        source = next((name for name in mine.input if name not in weights(model)), mine.input[0])
        mine.CopyFrom(helper.make_node("Identity", [source], list(node.output), name=node.name))
        yield f"{node.name} ({node.op_type}) removed", mutant


def weights(model):
    return {tensor.name for tensor in model.graph.initializer}


def frozen_axes(model, _):
    """Fix what must be dynamic."""
    for kind in ("input", "output"):
        for number, value in enumerate(getattr(model.graph, kind)):
            for axis, dim in enumerate(value.type.tensor_type.shape.dim):
                if dim.dim_param:
                    mutant = clone(model)
                    getattr(mutant.graph, kind)[number].type.tensor_type.shape.dim[axis].dim_value = 3
                    yield f"{kind} {value.name}: axis {axis} ({dim.dim_param}) is 3", mutant
    for place, name, values in tensors(model, kinds="i"):
        if (values == -1).any():
            yield f"shape {name}: -1 is 3", replaced(model, place, np.where(values == -1, 3, values))


def inserted(model, number, nodes, constants=()):
    """Put nodes behind one: they read `{name}.before` and write what that one wrote."""
    mutant = clone(model)
    graph = mutant.graph
    name = graph.node[number].output[0]
    graph.node[number].output[0] = f"{name}.before"
    made = [helper.make_node(op, [text.format(name=name) for text in ins], [text.format(name=name) for text in outs], **more)
            for op, ins, outs, more in nodes]  # fmt: skip
    rest = list(graph.node)[number + 1 :]
    del graph.node[number + 1 :]
    graph.node.extend([*made, *rest])
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), key) for key, value in constants)
    return mutant


def computing(model):
    """Return the places of the nodes whose outputs are floating point."""
    types = {value.name: value.type.tensor_type.elem_type
             for value in onnx.shape_inference.infer_shapes(model).graph.value_info}  # fmt: skip
    types |= {value.name: value.type.tensor_type.elem_type for value in model.graph.output}
    return [place for place, node in enumerate(model.graph.node) if types.get(node.output[0]) == FLOAT]


def lower_precision(model, _):
    """Round on the way."""
    for number in computing(model):
        node = model.graph.node[number]
        for name, type_ in (("float16", TensorProto.FLOAT16), ("bfloat16", TensorProto.BFLOAT16)):
            nodes = [("Cast", ["{name}.before"], ["{name}.cast"], {"to": type_}),
                     ("Cast", ["{name}.cast"], ["{name}"], {"to": FLOAT})]  # fmt: skip
            yield f"{name} after {node.name}", inserted(model, number, nodes)


def wrong_types(model, _):
    """Declare another type."""
    for kind in ("input", "output"):
        for number, value in enumerate(getattr(model.graph, kind)):
            for name, type_ in (("float64", TensorProto.DOUBLE), ("float16", TensorProto.FLOAT16)):
                mutant = clone(model)
                getattr(mutant.graph, kind)[number].type.tensor_type.elem_type = type_
                yield f"{kind} {value.name} declared {name}", mutant
    for number, value in enumerate(model.graph.output):
        mutant = clone(model)
        (last,) = [node for node in mutant.graph.node if value.name in node.output]
        place = list(last.output).index(value.name)
        last.output[place] = f"{value.name}.single"
        mutant.graph.node.append(helper.make_node("Cast", [last.output[place]], [value.name], to=TensorProto.DOUBLE))
        mutant.graph.output[number].type.tensor_type.elem_type = TensorProto.DOUBLE
        yield f"output {value.name} cast to float64", mutant


def rare_places(model, generator):
    """Be wrong in a corner of the domain alone."""
    for number, value in enumerate(model.graph.input):
        if value.type.tensor_type.elem_type != FLOAT:
            continue
        for share in (0.98, 0.9):
            mutant = clone(model)
            for node in mutant.graph.node:
                for place, name in enumerate(node.input):
                    if name == value.name:
                        node.input[place] = f"{value.name}.clipped"
            end = np.float32(share * HALF_DOMAIN)
            mutant.graph.initializer.extend(
                numpy_helper.from_array(sign * end, f"{value.name}.{side}") for sign, side in ((-1, "low"), (1, "high"))
            )
            clip = [value.name, f"{value.name}.low", f"{value.name}.high"]
            mutant.graph.node.insert(0, helper.make_node("Clip", clip, [f"{value.name}.clipped"]))
            yield f"input {number} clipped at ±{end:.3g}", mutant
    for number in computing(model):
        node = model.graph.node[number]
        bound = np.float32(generator.uniform(0.5, 3.0))
        nodes = [("Min", ["{name}.before", "{name}.most"], ["{name}"], {})]
        yield (
            f"{node.name} saturates at {bound:.3g}",
            inserted(model, number, nodes, [(f"{node.output[0]}.most", bound)]),
        )


# The tests' networks have domains from -2 to 2.
HALF_DOMAIN = 2.0


def leaking_events(model, _):
    """Let one event see the others."""
    for number in computing(model):
        node = model.graph.node[number]
        name = node.output[0]
        nodes = [("ReduceMean", ["{name}.before", "{name}.axes"], ["{name}.mean"], {"keepdims": 1}),
                 ("Mul", ["{name}.mean", "{name}.part"], ["{name}.leak"], {}),
                 ("Add", ["{name}.before", "{name}.leak"], ["{name}"], {})]  # fmt: skip
        constants = [(f"{name}.axes", np.array([0])), (f"{name}.part", np.float32(1e-3))]
        yield f"{node.name} adds 0.001 of the batch's mean", inserted(model, number, nodes, constants)


def damaged_files(model, generator):
    """Lose the end of a file, or a bit of it."""
    content = model.SerializeToString()
    for share in (0.25, 0.5, 0.9, 0.99):
        yield f"cut at {share:.0%}", content[: int(share * len(content))]
    for _ in range(12):
        place, bit = int(generator.integers(len(content))), int(generator.integers(8))
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        yield f"bit {bit} of byte {place} flipped", bytes(damaged)


def other_versions(model, _):
    """Be of another operator set or IR version than the target takes."""
    for version in (19, 99):
        mutant = clone(model)
        mutant.opset_import[0].version = version
        yield f"opset {version}", mutant
    for version in (9, 99):
        mutant = clone(model)
        mutant.ir_version = version
        yield f"IR version {version}", mutant


def lying_metadata(model, _):
    """Tell the file's consumer something else than what was trained."""
    for number, entry in enumerate(model.metadata_props):
        mutant = clone(model)
        del mutant.metadata_props[number]
        yield f"no {entry.key}", mutant
        mutant = clone(model)
        value = json.loads(entry.value)
        if isinstance(value, dict):
            changed = {f"{key}_": inner for key, inner in value.items()}
        else:
            changed = 0.9 if isinstance(value, float) else "other"
        mutant.metadata_props[number].value = json.dumps(changed, sort_keys=True)
        yield f"another {entry.key}", mutant


KINDS = {
    **{f"one weight × (1 + {amount:g})": scaled(amount) for amount in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)},
    "weights in another order": reordered,
    "wrong weights": wrong_weights,
    "bias dropped": dropped_biases,
    "constant changed": changed_constants,
    "another operator": other_operators,
    "operands swapped": swapped_operands,
    "axis, epsilon or attribute changed": other_attributes,
    "node removed": removed_nodes,
    "axis frozen": frozen_axes,
    "lower precision inside": lower_precision,
    "wrong type": wrong_types,
    "wrong in a corner alone": rare_places,
    "events see one another": leaking_events,
    "damaged file": damaged_files,
    "wrong opset or IR": other_versions,
    "wrong metadata": lying_metadata,
}
STATIC = frozenset(["wrong opset or IR", "wrong metadata"])
