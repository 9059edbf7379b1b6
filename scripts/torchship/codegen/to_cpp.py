"""Hand-coded C++17 from a network's numbers: one header, no dependency, any floating type."""

import hashlib

from torchship.codegen.common import CALLED, all_constants, constants, identifier, kind_of, summary
from torchship.codegen.layers import Activation, BatchNorm, Layer, Linear, Network, Vector

FUNCTIONS = {
    "linear": """
template <typename Real, std::size_t Outputs, std::size_t Inputs>
inline void linear(const double (&weight)[Outputs][Inputs], const double (&bias)[Outputs], const Real* x,
                   Real* y) noexcept {
  for (std::size_t i = 0; i < Outputs; ++i) {
    Real sum = static_cast<Real>(bias[i]);
    for (std::size_t j = 0; j < Inputs; ++j) sum += static_cast<Real>(weight[i][j]) * x[j];
    y[i] = sum;
  }
}
""",
    "batch_norm": """
template <typename Real, std::size_t Width>
inline void batch_norm(const double (&mean)[Width], const double (&variance)[Width], const double (&scale)[Width],
                       const double (&shift)[Width], double epsilon, const Real* x, Real* y) noexcept {
  for (std::size_t i = 0; i < Width; ++i)
    y[i] = (x[i] - static_cast<Real>(mean[i])) /
               std::sqrt(static_cast<Real>(variance[i]) + static_cast<Real>(epsilon)) * static_cast<Real>(scale[i]) +
           static_cast<Real>(shift[i]);
}
""",
    "sigmoid": """
template <typename Real, std::size_t Width>
inline void sigmoid(Real* x) noexcept {
  for (std::size_t i = 0; i < Width; ++i) {
    const Real power = std::exp(-std::abs(x[i]));  // cannot overflow
    x[i] = x[i] >= Real(0) ? Real(1) / (Real(1) + power) : power / (Real(1) + power);
  }
}
""",
    "tanh": """
template <typename Real, std::size_t Width>
inline void hyperbolic_tangent(Real* x) noexcept {
  for (std::size_t i = 0; i < Width; ++i) x[i] = std::tanh(x[i]);
}
""",
    "relu": """
template <typename Real, std::size_t Width>
inline void relu(Real* x) noexcept {
  for (std::size_t i = 0; i < Width; ++i) x[i] = x[i] < Real(0) ? Real(0) : x[i];  // NaN stays NaN
}
""",
    "leaky_relu": """
template <typename Real, std::size_t Width>
inline void leaky_relu(double slope, Real* x) noexcept {
  for (std::size_t i = 0; i < Width; ++i) x[i] = x[i] < Real(0) ? static_cast<Real>(slope) * x[i] : x[i];
}
""",
    "softmax": """
template <typename Real, std::size_t Width>
inline void softmax(Real* x) noexcept {
  Real largest = x[0];
  for (std::size_t i = 1; i < Width; ++i) largest = x[i] > largest ? x[i] : largest;
  Real total = 0;
  for (std::size_t i = 0; i < Width; ++i) total += x[i] = std::exp(x[i] - largest);  // cannot overflow
  for (std::size_t i = 0; i < Width; ++i) x[i] /= total;
}
""",
}


MANY = """
// Many events, one after the other: x[event * inputs + i], y[event * outputs + i].
template <typename Real>
inline void evaluate_rows(const Real* x, Real* y, std::size_t events) noexcept {
  for (std::size_t event = 0; event < events; ++event) evaluate(x + event * inputs, y + event * outputs);
}

// Many events, an array for each feature and each output: x[i][event], y[i][event].
template <typename Real>
inline void evaluate_columns(const Real* const (&x)[inputs], Real* const (&y)[outputs], std::size_t events) noexcept {
  for (std::size_t event = 0; event < events; ++event) {
    Real row[inputs], result[outputs];
    for (std::size_t i = 0; i < inputs; ++i) row[i] = x[i][event];
    evaluate(row, result);
    for (std::size_t i = 0; i < outputs; ++i) y[i][event] = result[i];
  }
}
"""


