"""The package for CMSSW, on ONNX Runtime's C interface: right for the file that was validated, and for no other."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from gating import exported
from support import DEFAULTS, want
from torch import nn
from torchship.core.errors import DeliveryError
from torchship.deliver import cmssw
from torchship.deliver.cmssw import Delivery, package, page, try_package
from torchship.deliver.cmssw_names import axis_names, ports
from torchship.deliver.golden import Golden
from torchship.export.canonical import canonicalize
from torchship.export.contract import expected_metadata
from torchship.runtimes.libraries import first_library
from torchship.spec.axes import read_axes
from torchship.spec.target import read_target
from torchship.spec.tensor import read_tensors

EVENTS = 12
TARGETS = {"allocating": "cmssw_15_0", "into": "cmssw_dev"}


class Jets(nn.Module):
    """Two inputs, two outputs."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(6, 2)

    def forward(self, jet, track):
        hidden = torch.relu(torch.cat([self.first(jet), track], 1))
        return torch.softmax(self.second(hidden), 1), hidden.sum(1, keepdim=True)


class Particles(nn.Module):
    """A further dynamic axis, as an input has it."""

    def __init__(self):
        super().__init__()
        self.each = nn.Linear(2, 3)

    def forward(self, particles):
        return torch.tanh(self.each(particles)).mean(1)


class Ranked(nn.Module):
    """A file that takes four events at a time, which are weighed against one another."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x):
        return torch.softmax(self.layer(x.reshape(4, 2)), 0)


class Ghosts(nn.Module):
    """Batches of a multiple of three, each three of which are centred together."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x):
        groups = x.reshape(-1, 3, 2)
        return torch.tanh(self.layer(groups - groups.mean(1, keepdim=True))).reshape(-1, 1)


ENDS = {"low": -2.0, "high": 2.0}
DECLARED = {
    "jets": (
        Jets,
        {
            "jet": {"shape": ["batch", 3], **ENDS, "features": ["pt", "eta", "mass"]},
            "track": {"shape": ["batch", 2], **ENDS},
        },
        {
            "class_score": {"shape": ["batch", 2], "features": ["signal", "rest"]},
            "class-score": {"shape": ["batch", 1]},
        },
    ),
    "particles": (
        Particles,
        {"particles": {"shape": ["batch", "particles", 2], **ENDS}},
        {"y": {"shape": ["batch", 3]}},
    ),
    "ranked": (Ranked, {"x": {"shape": [4, 2], **ENDS}}, {"y": {"shape": [4, 1]}}),
    "ghosts": (Ghosts, {"x": {"shape": ["batch", 2], **ENDS}}, {"y": {"shape": ["batch", 1]}}),
}
AXES = {"ghosts": {"batch": {"multiple": 3, "least": 3, "most": 30}}}
# How many events belong together.
TOGETHER = {"ranked": 4, "ghosts": 3}


@cache
def network_and_file(name, outputs):
    """Return one of the networks above, what is declared of it, and its file before it says anything of itself."""
    kind, entries, declared = DECLARED[name]
    torch.manual_seed(0)
    module = kind().eval()
    inputs, declared = read_tensors(entries), read_tensors(json.loads(outputs) or declared)
    content = exported(module, inputs, declared, 18, read_axes({"axes": AXES.get(name, {})})).SerializeToString()
    return module.double(), inputs, declared, content


def made_of(name, generation="into", *, working_point=0.5, outputs=None):
    """Return a delivery of one of the networks above, as the rule makes it."""
    module, inputs, declared, content = network_and_file(name, json.dumps(outputs))
    proto = onnx.load_from_string(content)
    metadata = {"network": name, **expected_metadata(inputs, declared, working_point)}
    canonicalize(proto, graph=name, opset=18, ir=8, about=metadata)
    return Delivery(
        run=name,
        package=f"Torchship/{name}",
        inputs=inputs,
        outputs=declared,
        working_point=working_point,
        target=read_target(DEFAULTS["targets"][TARGETS[generation]]),
        exported={"metadata": metadata, "sha256": "0" * 64, "notes": []},
        content=proto.SerializeToString(),
        golden=golden_of(module, inputs, declared, TOGETHER.get(name, 1)),
        axes=read_axes({"axes": AXES.get(name, {})}),
        passed={"verdict": "passed", "sha256": "0" * 64, "runtime": "1.32.0"},
    )


