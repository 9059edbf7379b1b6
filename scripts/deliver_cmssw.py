"""Deliver a validated file as a package for CMSSW, compiled against stand-ins, its golden test run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torchship.core.step import log, step

from torchship.codegen.compilers import compiler
from torchship.core.files import read_json, replacing, write_json, write_text
from torchship.deliver.cmssw import FILES, Delivery, package, page, try_package
from torchship.deliver.golden import read_golden
from torchship.deliver.passed import require_passed
from torchship.runtimes.libraries import first_library
from torchship.spec.axes import read_axes
from torchship.spec.model import Model, read_model
from torchship.spec.target import Target, read_target


def deliver_cmssw(
    files: Mapping[str, Path],
    runtimes: Sequence[Path],
    outputs: Mapping[str, Path],
    *,
    shipped: Model,
    target: Target,
    knobs: Mapping[str, object],
) -> None:
    model = shipped.with_knobs(dict(knobs))
    passed = require_passed(files["validation"], files["file"])
    made = Delivery(
        run=shipped.run,
        package=f"{model['deliver']['subsystem']}/{shipped.run}",
        inputs=model["inputs"],
        outputs=model["outputs"],
        working_point=model["evaluate"]["threshold"],
        target=target,
        exported=read_json(files["exported"]),
        content=files["file"].read_bytes(),
        golden=read_golden(files["cases"], model["inputs"], model["outputs"], read_axes(model)),
        passed=passed,
        axes=read_axes(model),
    )
    texts, executable = package(made), compiler()
    library = first_library([Path(read_json(path)["python"]) for path in runtimes])
    lacking = "no C++ compiler" if not executable else "" if library else "no library of ONNX Runtime for C++"
    tried = try_package(made, texts, executable, library) if executable and library else None
    if tried is None:
        log.warning("there is %s here: the package was not compiled", lacking)
    else:
        log.info("%d golden events are right in ONNX Runtime %s", tried["events"], tried["runtime"])
    for name, (path, _) in FILES.items():
        write_text(outputs[name], texts[path])
    with replacing(outputs["model"]) as part:
        part.write_bytes(made.content)
    write_text(outputs["readme"], page(made, tried, lacking))
    write_json(outputs["tried"], {"sha256": passed["sha256"], "validation": passed, "golden": tried})


if __name__ == "__main__":
    with step() as snakemake:
        deliver_cmssw(
            {name: Path(path) for name, path in snakemake.input.items() if isinstance(path, str)},
            [Path(path) for path in snakemake.input.runtimes],
            {name: Path(path) for name, path in snakemake.output.items()},
            shipped=read_model(Path(snakemake.input.shipped)),
            target=read_target(snakemake.params.target),
            knobs=snakemake.params.knobs,
        )
