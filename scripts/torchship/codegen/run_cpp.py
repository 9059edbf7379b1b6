"""The generated header as a shared library, compiled with the system's compiler and called through ctypes."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchship.codegen.common import identifier
from torchship.core.errors import GenerationError

# A header goes into others' code, so that it must please the strictest of them.
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Werror"]
FLAGS = ["-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", *WARNINGS]

WRAPPER = """
#include "{header}"
#include <chrono>

using torchship::{namespace}::evaluate_rows;

#define PUBLIC extern "C" __attribute__((visibility("default")))

PUBLIC void evaluate_double(const double* x, double* y, std::size_t events) {{ evaluate_rows(x, y, events); }}
PUBLIC void evaluate_float(const float* x, float* y, std::size_t events) {{ evaluate_rows(x, y, events); }}
PUBLIC double seconds_float(const float* x, float* y, std::size_t events, std::size_t calls) {{
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < calls; ++i) {{
    evaluate_rows(x, y, events);
    asm volatile("" : : "r"(y) : "memory");  // each call must be made: its results may be read
  }}
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}}
"""


def version(executable: str) -> str:
    """Return the first line of what the compiler says of itself."""
    done = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.splitlines()[0]


class CompiledNetwork:
    """A generated header, compiled in `folder` and loaded.

    Raises:
        GenerationError: the compiler refuses the header, a warning included; the message has its first complaint.
    """

    def __init__(self, header: Path, network: str, outputs: int, folder: Path, executable: str) -> None:
        self.outputs = outputs
        source, library = folder / "wrapper.cpp", folder / "network.so"
        namespace = f"{identifier(network)}_network"
        source.write_text(WRAPPER.format(header=header.name, namespace=namespace), encoding="utf-8")
        command = [executable, *FLAGS, "-I", str(header.resolve().parent), str(source), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            complaint = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
            raise GenerationError(f"{header} does not compile with {executable}: {complaint}")
        self.library = ctypes.CDLL(str(library))
        self.library.seconds_float.restype = ctypes.c_double

    def evaluate(self, x: NDArray[np.floating]) -> NDArray[np.floating]:
        """Evaluate events [events, inputs] of float32 or float64; the type of the result is that of `x`."""
        x = np.ascontiguousarray(x)
        y = np.full((len(x), self.outputs), np.nan, dtype=x.dtype)
        call = self.library.evaluate_float if x.dtype == np.float32 else self.library.evaluate_double
        call(_pointer(x), _pointer(y), ctypes.c_size_t(len(x)))
        return y

    def seconds(self, x: NDArray[np.float32], y: NDArray[np.float32], calls: int) -> float:
        """Time `calls` evaluations of all of `x` [events, inputs] into `y`, in seconds, on C++'s steady clock."""
        return float(
            self.library.seconds_float(_pointer(x), _pointer(y), ctypes.c_size_t(len(x)), ctypes.c_size_t(calls))
        )


def _pointer(array: NDArray[np.floating]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