def golden_of(module, inputs, outputs, together):
    """Return golden events, as many evaluated at a time as belong together."""
    generator = np.random.default_rng(0)
    shapes = {key: [5 if axis == "particles" else axis for axis in tensor.shape[1:]] for key, tensor in inputs.items()}
    feed = {key: generator.uniform(-2, 2, (EVENTS, *shape)).astype(np.float32) for key, shape in shapes.items()}
    with torch.no_grad():
        calls = [
            module(*(torch.from_numpy(value[first : first + together]).double() for value in feed.values()))
            for first in range(0, EVENTS, together)
        ]
    found = [one if isinstance(one, tuple) else (one,) for one in calls]
    exact = {key: np.concatenate([one[place].numpy() for one in found]) for place, key in enumerate(outputs)}
    limit = {key: np.full(value.shape, 2e-6) for key, value in exact.items()}
    return Golden((together,) * len(calls), ("uniform over the domain",) * EVENTS, feed, exact, limit)


@pytest.fixture(scope="module")
def library():
    return want(first_library([Path(sys.executable)]), "ONNX Runtime has no library for C++ here")


@pytest.fixture(scope="module")
def jets():
    return made_of("jets")


def compiler(name="g++"):
    return want(shutil.which(name), f"there is no {name}")


@pytest.mark.parametrize(
    ("name", "generation"),
    [
        ("jets", "into"),
        ("particles", "allocating"),
        *(
            pytest.param(*pair, marks=pytest.mark.long)
            for pair in (("jets", "allocating"), ("particles", "into"), ("ranked", "into"), ("ghosts", "allocating"))
        ),
    ],
)
def test_the_right_file_passes_in_both_generations(name, generation, library):
    made = made_of(name, generation)
    assert try_package(made, package(made), compiler(), library) == {"events": EVENTS, "runtime": library.version}


def test_it_compiles_without_a_warning_of_the_other_compiler(jets, library):
    assert try_package(jets, package(jets), compiler("clang++"), library)["events"] == EVENTS


@pytest.mark.long
def test_the_oldest_series_whose_run_takes_no_shapes(monkeypatch, library):
    before = cmssw.compile_flags
    monkeypatch.setattr(cmssw, "compile_flags", lambda *args: [*before(*args), "-DTORCHSHIP_NO_INPUT_SHAPES"])
    made = made_of("jets", "allocating")
    assert try_package(made, package(made), compiler(), library)["events"] == EVENTS
    made = made_of("particles", "allocating")
    with pytest.raises(DeliveryError, match="this series of CMSSW takes no shapes of inputs"):
        try_package(made, package(made), compiler(), library)


