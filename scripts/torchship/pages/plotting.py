"""How plots look, and how they are saved: the same numbers give the same bytes."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from torchship.core.errors import ConfigError
from torchship.core.files import replacing
from torchship.spec.section import Plots

STYLE = {
    "svg.hashsalt": "torchship",
    "svg.fonttype": "none",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


@contextmanager
def figure(svg: Path, png: Path, style: Plots, size: tuple[float, float] = (6.4, 4.2)) -> Iterator[Axes]:
    """Yield the axes of a new figure and save it in both formats; see `drawing`."""
    with drawing(svg, png, style, size) as drawn:
        yield drawn.add_subplot()


@contextmanager
def drawing(svg: Path, png: Path, style: Plots, size: tuple[float, float]) -> Iterator[Figure]:
    """Yield a new figure and save it in both formats, without dates.

    Args:
        style: the section `plots` of the configuration.
        size: width and height in inches.
    """
    with mpl.rc_context():
        # A user's own matplotlibrc must not change the bytes.
        mpl.rcdefaults()
        settings: Any = {**STYLE, "axes.prop_cycle": cycler(color=style["colors"])}
        mpl.rcParams.update(settings)
        drawn = Figure(figsize=size)
        yield drawn
        with replacing(svg) as part:
            drawn.savefig(part, format="svg", metadata={"Date": None})
        with replacing(png) as part:
            drawn.savefig(part, format="png", dpi=style["dpi"])


def rows_and_columns(panels: int) -> tuple[int, int]:
    """Return how many rows and columns a figure of some panels has."""
    columns = min(panels, 2 if panels <= 4 else 3 if panels <= 9 else 4)
    return -(-panels // columns), columns


def lay_out(drawn: Figure, panels: int) -> list[Axes]:
    """Return the axes of some panels, row by row; the last takes what is left of its row."""
    rows, columns = rows_and_columns(panels)
    grid = drawn.add_gridspec(rows, columns)
    places = [grid[divmod(number, columns)] for number in range(panels - 1)]
    return [drawn.add_subplot(place) for place in [*places, grid[rows - 1, (panels - 1) % columns :]]]


def colormap(name: str) -> str:
    """Return a colour map's name if matplotlib has it.

    Raises:
        ConfigError: it has not.
    """
    if name not in mpl.colormaps:
        raise ConfigError(f"plots/colormap is {name!r}: matplotlib {mpl.__version__} has none of that name, try RdBu_r")
    return name


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file as one mapping a row."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
