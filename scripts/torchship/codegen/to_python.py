"""Hand-coded Python from a network's numbers: standard library only, float64, meant to be read."""

from torchship.codegen.common import CALLED, all_constants, constants, identifier, kind_of, summary
from torchship.codegen.layers import Activation, BatchNorm, Network, Vector

FUNCTIONS = {
    "linear": '''
def linear(weight, bias, values):
    """W x + b; fsum rounds once, whatever the order."""
    return [fsum((*map(mul, row, values), shift)) for row, shift in zip(weight, bias)]
''',
    "batch_norm": '''
def batch_norm(mean, variance, scale, shift, epsilon, values):
    """(x - mean) / sqrt(variance + epsilon) * scale + shift."""
    columns = zip(values, mean, variance, scale, shift)
    return [(x - m) / sqrt(v + epsilon) * s + b for x, m, v, s, b in columns]
''',
    "sigmoid": '''
def sigmoid(values):
    """1 / (1 + exp(-x)), in the form whose exponential cannot overflow."""
    return [1.0 / (1.0 + exp(-x)) if x >= 0.0 else exp(x) / (1.0 + exp(x)) for x in values]
''',
    "tanh": '''
def hyperbolic_tangent(values):
    """tanh(x)."""
    return [tanh(x) for x in values]
''',
    "relu": '''
def relu(values):
    """max(x, 0); NaN stays NaN."""
    return [0.0 if x < 0.0 else x for x in values]
''',
    "leaky_relu": '''
def leaky_relu(slope, values):
    """x where x >= 0, else slope x."""
    return [slope * x if x < 0.0 else x for x in values]
''',
    "softmax": '''
def softmax(values):
    """exp(x) / sum of exp(x), shifted by the largest so that nothing overflows."""
    largest = max(values)
    powers = [exp(x - largest) for x in values]
    total = fsum(powers)
    return [power / total for power in powers]
''',
}
MATH = {
    "linear": ("fsum",),
    "batch_norm": ("sqrt",),
    "sigmoid": ("exp",),
    "tanh": ("tanh",),
    "softmax": ("exp", "fsum"),
}


def generate(network: Network) -> str:
    """Return the source text of a module with one function, `evaluate`.

    The numbers are the float32 parameters, exactly, in the shortest decimals of float64.
    """
    kinds = sorted({kind_of(layer) for layer in network.layers})
    imported = sorted({name for kind in kinds for name in MATH.get(kind, ())})
    lines = [f'"""Network {network.name!r}, hand-coded from its trained weights: standard library only, float64.', ""]
    lines += [f"    {summary(layer)}" for layer in network.layers]
    lines += [
        "",
        f"Use: python reference.py {' '.join(identifier(name).upper() for name in network.features)}",
        '"""',
        "",
    ]
    lines += ["import sys"]
    lines += [f"from math import {', '.join(imported)}"] if imported else []
    lines += ["from operator import mul"] if "linear" in kinds else []
    lines += ["", f"INPUTS = {network.features!r}", f"OUTPUTS = {network.classes!r}", ""]
    for name, (_, text) in all_constants(network, _tuple).items():
        lines.append(f"{name} = ({text})" if text.startswith("\n") else f"{name} = {text}")
    lines += ["\n" + FUNCTIONS[kind].rstrip() for kind in kinds]
    lines += [_evaluate(network)]
    return "\n".join(lines).rstrip() + "\n"


def _tuple(values: Vector) -> str:
    return f"({', '.join(map(repr, values))}{',' if len(values) == 1 else ''})"


def _evaluate(network: Network) -> str:
    calls = []
    for layer in network.layers:
        kind = kind_of(layer)
        arguments = [*constants(layer, _tuple)]
        if isinstance(layer, BatchNorm):
            arguments.append(repr(layer.epsilon))
        if kind == "leaky_relu" and isinstance(layer, Activation):
            arguments.append(repr(layer.slope))
        calls.append(f"    values = {CALLED.get(kind, kind)}({', '.join([*arguments, 'values'])})")
    return f'''

def evaluate(values):
    """Return {network.output_name} for one event of {network.input_name}, in the order of OUTPUTS and INPUTS."""
    if len(values) != len(INPUTS):
        raise ValueError(f"{{len(values)}} values given, {{len(INPUTS)}} inputs expected: {{', '.join(INPUTS)}}")
{chr(10).join(calls)}
    return values


if __name__ == "__main__":
    for name, value in zip(OUTPUTS, evaluate([float(text) for text in sys.argv[1:]])):
        print(f"{{name}} = {{value!r}}")
'''
