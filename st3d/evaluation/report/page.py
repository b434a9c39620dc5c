"""The page: a Jinja2 template with its style, its script and the libraries they need, all in one file."""

import base64
import importlib.resources
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from st3d.evaluation.report.paper_figures import label


def rendered(content: Mapping[str, Any]) -> str:
    """The page's text; every value is escaped.

    Parameters
    ----------
    content
        What the template names.

    Returns
    -------
    HTML that needs no other file and no network
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("st3d.evaluation.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"label": label, "rounded": rounded, "signed": signed}
    return environment.get_template("page.html.j2").render(content, **_assets())


def rounded(text: str) -> str:
    """A number of a CSV with three digits behind the point, or three that count if it is small.

    Examples
    --------
    >>> rounded("0.7625"), rounded("4000"), rounded("0.00021"), rounded("")
    ('0.762', '4000', '0.00021', '')
    """
    if not text:
        return ""
    value = float(text)
    if value.is_integer() and "." not in text:
        return text
    return f"{value:.3f}" if abs(value) >= 0.0095 or value == 0 else f"{value:.3g}"


def signed(value: float) -> str:
    """A difference with its sign, a true minus.

    Examples
    --------
    >>> signed(-0.0561), signed(0.5)
    ('−0.056', '+0.500')
    """
    return f"{value:+.3f}".replace("-", "−")


def uri(path: Path) -> str:
    """A file's content as an address.

    Parameters
    ----------
    path
        The file; its name's end says its type.

    Returns
    -------
    data:<type>;base64,...
    """
    kind = "text/csv" if path.suffix == ".csv" else mimetypes.guess_type(path.name)[0]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _assets() -> dict[str, Any]:
    """Style and script of the page and the libraries, as they are."""
    here, tables = importlib.resources.files("st3d.evaluation.report"), importlib.resources.files("itables") / "html"
    plotly = importlib.resources.files("plotly") / "package_data" / "plotly.min.js"
    bundle = base64.b64encode((tables / "dt_bundle.js").read_bytes()).decode()
    return {
        "style": markupsafe.Markup((here / "page.css").read_text()),  # noqa: S704 - our own file
        "script": markupsafe.Markup((here / "page.js").read_text()),  # noqa: S704
        "plotly": markupsafe.Markup(plotly.read_text(encoding="utf-8")),  # noqa: S704 - a library's file
        "datatables": f"data:text/javascript;base64,{bundle}",
        "datatables_style": markupsafe.Markup((tables / "dt_bundle.css").read_text(encoding="utf-8")),  # noqa: S704
    }
