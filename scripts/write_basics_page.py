"""Write the page of the basic facts."""

from pathlib import Path

from torchship.core.step import step

from torchship.core.files import read_json, write_text
from torchship.pages.html import Verdict, heading, page, paragraph, table

TOPICS = {"tensors": "Tensors", "devices": "Devices", "autograd": "Automatic differentiation"}


def write_basics_page(topics: dict[str, Path], output: Path) -> None:
    body = [paragraph("Each statement was computed and checked by this run.")]
    for topic, title in TOPICS.items():
        document = read_json(topics[topic])
        rows = [
            [fact["statement"], fact["code"], fact["found"], Verdict("yes" if fact["holds"] else "no")]
            for fact in document["facts"]
        ]
        body += [heading(title), table(["Statement", "Code", "Gives", "Holds"], rows)]
        for device in document.get("devices", []):
            body.append(paragraph("Device: " + ", ".join(f"{key} {value}" for key, value in device.items()), "note"))
    write_text(output, page("Tensors, devices, gradients", body))


if __name__ == "__main__":
    with step() as snakemake:
        write_basics_page({topic: Path(snakemake.input[topic]) for topic in TOPICS}, Path(snakemake.output.page))