class Built:
    """A package whose golden test is compiled once, and asked about other files."""

    def __init__(self, made, folder, library, *flags):
        self.folder, self.package = folder, folder / made.package
        for path, text in package(made).items():
            place = self.package / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        (self.package / cmssw.MODEL).parent.mkdir()
        (self.package / cmssw.MODEL).write_bytes(made.content)
        (folder / "libonnxruntime.so.1").symlink_to(library.path)
        self.command = [compiler(), *cmssw.compile_flags(folder, made.target.generation), *flags]

    def compile(self, source, name):
        link = [f"{self.folder}/libonnxruntime.so.1", f"-Wl,-rpath,{self.folder}", "-pthread", "-o", self.folder / name]
        done = subprocess.run([*self.command, source, *link], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return self.folder / name

    def run(self, program, *arguments):
        environment = {**os.environ, "TORCHSHIP_STANDIN_PATH": str(self.folder)}
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def built(jets, library, tmp_path_factory):
    made = Built(jets, tmp_path_factory.mktemp("cmssw"), library)
    return made, made.compile(made.package / "test/testGolden.cc", "golden")


def test_the_file_is_found_where_the_package_puts_it(built):
    done = built[0].run(built[1])
    assert json.loads(done.stdout)["events"] == EVENTS
    assert (done.returncode, done.stderr) == (0, "")


def test_one_byte_of_the_file_changed_anywhere_is_red(built, jets, tmp_path):
    places = np.random.default_rng(0).choice(len(jets.content), 60, replace=False)
    for place in places:
        changed = bytearray(jets.content)
        changed[place] ^= 1 << int(place) % 8
        (tmp_path / "model.onnx").write_bytes(changed)
        done = built[0].run(built[1], tmp_path / "model.onnx")
        assert done.returncode == 1, place
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1, done.stderr


OTHERS = {
    "classes": ({"outputs": {"class_score": {"shape": ["batch", 2], "features": ["rest", "signal"]}, "class-score": {"shape": ["batch", 1]}}},
                'its outputs is .*"rest", "signal".*made for .*"signal", "rest"'),
    "working point": ({"working_point": 0.7}, "its working_point is 0.7, this code was made for 0.5"),
}  # fmt: skip


@pytest.mark.parametrize("change", OTHERS)
def test_another_order_of_classes_or_working_point_is_red_and_says_which(built, tmp_path, change):
    changes, message = OTHERS[change]
    (tmp_path / "model.onnx").write_bytes(made_of("jets", **changes).content)
    done = built[0].run(built[1], tmp_path / "model.onnx")
    assert done.returncode == 1
    assert re.search(message, done.stderr), done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "model.onnx is another model's: its flat_lengths is missing"),
        (b"\xff" * 40, "this is no ONNX file, or a damaged one"),
        (b"\x0a\xff\xff\x03short", "the file ends too early"),
        (None, "model.onnx cannot be read"),
    ],
    ids=["empty", "noise", "cut", "missing"],
)
def test_what_is_no_file_of_onnx_is_told_in_one_line(built, tmp_path, content, message):
    if content is not None:
        (tmp_path / "model.onnx").write_bytes(content)
    done = built[0].run(built[1], tmp_path / "model.onnx")
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_golden_outputs_that_are_exchanged_are_red(jets, library):
    exact = {"class_score": jets.golden.exact["class_score"][:, ::-1], "class-score": jets.golden.exact["class-score"]}
    made = replace(jets, golden=replace(jets.golden, exact=exact))
    with pytest.raises(
        DeliveryError,
        match=r"at once: event 0 \(uniform over the domain\), output class_score\[0\]: .* \(and \d+ more\)",
    ):
        try_package(made, package(made), compiler(), library)


def test_weights_that_are_right_but_for_one_are_red(jets, library):
    proto = onnx.load_from_string(jets.content)
    weight = next(
        tensor for tensor in proto.graph.initializer if list(tensor.dims) == [2, 6] or list(tensor.dims) == [6, 2]
    )
    values = onnx.numpy_helper.to_array(weight).copy()
    values[0, 0] += 1e-3
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    made = replace(jets, content=proto.SerializeToString())
    with pytest.raises(DeliveryError, match=r"the golden test for CMSSW: at once: event \d+"):
        try_package(made, package(made), compiler(), library)


