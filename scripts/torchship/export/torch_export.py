"""Export of an eager torch module to ONNX: traced once, translated for each operator set that torch itself writes."""

import traceback
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from onnx import ModelProto, shape_inference
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torchship.config.targets import native, natives
from torchship.core.errors import ExportError
from torchship.data.domain import draw, uniform
from torchship.export import errors, origins
from torchship.export.canonical import strip
from torchship.export.errors import Shapes
from torchship.export.opsets import bring
from torchship.export.quiet import quiet
from torchship.export.signature import check_graph
from torchship.models.user_code import user_folder
from torchship.spec.axes import ANY_SIZE, EVERY, Axes, AxisRange, dynamic_axes, traced_sizes
from torchship.spec.tensor import Tensors

# What torch says where it takes a tensor for laid out otherwise than it is.
NO_VIEW = "Cannot view a tensor with shape"


def export(module: nn.Module, inputs: Tensors, outputs: Tensors, opset: int, axes: Axes = EVERY) -> ModelProto:
    """Export a network for one operator set, dynamic axes and names as declared, each node with its origin.

    Raises:
        ExportError: see `translate`, `opsets.bring` and `check_graph`.
    """
    model = bring(translate(module, inputs, outputs, [opset], axes)[native(opset)], opset)
    check_graph(model, inputs, outputs)
    return model


def translate(
    module: nn.Module,
    inputs: Tensors,
    outputs: Tensors,
    opsets: Iterable[int],
    axes: Axes = EVERY,
) -> dict[int, ModelProto]:
    """Trace a network once, and translate it for each operator set that is needed to make those that are asked for.

    Returns:
        a model for each of `targets.natives`, optimised, and free of the exporter's metadata; each node has its origin.

    Raises:
        ExportError: the exporter failed, or gave other names or axes than declared; in the words of its root cause.
    """
    module = module.eval()
    examples, shapes = example(inputs, axes), dynamic_shapes(inputs, axes)
    try:
        try:
            found = translated(module, examples, shapes, list(inputs), list(outputs), natives(opsets))
        except Exception as error:
            if NO_VIEW not in "".join(traceback.format_exception(error)):
                raise
            # torch 2.13 takes its fused attention for laid out otherwise than it is; in single operations it is right.
            with sdpa_kernel(SDPBackend.MATH):
                found = translated(module, examples, shapes, list(inputs), list(outputs), natives(opsets))
    except Exception as error:
        raise ExportError(errors.explain(error, module, examples, shapes, inputs)) from error
    for model in found.values():
        rename_multiples(model, axes)
        rename_derived(model, inputs, outputs)
        free_outputs(model, inputs, outputs)
        try:
            check_graph(model, inputs, outputs)
        except ExportError as error:
            more = errors.why_other(str(error), module, examples, shapes, inputs)
            raise ExportError(f"{error}{more}") from error
    return found


def translated(
    module: nn.Module,
    examples: tuple[torch.Tensor, ...],
    shapes: Shapes,
    inputs: list[str],
    outputs: list[str],
    opsets: Sequence[int],
) -> dict[int, ModelProto]:
    """Return a model for each operator set, from one trace, as torch's exporter makes it."""
    program: Any = None
    found = {}
    for opset in opsets:
        source, fed = (module, examples) if program is None else (program.exported_program, ())
        with quiet():
            # The optimiser is called below, since origins are read before it.
            program = torch.onnx.export(
                source,
                fed,
                None,
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=inputs,
                output_names=outputs,
                dynamic_shapes=shapes,
                external_data=False,
                optimize=False,
            )
            found[opset] = finished(program, module)
    return found


def finished(program: torch.onnx.ONNXProgram, module: nn.Module) -> ModelProto:
    """Return a translated program as onnx's own type, optimised, its nodes with their origins and nothing else."""
    folder = user_folder(module)
    before = ModelProto.FromString(program.model_proto.SerializeToString())
    for node in before.graph.node:
        origins.write(node, origins.of_torch(node, folder))
    program.optimize()
    after: ModelProto = ModelProto.FromString(program.model_proto.SerializeToString())
    strip(after)
    origins.carry(before.graph, after.graph)
    return after


