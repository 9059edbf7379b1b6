"""The C++ header as others take it into their code: strict warnings, sanitizers, threads, no allocation."""

import shutil
import subprocess

import numpy as np
import pytest
import torch
from support import want
from test_generator import described
from torch import nn
from torchship.codegen import to_cpp
from torchship.codegen.run_cpp import WARNINGS

PLAIN = ["-O2", "-DCOUNT"]
WAYS = {
    "g++": ("g++", PLAIN),
    "clang++": ("clang++", PLAIN),
    # clang's sanitizers are a package of their own.
    "address": ("g++", ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]),
    "thread": ("g++", ["-O1", "-g", "-fsanitize=thread"]),
}
EVENTS = 64

# Evaluates events from the standard input in each way, and by eight threads at once; prints the outputs' bits.
PROGRAM = """
#include "net.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <utility>
#include <vector>

using namespace torchship::net_network;

static std::size_t allocations = 0;
#ifdef COUNT
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

template <typename Real>
int run() {
  constexpr std::size_t events = EVENTS;
  static_assert(noexcept(evaluate(std::declval<const Real*>(), std::declval<Real*>())));
  std::vector<Real> rows(events * inputs), columns(events * inputs);
  for (std::size_t event = 0; event < events; ++event)
    for (std::size_t i = 0; i < inputs; ++i) {
      double number = 0;
      if (std::scanf("%la", &number) != 1) return 1;
      rows[event * inputs + i] = columns[i * events + event] = static_cast<Real>(number);
    }
  std::vector<Real> one(events * outputs), many(events * outputs), parts(events * outputs);
  const Real* x[inputs];
  Real* y[outputs];
  for (std::size_t i = 0; i < inputs; ++i) x[i] = columns.data() + i * events;
  for (std::size_t i = 0; i < outputs; ++i) y[i] = parts.data() + i * events;
  const std::size_t before = allocations;
  for (std::size_t event = 0; event < events; ++event)
    evaluate(rows.data() + event * inputs, one.data() + event * outputs);
  evaluate_rows(rows.data(), many.data(), events);
  evaluate_columns(x, y, events);
  if (allocations != before) return 2;
  for (std::size_t event = 0; event < events; ++event)
    for (std::size_t i = 0; i < outputs; ++i)
      if (std::memcmp(&parts[i * events + event], &many[event * outputs + i], sizeof(Real))) return 3;
  if (std::memcmp(one.data(), many.data(), one.size() * sizeof(Real))) return 4;
  std::vector<std::vector<Real>> found(8, std::vector<Real>(events * outputs));
  std::vector<std::thread> threads;
  for (auto& mine : found) threads.emplace_back([&] { evaluate_rows(rows.data(), mine.data(), events); });
  for (auto& thread : threads) thread.join();
  for (const auto& mine : found)
    if (std::memcmp(mine.data(), many.data(), mine.size() * sizeof(Real))) return 5;
  for (Real value : many) std::printf("%a\\n", static_cast<double>(value));
  return 0;
}

int main() { return run<REAL>(); }
"""


@pytest.fixture(scope="module")
def network():
    """One with each kind of layer that there is."""
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(5)
    norm.running_mean.normal_()
    inner = [nn.Linear(3, 5), norm, nn.LeakyReLU(0.1), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 4), nn.ReLU()]
    module = nn.Sequential(*inner, nn.Linear(4, 3), nn.Sigmoid(), nn.Softmax(dim=-1)).eval()
    return module, described(module, [3, 3])


def built(folder, compiler, network, *flags):
    want(shutil.which(compiler), f"there is no {compiler}")
    (folder / "net.hpp").write_text(to_cpp.generate(network[1]))
    (folder / "main.cpp").write_text(PROGRAM)
    command = [compiler, "-std=c++17", "-pthread", *WARNINGS, f"-DEVENTS={EVENTS}", *flags, "main.cpp", "-o", "main"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def ran(folder, x):
    text = "\n".join(float(number).hex() for number in x.ravel())
    done = subprocess.run([folder / "main"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return np.array([float.fromhex(line) for line in done.stdout.split()]).reshape(len(x), -1)


@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize(("compiler", "flags"), WAYS.values(), ids=WAYS)
def test_events_by_rows_by_columns_and_by_threads_have_the_same_bits(tmp_path, network, compiler, flags, real):
    built(tmp_path, compiler, network, f"-DREAL={real}", *flags)
    x = np.random.default_rng(0).normal(size=(EVENTS, 3)).astype(np.float32)
    with torch.no_grad():
        expected = network[0].double()(torch.from_numpy(x).double()).numpy()
    assert ran(tmp_path, x) == pytest.approx(expected, rel=2e-5 if real == "float" else 1e-6)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_numbers_of_another_kind_are_refused_in_words(tmp_path, compiler, network):
    want(shutil.which(compiler), f"there is no {compiler}")
    (tmp_path / "net.hpp").write_text(to_cpp.generate(network[1]))
    (tmp_path / "main.cpp").write_text(
        '#include "net.hpp"\nint main() { int x[3] = {}, y[3]; torchship::net_network::evaluate(x, y); }\n'
    )
    done = subprocess.run(
        [compiler, "-std=c++17", "-fsyntax-only", "main.cpp"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Real is float or double" in done.stderr
