"""Figures for Plotly, which draws them in the page: each panel with its traces and its layout."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from st3d.evaluation.report.figures import GRID, INK, Panel, Series, bins, ticks

LINES = {"line": "solid", "points": "solid", "dashes": "dash", "dots": "dot"}


def plot(panel: Panel) -> dict[str, Any]:
    """A panel as Plotly takes it.

    Parameters
    ----------
    panel
        The panel.

    Returns
    -------
    data and layout, of what JSON can hold
    """
    edges = bins([each for each in panel.series if each.style == "histogram"]) if _counts(panel.series) else None
    seen: set[str] = set()
    traces = []
    for each in panel.series:
        trace = {"name": html.escape(each.name), "legendgroup": each.name, "showlegend": each.name not in seen}
        traces.append(trace | _trace(each, edges))
        seen.add(each.name)
    return {"data": traces, "layout": _layout(panel)}


def _counts(series: Sequence[Series]) -> bool:
    return any(each.style == "histogram" for each in series)


def _trace(series: Series, edges: np.ndarray | None) -> dict[str, Any]:
    x, y = [_plain(value) for value in series.x], [_plain(value) for value in series.y]
    if series.style == "bars":
        names = [html.escape(str(name)).replace(" ", "<br>") for name in x]
        return {"type": "bar", "x": names, "y": y, "marker": {"color": series.colour}}
    if series.style == "histogram":
        assert edges is not None
        size = float(edges[1] - edges[0]) * (1 + 1e-9)  # so that the largest value lies in the last bin
        width = {"start": float(edges[0]), "end": float(edges[0]) + size * (len(edges) - 1), "size": size}
        marker = {"color": series.colour}
        return {"type": "histogram", "x": x, "xbins": width, "autobinx": False, "marker": marker}
    mode = {"points": "lines+markers", "dots": "lines+markers", "marks": "markers"}.get(series.style, "lines")
    trace: dict[str, Any] = {"type": "scatter", "x": x, "y": y, "mode": mode, "marker": {"color": series.colour}}
    if series.style == "marks":
        trace["marker"] |= {"size": 9, "line": {"color": "white", "width": 1.5}}
    else:
        trace["line"] = {"color": series.colour, "dash": LINES[series.style], "width": 2}
    return trace


def _layout(panel: Panel) -> dict[str, Any]:
    axis = {"gridcolor": GRID, "linecolor": "#aab1bb", "zeroline": False, "automargin": True, "fixedrange": True}
    axes = {
        name: axis | {"title": {"text": text, "standoff": 8}, "type": "log" if name[0] in panel.logarithmic else "-"}
        for name, text in (("xaxis", panel.x), ("yaxis", panel.y))
    }
    if "x" in panel.logarithmic:
        shown = ticks(panel.series)
        axes["xaxis"] |= {"tickmode": "array", "tickvals": shown, "ticktext": [f"{value:g}" for value in shown]}
    if _counts(panel.series):
        axes["yaxis"] |= {"tickformat": ",d", "nticks": 5}
    if panel.range:
        axes["yaxis"]["range"] = list(panel.range)
    layout: dict[str, Any] = {
        **axes,
        "barmode": "stack" if _counts(panel.series) else "group",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": INK},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "xanchor": "left", "font": {"size": 11}},
        "margin": {"l": 52, "r": 12, "t": 8, "b": 40},
        "hovermode": "closest",
    }
    if panel.line:
        place, text = panel.line
        line = {"color": INK, "width": 1.5, "dash": "dash"}
        layout["shapes"] = [{"type": "line", "x0": place, "x1": place, "yref": "paper", "y0": 0, "y1": 1, "line": line}]
        note = {"x": place, "y": 1, "yref": "paper", "text": text, "showarrow": False, "xanchor": "right"}
        layout["annotations"] = [note | {"font": {"size": 11}, "yanchor": "top", "xshift": -4}]
    return layout


def _plain(value: Any) -> Any:
    """A number of NumPy's as Python's; what is not finite as None, for JSON has no such number."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