# Each stream has a producer of its own; all have one cache.
STREAMS = """
#include "{package}/plugins/ScoreProducer.cc"

#include <any>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace golden = torchship_jets::golden;

int main(int, char** argv) {{
  edm::ConfigurationDescriptions descriptions;
  PluginOfThisFile::fillDescriptions(descriptions);
  const auto& config = descriptions.last.defaults;
  const auto cache = PluginOfThisFile::initializeGlobalCache(config);
  const std::size_t streams = static_cast<std::size_t>(std::atoi(argv[1]));
  std::vector<std::vector<std::vector<float>>> found(streams);
  std::vector<std::thread> threads;
  for (std::size_t stream = 0; stream < streams; ++stream)
    threads.emplace_back([&, stream] {{
      PluginOfThisFile producer(config, cache.get());
      producer.share(cache.get());
      for (int repeat = 0; repeat < 50; ++repeat) {{
        edm::Event event;
        event.products["features:jet"] = golden::inputs[0];
        event.products["features:track"] = golden::inputs[1];
        producer.produce(event, edm::EventSetup());
        for (const char* name : {{"classscore", "classscore0x"}})
          found[stream].push_back(std::any_cast<std::vector<float>>(event.products.at(name)));
      }}
    }});
  for (auto& thread : threads) thread.join();
  PluginOfThisFile::globalEndJob(cache.get());
  for (const auto& mine : found)
    for (const auto& values : mine)
      for (const float value : values) std::printf("%a ", static_cast<double>(value));
  return 0;
}}
"""


