"""Plot latency and throughput of every engine against the batch size."""

from pathlib import Path

from torchship.core.step import step

from torchship.pages.plotting import figure, read_rows
from torchship.spec.section import Plots


def plot_benchmark(table: Path, outputs: dict[str, Path], *, style: Plots) -> None:
    rows = read_rows(table)
    engines = sorted({row["engine"] for row in rows})
    for quantity in ("latency", "throughput"):
        with figure(outputs[f"{quantity}_svg"], outputs[f"{quantity}_png"], style) as axes:
            for engine, color, marker in zip(engines, style["colors"], "osD^", strict=False):
                medians = [row for row in rows if row["engine"] == engine and row["quantile"] == "median"]
                tails = [row for row in rows if row["engine"] == engine and row["quantile"] == "p90"]
                batches = [int(row["batch"]) for row in medians]
                if quantity == "throughput":
                    values = [float(row["events_per_second"]) for row in medians]
                else:
                    values = [float(row["seconds_per_call"]) for row in medians]
                    upper = [float(row["seconds_per_call"]) for row in tails]
                    axes.fill_between(batches, values, upper, color=color, alpha=0.2, linewidth=0)
                axes.loglog(batches, values, color=color, marker=marker, markersize=4, label=engine)
            label = "events a second" if quantity == "throughput" else "seconds a call, median (band: to p90)"
            axes.set(xlabel="batch size [events]", ylabel=label)
            axes.legend(fontsize=8)


if __name__ == "__main__":
    with step() as snakemake:
        plot_benchmark(
            Path(snakemake.input.table),
            {name: Path(path) for name, path in snakemake.output.items()},
            style=snakemake.params.style,
        )
