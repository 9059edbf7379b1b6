"""The bill of materials of a model, as CycloneDX has it (https://cyclonedx.org): model, files, data sets, packages."""

from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from torchship.data.documents import Datasheet
from torchship.deliver.passed import Passed
from torchship.export.documents import ExportDocument
from torchship.spec.model import Model

# What was learnt, in a model's folder: weights beside a network, or a file from elsewhere.
WEIGHTS, GIVEN = "weights.safetensors", "model.onnx"


def bill(
    model: Model,
    exports: Mapping[str, ExportDocument],
    passed: Mapping[str, Passed],
    datasheet: Datasheet | None,
    packages: Mapping[str, str],
) -> str:
    """Return the bill in JSON, the same each time: its number follows from the model, and it has no date.

    Args:
        exports, passed: by target.
        packages: what the steps' environments pin, by name.
    """
    main = Component(
        name=model.run,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{model.run}",
        # One hash of a kind is all that a component has: of what was learnt. The others are properties.
        hashes=[sha256(model.files[name]) for name in (WEIGHTS, GIVEN) if name in model.files],
        properties=[Property(name=f"torchship:sha256:{name}", value=digest) for name, digest in model.files.items()],
    )
    said = [*sorted(model.files.values()), *(document["sha256"] for document in exports.values())]
    said += [f"{name}=={version}" for name, version in sorted(packages.items())]
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, "/".join([model.run, *said])))
    bom.metadata.component = main
    # Without a date, which its type does not foresee, though the schema does.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    parts = [
        Component(
            name=f"{model.run} for {target}",
            type=ComponentType.FILE,
            bom_ref=f"file:{target}",
            hashes=[sha256(document["sha256"])],
            properties=[
                Property(name="torchship:verdict", value=passed[target]["verdict"]),
                Property(name="torchship:onnxruntime", value=passed[target]["runtime"]),
            ],
        )
        for target, document in exports.items()
    ]
    if datasheet is not None:
        parts += [
            Component(
                name=f"{datasheet['source']}, {name} set",
                type=ComponentType.DATA,
                bom_ref=f"data:{name}",
                hashes=[sha256(entry["sha256"])],
            )
            for name, entry in datasheet["sets"].items()
        ]
    libraries = [
        Component(
            name=name,
            version=version,
            type=ComponentType.LIBRARY,
            bom_ref=f"package:{name}",
            purl=PackageURL("pypi", None, name.lower().replace("_", "-"), version),
        )
        for name, version in packages.items()
    ]
    for part in [*parts, *libraries]:
        bom.components.add(part)
    bom.register_dependency(main, [*parts, *libraries])
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"


def sha256(digest: str) -> HashType:
    """Return a checksum as a bill has it."""
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)