@pytest.mark.parametrize(
    "sanitizer", ["", *(pytest.param(name, marks=pytest.mark.long) for name in ("address,undefined", "thread"))]
)
def test_eight_streams_at_once_give_the_bits_of_one(jets, library, tmp_path, sanitizer):
    flags = ["-g", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all"] if sanitizer else []
    made = Built(jets, tmp_path, library, *flags)
    (tmp_path / "streams.cc").write_text(
        f'#include "{jets.package}/test/golden.h"\n' + STREAMS.format(package=jets.package)
    )
    program = made.compile(tmp_path / "streams.cc", "streams")
    one, eight = (made.run(program, count) for count in ("1", "8"))
    assert (one.returncode, one.stderr, eight.returncode, eight.stderr) == (0, "", 0, "")
    assert eight.stdout == one.stdout * 8
    found = np.array([float.fromhex(text) for text in one.stdout.split()]).reshape(50, -1)
    exact = np.concatenate([value.ravel() for value in jets.golden.exact.values()])
    assert np.abs(found - exact).max() < 2e-6


SIZES = """
#include "{package}/plugins/ScoreProducer.cc"
#include <cstdio>

int main() {{
  edm::ConfigurationDescriptions descriptions;
  PluginOfThisFile::fillDescriptions(descriptions);
  const auto cache = PluginOfThisFile::initializeGlobalCache(descriptions.last.defaults);
  PluginOfThisFile producer(descriptions.last.defaults, cache.get());
  producer.share(cache.get());
  for (const int size : {{2, 7, 1, -1}}) try {{
    edm::Event event;
    event.products["features:particles"] = std::vector<float>(static_cast<std::size_t>(3 * 2 * std::max(size, 0)));
    event.products["features:particles0x"] = size;
    producer.produce(event, edm::EventSetup());
    std::printf("%zu\\n", std::any_cast<std::vector<float>>(event.products.at("y")).size());
  }} catch (const std::exception& error) {{
    std::printf("%s\\n", error.what());
  }}
}}
"""


@pytest.mark.long
def test_three_candidates_of_several_sizes(library, tmp_path):
    particles = made_of("particles", "allocating")
    made = Built(particles, tmp_path, library, "-O0")
    (tmp_path / "sizes.cc").write_text("#include <algorithm>\n" + SIZES.format(package=particles.package))
    said = made.run(made.compile(tmp_path / "sizes.cc", "sizes")).stdout.splitlines()
    assert said == ["9", "9", "9", "Particles_ScoreProducer: an axis has the size -1"]


@pytest.mark.long
def test_a_batch_that_the_network_does_not_take_is_told(library, tmp_path):
    ghosts = made_of("ghosts")
    made = Built(ghosts, tmp_path, library, "-O0")
    program = f'''
#include "{ghosts.package}/interface/Model.h"
#include <cstdio>

int main(int, char** argv) {{
  const torchship_ghosts::Model model(argv[1]);
  for (const std::int64_t events : {{0, 3, 4, 33}}) try {{
    cms::Ort::FloatArrays values{{std::vector<float>(static_cast<std::size_t>(2 * events))}};
    std::printf("%zu\\n", model.run(values, events).at(0).size());
  }} catch (const std::exception& error) {{
    std::printf("%s\\n", error.what());
  }}
}}
'''
    (tmp_path / "batches.cc").write_text(program)
    done = made.run(made.compile(tmp_path / "batches.cc", "batches"), made.package / cmssw.MODEL)
    assert done.stdout.splitlines() == [
        *["0", "3"],
        *[f"Model: {events} events: the file takes at least 3, at most 30, multiples of 3" for events in (4, 33)],
    ]


LENGTHS = """
#include "{package}/plugins/ScoreProducer.cc"
#include <cstdio>

int main() try {{
  edm::ConfigurationDescriptions descriptions;
  PluginOfThisFile::fillDescriptions(descriptions);
  const auto cache = PluginOfThisFile::initializeGlobalCache(descriptions.last.defaults);
  PluginOfThisFile producer(descriptions.last.defaults, cache.get());
  producer.share(cache.get());
  edm::Event event;
  event.products["features:jet"] = std::vector<float>({jets});
  event.products["features:track"] = std::vector<float>({tracks});
  producer.produce(event, edm::EventSetup());
  std::printf("%zu\\n", std::any_cast<std::vector<float>>(event.products.at("classscore")).size());
}} catch (const std::exception& error) {{
  std::printf("%s\\n", error.what());
}}
"""


@pytest.mark.parametrize(
    ("jet_numbers", "track_numbers", "said"),
    [
        (0, 0, "0"),
        (6, 4, "4"),
        (6, 3, "Jets_ScoreProducer: input track has 3 numbers, 2 candidates have 4"),
        (7, 4, "Jets_ScoreProducer: input jet has 7 numbers, 2 candidates have 6"),
    ],
)
def test_numbers_that_do_not_fit_are_told(jets, library, tmp_path, jet_numbers, track_numbers, said):
    made = Built(jets, tmp_path, library, "-O0")
    text = LENGTHS.format(package=jets.package, jets=jet_numbers, tracks=track_numbers)
    (tmp_path / "lengths.cc").write_text(text)
    assert made.run(made.compile(tmp_path / "lengths.cc", "lengths")).stdout == f"{said}\n"


def test_the_page_says_what_goes_in_what_was_tried_and_what_was_not(jets):
    text = page(jets, {"runtime": "1.32.0", "events": EVENTS})
    assert "| 1 | eta |" in text
    assert "- `classscore`: class_score [batch, 2]: signal, rest" in text
    assert "its golden test passed" in text
    assert "It was not built in CMSSW itself" in text
    assert "**`size_particles`**: an `int`" in page(made_of("particles"), None, "no C++ compiler")
    assert "There was no C++ compiler, so that" in page(jets, None, "no C++ compiler")


def test_names_that_others_would_trip_over(library):
    """Letters and digits alone are left of a product's name; each is there once."""
    made = made_of("jets", outputs={"µ+/\u00e9?": {"shape": ["batch", 2]}, "a\tb": {"shape": ["batch", 1]}})
    assert [port.instance for port in ports(made.outputs, [])] == ["0x", "ab"]
    assert try_package(made, package(made), compiler(), library)["events"] == EVENTS
    both = ports({"a-b": made.inputs["jet"], "a_b": made.inputs["jet"]}, [])
    assert [(port.parameter, port.instance) for port in both] == [("input_a_b", "ab"), ("input_a_b0x", "ab0x")]
    taken = [port.instance for port in ports(dict.fromkeys(["b2x", "b", "b-", "b0x"], made.inputs["jet"]), [])]
    assert len(set(taken)) == 4
    assert [one["instance"] for one in axis_names(["pf_1", "pf1", "b"], ["b"])] == ["pf1", "pf10x", "b0x"]


def test_runs_of_similar_names_have_plugins_of_their_own(jets):
    assert len({replace(jets, run=run).plugin for run in ("tag1b", "tag1_b", "tag_1b", "tag_1_b")}) == 4


def test_the_configuration_is_python(jets):
    compile(package(jets)["test/scores_cfg.py"], "scores_cfg.py", "exec")