def example(inputs: Tensors, axes: Axes = EVERY) -> tuple[torch.Tensor, ...]:
    """Return inputs to trace with: from the domain, so that they are possible, each dynamic axis of its own size."""
    drawn = draw(inputs, dict.fromkeys(inputs, uniform), traced_sizes(inputs, axes), np.random.default_rng(0))
    return tuple(torch.from_numpy(array) for array in drawn.values())


def dynamic_shapes(inputs: Tensors, axes: Axes = EVERY) -> Shapes:
    """Return for each input its dynamic axes as torch takes them, by place, with the sizes that they may have."""
    dims = {axis: dimension(axis, axes.get(axis, ANY_SIZE)) for axis in traced_sizes(inputs)}
    return tuple(
        {place: dims[axis] for place, axis in enumerate(tensor.shape) if isinstance(axis, str)}
        for tensor in inputs.values()
    )


def dimension(axis: str, sizes: AxisRange) -> torch.export.Dim:
    """Return an axis as torch's exporter takes it; of multiples, that of the factor, times the multiple."""
    least, most = -(-sizes.least // sizes.multiple), sizes.most if sizes.most is None else sizes.most // sizes.multiple
    allowed = {"min": least or None, "max": most}
    if sizes.multiple == 1:
        return torch.export.Dim(axis, **allowed)
    return sizes.multiple * torch.export.Dim(factor_name(axis), **allowed)


def factor_name(axis: str) -> str:
    """Return the name of what an axis is a multiple of."""
    return f"_{axis}"


def rename_multiples(model: ModelProto, axes: Axes) -> None:
    """Call an axis that torch calls a multiple of its factor, as 2*_particles, by its own name."""
    names = {f"{sizes.multiple}*{factor_name(axis)}": axis for axis, sizes in axes.items()}
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = names[dim.dim_param]


def rename_derived(model: ModelProto, inputs: Tensors, outputs: Tensors) -> None:
    """Call an axis that outputs alone have, which torch calls by its formula, as n + 1, by its declared name.

    A name stands for one formula: where it is declared for another one as well, that one stays as it is.
    """
    known, formulas = set(dynamic_axes(inputs)), dict[str, str]()
    for value in model.graph.output:
        axes = outputs[value.name].shape if value.name in outputs else ()
        for axis, dim in zip(axes, value.type.tensor_type.shape.dim, strict=False):
            if not isinstance(axis, str) or axis in known:
                continue
            formula = dim.dim_param
            if formula and formula not in known and formulas.setdefault(axis, formula) == formula:
                dim.dim_param = axis


def free_outputs(model: ModelProto, inputs: Tensors, outputs: Tensors) -> None:
    """Declare axes of outputs that torch takes for constants though the graph leaves them open, as nn.GRU's steps.

    torch 2.13 finds the shapes of a recurrent layer by a loop over the traced steps, and translates it to an operator
    of any number of steps. Where ONNX's own inference finds a constant, too, or an input's axis is one, it stays;
    whether the rest holds, the gate finds out at other sizes.
    """
    found = {value.name: value for value in without_shapes(model).graph.output}
    kept = {dim.dim_param for value in model.graph.input for dim in value.type.tensor_type.shape.dim}
    for value in model.graph.output:
        declared = outputs[value.name].shape if value.name in outputs else ()
        dims, inferred = value.type.tensor_type.shape.dim, found[value.name].type.tensor_type.shape.dim
        if not len(declared) == len(dims) == len(inferred):
            continue
        for axis, dim, other in zip(declared, dims, inferred, strict=True):
            if axis in kept and axis in dynamic_axes(inputs) and dim.HasField("dim_value") and not other.dim_value:
                dim.dim_param = str(axis)
                # Of what is between, torch's shapes are not to be trusted either.
                del model.graph.value_info[:]


def without_shapes(model: ModelProto) -> ModelProto:
    """Return a model with the shapes that ONNX finds by itself, from those of the inputs alone."""
    bare = ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    for value in bare.graph.output:
        value.type.tensor_type.ClearField("shape")
    return shape_inference.infer_shapes(bare, data_prop=True)