def generate(network: Network) -> str:
    """Return the text of a header with `evaluate` for one event, `evaluate_rows` and `evaluate_columns` for many.

    The constants are the float32 parameters, exactly, so that `Real` may be float or double. The namespace ends in
    `_network` because a network's name may be a word of C++, as `xor` is.
    """
    name = f"{identifier(network.name)}_network"
    kinds = sorted({kind_of(layer) for layer in network.layers})
    guard = f"TORCHSHIP_{name.upper()}_HPP"
    lines = [
        f"// Network '{network.name}', hand-coded from its trained weights: C++17, no dependency. Functions neither",
        "// allocate nor throw nor keep anything, and may be called from any number of threads at once.",
        "//",
    ]
    lines += [f"//   {summary(layer)}" for layer in network.layers]
    lines += [f"//\n// Inputs:  {', '.join(network.features)}", f"// Outputs: {', '.join(network.classes)}"]
    lines += [
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#include <cmath>",
        "#include <cstddef>",
        "#include <type_traits>",
        "",
    ]
    lines += [
        f"namespace torchship::{name} {{",
        "// Another training's weights are another namespace: two versions may live in one process.",
    ]
    lines += [f"inline namespace weights_{fingerprint(network)} {{", ""]
    lines += [f"inline constexpr std::size_t inputs = {len(network.features)};"]
    lines += [f"inline constexpr std::size_t outputs = {len(network.classes)};", "", "namespace detail {", ""]
    for constant, (layer, text) in all_constants(network, _braces).items():
        rows = text.startswith("\n")
        extents = _extents(layer, rows=rows)
        lines.append(f"inline constexpr double {constant}{extents} = {f'{{{text}}}' if rows else text};")
    lines += [FUNCTIONS[kind].rstrip() for kind in kinds]
    lines += [
        "",
        "}  // namespace detail",
        "",
        *_evaluate(network),
        MANY.rstrip(),
        "",
        "}  // inline namespace",
        f"}}  // namespace torchship::{name}",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def fingerprint(network: Network) -> str:
    """Return twelve hexadecimal digits that differ between networks with different numbers or layers."""
    return hashlib.sha256(repr(network).encode()).hexdigest()[:12]


def _braces(values: Vector) -> str:
    return f"{{{', '.join(map(repr, values))}}}"


def _extents(layer: Layer, *, rows: bool) -> str:
    match layer:
        case Linear():
            return f"[{len(layer.weight)}]" + (f"[{len(layer.weight[0])}]" if rows else "")
        case BatchNorm():
            return f"[{len(layer.mean)}]"
        case Activation():
            return ""


def _evaluate(network: Network) -> list[str]:
    lines = [
        "// One event: reads x[0] ... x[inputs - 1], writes y[0] ... y[outputs - 1]. Real is float or double.",
        "template <typename Real>",
        "inline void evaluate(const Real* x, Real* y) noexcept {",
        '  static_assert(std::is_floating_point_v<Real>, "Real is float or double");',
    ]
    width, current = len(network.features), "input"
    lines += [f"  Real input[{width}];", "  for (std::size_t i = 0; i < inputs; ++i) input[i] = x[i];"]
    for index, layer in enumerate(network.layers):
        kind = kind_of(layer)
        arguments = [f"detail::{constant}" for constant in constants(layer, _braces)]
        if isinstance(layer, Activation):
            arguments = [repr(layer.slope)] if kind == "leaky_relu" else []
            lines.append(f"  detail::{CALLED.get(kind, kind)}<Real, {width}>({', '.join([*arguments, current])});")
            continue
        if isinstance(layer, BatchNorm):
            arguments.append(repr(layer.epsilon))
        else:
            width = len(layer.weight)
        following = f"values{index}"
        lines.append(f"  Real {following}[{width}];")
        lines.append(f"  detail::{kind}({', '.join([*arguments, current, following])});")
        current = following
    return [*lines, f"  for (std::size_t i = 0; i < outputs; ++i) y[i] = {current}[i];", "}"]
