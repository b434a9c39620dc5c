"""Figures as data: panels of series, written as one SVG and one CSV, and handed to Plotly for the page."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, NullLocator

from st3d.formats.atomic import atomic

COLOURS = ("#1f5fa8", "#d1662a", "#2f8f6b", "#8a4fa3", "#b8922a", "#3aa0b8", "#b43a52", "#6b7280", "#4c6b1f", "#c77daa")
PUBLISHED = ("#8b93a0", "#b9c0ca")  # of published numbers
INK, GRID = "#1f2733", "#e3e7ec"
PANEL = (3.6, 2.8)  # inches
LEFT, RIGHT, BOTTOM, TOP = 0.62, 0.1, 0.5, 0.3  # inches around a panel's axes; a layout engine takes half of the time
BINS = 12  # bars of a histogram
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "st3d",  # the same bytes on every run
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name with two dollar signs is no formula
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": "#aab1bb",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}

Style = Literal["line", "dashes", "points", "dots", "marks", "bars", "histogram"]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line, one set of bars, or one histogram.

    Attributes
    ----------
    name
        For the legend; series of one name have one entry.
    x, y
        The points; of a histogram `x` are the counted values and `y` is empty.
    colour
        CSS.
    style
        line, dashes, points (a line through marked points), dots (the same, dotted), marks (points alone), bars or
        histogram.
    """

    name: str
    x: Sequence[Any]
    y: Sequence[float]
    colour: str
    style: Style = "line"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Series with common axes.

    Attributes
    ----------
    title, x, y
        Texts; axes with their units.
    series
        In the order of the legend.
    logarithmic
        Axes on a logarithmic scale: "", "x", "y" or "xy".
    range
        Of y, or None.
    line
        Place on the x axis and text of a vertical line, or None.
    """

    title: str
    x: str
    y: str
    series: Sequence[Series]
    logarithmic: str = ""
    range: tuple[float, float] | None = None
    line: tuple[float, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Panels that belong together.

    Attributes
    ----------
    name
        Of its files.
    title, caption
        What it shows.
    panels
        One or more.
    """

    name: str
    title: str
    caption: str
    panels: Sequence[Panel]


def rows(figure: Figure) -> pd.DataFrame:
    """All points of a figure.

    Parameters
    ----------
    figure
        The figure.

    Returns
    -------
    DataFrame with columns panel, series, x, y; y is empty of a histogram, whose values are x
    """
    parts = []
    for panel in figure.panels:
        for each in panel.series:
            y = each.y if each.style != "histogram" else [None] * len(each.x)
            parts.append(pd.DataFrame({"panel": panel.title, "series": each.name, "x": list(each.x), "y": list(y)}))
    return pd.concat(parts, ignore_index=True)


def write(figure: Figure, folder: Path) -> None:
    """Write a figure as <name>.svg and its points as <name>.csv.

    Parameters
    ----------
    figure
        The figure.
    folder
        Where.
    """
    with atomic(folder / f"{figure.name}.csv") as path:
        rows(figure).to_csv(path, index=False, lineterminator="\n")
    with atomic(folder / f"{figure.name}.svg") as path:
        path.write_text(_svg(figure))


def _svg(figure: Figure) -> str:
    columns = min(3, len(figure.panels))
    lines = -(-len(figure.panels) // columns)
    text = io.StringIO()
    with mpl.rc_context(STYLE):
        width, height = PANEL[0] * columns, PANEL[1] * lines
        canvas = Canvas(figsize=(width, height))
        for number, panel in enumerate(figure.panels):
            line, column = divmod(number, columns)
            low = (PANEL[1] * (lines - 1 - line) + BOTTOM) / height
            size = ((PANEL[0] - LEFT - RIGHT) / width, (PANEL[1] - BOTTOM - TOP) / height)
            _draw(canvas.add_axes(((PANEL[0] * column + LEFT) / width, low, *size)), panel)
        canvas.savefig(text, format="svg", metadata={"Date": None, "Title": figure.title})
    return text.getvalue()


def _draw(place: Any, panel: Panel) -> None:
    """A panel with matplotlib."""
    bars = [each for each in panel.series if each.style == "bars"]
    histograms = [each for each in panel.series if each.style == "histogram"]
    for number, each in enumerate(bars):
        at = np.arange(len(each.x)) + (number - (len(bars) - 1) / 2) * 0.8 / len(bars)
        place.bar(at, each.y, 0.8 / len(bars), color=each.colour, label=each.name)
    if bars:
        names = [textwrap.fill(str(name).replace("_", " "), 12) for name in bars[0].x]
        place.set_xticks(range(len(names)), names, fontsize=7.5)
        place.grid(False, axis="x")
    if histograms:
        edges = bins(histograms)
        colours, names = [each.colour for each in histograms], [each.name for each in histograms]
        place.hist([each.x for each in histograms], edges, stacked=True, color=colours, label=names)
        place.yaxis.get_major_locator().set_params(integer=True)
    styles = {"line": "-", "dashes": "--", "points": "o-", "dots": "o:", "marks": "o"}
    for each in panel.series:
        if each.style in styles:
            kept = {"markersize": 5 if each.style == "marks" else 3.5, "linewidth": 1.5}
            place.plot(each.x, each.y, styles[each.style], color=each.colour, label=each.name, **kept)
    if panel.line:
        place.axvline(panel.line[0], color=INK, linewidth=1, linestyle="--", label=panel.line[1])
    place.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
    _scale(place, panel)
    if panel.range:
        place.set_ylim(panel.range)
    handles, names = place.get_legend_handles_labels()
    one = dict(zip(names, handles, strict=True))
    place.legend(one.values(), one.keys())


def _scale(place: Any, panel: Panel) -> None:
    """Logarithmic axes of a panel, with plain numbers at their ticks."""
    if "x" in panel.logarithmic:
        place.set_xscale("log")
        values = ticks(panel.series)
        place.set_xticks(values, [f"{value:g}" for value in values])
        place.xaxis.set_minor_locator(NullLocator())
    if "y" in panel.logarithmic:
        place.set_yscale("log")
        place.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
        place.yaxis.set_major_formatter("{x:g}")
        place.yaxis.set_minor_locator(NullLocator())


def ticks(series: Sequence[Series]) -> list[float]:
    """Ticks of a logarithmic x axis: values that occur, for their labels' sake each three times the last or more.

    Parameters
    ----------
    series
        Of a panel, x above 0.

    Returns
    -------
    Ascending
    """
    found: list[float] = []
    for value in sorted({float(value) for each in series for value in each.x}):
        if not found or value >= 3 * found[-1]:
            found.append(value)
    return found


def bins(histograms: Sequence[Series]) -> np.ndarray:
    """The edges of the bars of histograms in one panel.

    Parameters
    ----------
    histograms
        Their values; one or more in all.

    Returns
    -------
    (BINS + 1,) float, ascending
    """
    values = np.concatenate([np.asarray(each.x, float) for each in histograms])
    low, high = float(values.min()), float(values.max())
    return np.linspace(low, high if high > low else low + 1, BINS + 1)
