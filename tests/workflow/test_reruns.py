"""What a change reruns: exactly what uses it, and nothing else."""

import os
import re
import shutil

import pytest
from driver import rules_in

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("finished")]

TRAINING = {
    "train_network", "select_model", "plot_training", "evaluate_network", "evaluate_surface", "plot_surface", "extract_weights",
    "generate_code", "check_code", "translate_network", "export_onnx", "make_cases", "validate_target", "write_summary",
    "plot_errors", "write_gate_page", "benchmark_engines", "plot_benchmark", "pack_archive", "pack_timings", "check_archives",
    "deliver_header", "deliver_cmssw", "deliver_card",
}  # fmt: skip
DELIVERY = {"deliver_header", "deliver_cmssw", "deliver_card"}
PLOTS = {"plot_training", "plot_benchmark", "plot_device", "plot_surface", "plot_errors"}
PACKING = {"pack_archive", "pack_timings", "check_archives"}


def test_every_stage_left_its_results(finished):
    for name in (
        "xor/deliver/card/card.html", "xor/deliver/cpp/tried.json", "xor/deliver/cmssw/cmssw_14_2/tried.json",
        "basics/facts.html", "basics/device.svg", "xor/data/datasheet.json", "xor/model/model.json",
        "xor/train/loss.svg", "xor/evaluate/metrics.json", "xor/extract/reference.hpp", "xor/export/cmssw_14_2/model.onnx",
        "xor/validate/cmssw_14_2/validation.json", "xor/validate/gate.html", "xor/benchmark/engines.csv", "xor/summary.html",
        "archive/torchship.tar.gz", "archive/torchship-timings.tar.gz.sha256", "archive/verified.json",
    ):  # fmt: skip
        assert finished.path(name).stat().st_size > 0, name


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.run("all")


def test_touch_reruns_nothing(copy_of_finished):
    for name in ("scripts/torchship/training/loop.py", "models/xor.py", "envs/torch.yaml", "scripts/train_network.py"):
        os.utime(copy_of_finished.project / name)
    assert copy_of_finished.planned() == set()


@pytest.mark.parametrize(
    ("knob", "expected"),
    [
        ("train={epochs: 301}", TRAINING),
        ("plots={dpi: 151}", PLOTS | {"write_gate_page"} | PACKING),
        (
            "validate={tolerance: 0.9}",
            {"validate_target", "plot_errors", "write_gate_page", "write_summary", "pack_archive", "check_archives"}
            | DELIVERY,
        ),
        ("basics={min_seconds: 0.02}", {"benchmark_device", "plot_device"} | PACKING),
        ("deliver={subsystem: Mine}", {"deliver_cmssw", "deliver_card", "pack_archive", "check_archives"}),
        ("archive={name: other}", PACKING),
        ("watch={log_every: 26}", set()),
    ],
)
def test_a_changed_knob_reruns_what_uses_it(finished, knob, expected):
    planned = finished.planned("--config", knob)
    assert planned == expected


@pytest.mark.parametrize(
    ("knobs", "exported"),
    [
        (
            ["export={targets: [latest, cmssw_14_2, cmssw_15_0, cmssw_dev]}",
             "targets={cmssw_14_2: {ir: 8}, cmssw_15_0: {opset: 20}}"],
            ["cmssw_14_2", "cmssw_15_0", "cmssw_dev"],
        ),
        (["export={input_shapes: true}"], ["cmssw_14_2", "cmssw_15_0", "latest"]),
    ],
)  # fmt: skip
def test_a_changed_target_exports_it_and_translates_nothing_anew(finished, knobs, exported):
    text = finished.run("--dry-run", "--config", *knobs)
    assert set(rules_in(text)).isdisjoint({"train_network", "translate_network"})
    found = re.findall(r"^rule export_onnx:.*?wildcards: run=xor, target=(\w+)", text, re.MULTILINE | re.DOTALL)
    assert sorted(found) == exported


def test_an_operator_set_that_is_not_there_is_translated(finished):
    assert "translate_network" in finished.planned("--config", "export={opset: 18}")


def test_a_compiler_that_was_not_there_checks_and_times_the_header(finished, compiler, tmp_path, monkeypatch):
    for name in ("bash", "which"):
        (tmp_path / name).symlink_to(shutil.which(name))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    text = finished.run("all", "--dry-run")
    changed = r"^rule (\w+):\n(?:    .*\n)*?    reason: Params have changed"
    assert re.findall(changed, text, re.MULTILINE) == ["check_code"]
    assert "benchmark_engines" in rules_in(text)


@pytest.mark.parametrize(
    ("module", "direct"),
    [
        ("benchmark/timing", {"benchmark_engines"}),
        ("codegen/to_cpp", {"generate_code"}),
        # The gate writes the pages of failures itself, of witnesses first; the other pages of a run wait for it.
        ("pages/html", {"write_basics_page", "make_cases"}),
        ("export/torch_export", {"translate_network"}),
        ("export/origins", {"translate_network"}),
        ("pages/plotting", PLOTS),
    ],
)
def test_an_edited_module_reruns_its_users(copy_of_finished, module, direct):
    path = copy_of_finished.project / "scripts" / "torchship" / f"{module}.py"
    path.write_text(path.read_text() + "\n# edited\n")
    text = copy_of_finished.run("--dry-run")
    jobs = re.findall(r"^(?:local)?rule (\w+):\n(.*?)\n\[", text, re.MULTILINE | re.DOTALL)
    triggered = {name for name, body in jobs if re.search(r"reason:.*[Pp]arams have changed", body)}
    assert triggered == direct
