"""Plot the device benchmark: the two products against N, with the limits that were measured on the same device."""

from pathlib import Path

from torchship.core.step import step

from torchship.pages.plotting import figure, read_rows
from torchship.spec.section import Plots


def plot_device(table: Path, limits: Path, svg: Path, png: Path, *, style: Plots) -> None:
    rows = read_rows(table)
    ceilings = {row["device"]: row for row in read_rows(limits)}
    colors = iter(style["colors"])
    with figure(svg, png, style, size=(6.8, 4.6)) as axes:
        for device, ceiling in ceilings.items():
            for operation, marker in (("elementwise", "o"), ("matrix product", "s")):
                color = next(colors)
                selected = [row for row in rows if (row["device"], row["operation"]) == (device, operation)]
                sizes = [int(row["n"]) for row in selected]
                seconds, floor = ([float(row[key]) for row in selected] for key in ("seconds", "floor_seconds"))
                axes.loglog(sizes, seconds, color=color, marker=marker, markersize=4, label=f"{device}, {operation}")
                unit, key = (
                    ("GB/s", "bytes_per_second") if operation == "elementwise" else ("GFLOP/s", "flop_per_second")
                )
                limit = f"limit at {float(ceiling[key]) / 1e9:.3g} {unit}"
                axes.loglog(sizes, floor, color=color, linestyle=":", linewidth=1.2, label=limit)
        axes.set(xlabel="N", ylabel="seconds a call, median")
        axes.set_title("N × N float32; dotted: what memory bandwidth and FLOP rate allow", fontsize=9, loc="left")
        axes.legend(fontsize=8)


if __name__ == "__main__":
    with step() as snakemake:
        plot_device(
            Path(snakemake.input.table),
            Path(snakemake.input.limits),
            Path(snakemake.output.svg),
            Path(snakemake.output.png),
            style=snakemake.params.style,
        )
