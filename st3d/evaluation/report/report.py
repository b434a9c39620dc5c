"""Stage `report`: one page of everything that was run, with the files that it shows."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from st3d.evaluation.columns import read_losses, read_table
from st3d.evaluation.methods import Method
from st3d.evaluation.report import comparison, curves, origin, paper_figures
from st3d.evaluation.report.categories import chosen, drawn
from st3d.evaluation.report.figures import Figure, write
from st3d.evaluation.report.interactive import plot
from st3d.evaluation.report.page import rendered, uri
from st3d.evaluation.report.scan_pictures import STOPS
from st3d.formats.atomic import atomic, read_json
from st3d.formats.folders import replaced

log = logging.getLogger("st3d")

UNITS = {  # of a map's values
    "3d_st": "norm of standardised descriptor differences",
    "voxel_gan": "distance of a voxel from its reconstruction",
    "voxel_ae": "distance of a voxel from its reconstruction",
    "voxel_vm": "Mahalanobis distance of a voxel, standard deviations",
    "depth_gan": "distance of a pixel from its reconstruction",
    "depth_ae": "distance of a pixel from its reconstruction",
    "depth_vm": "Mahalanobis distance of a pixel, standard deviations",
}

LOSSES = {  # their units
    "teacher": "Chamfer distance, squared scales",
    "pretrain_fcgf": "contrastive loss",
    "pretrain_ppf_foldnet": "Chamfer distance of features",
}


def report(
    *,
    tables: list[Path],
    variants: list[Path],
    methods: list[str],
    scores: list[Path],
    shown: str,
    method: Method,
    categories: list[str],
    dataset: Path,
    maps: Path,
    validation_maps: Path,
    curves_of: list[str],
    curve: list[Path],
    preset: str,
    settings: list[str],
    logs: list[Path],
    output: Path,
    code: str,
) -> None:
    """Write the report.

    Parameters
    ----------
    tables
        CSVs, as stage `tables` writes them; one where nothing was measured is left out.
    variants
        JSONs of all variants that were run, as stage `variant` writes them.
    methods
        Names of those among them whose PRO curves and AU-PRO over the limit are drawn.
    scores
        Their JSONs, as stage `score` writes them: those of all categories for the first method, and so on.
    shown
        The variant whose scans, losses and scores are shown.
    method
        Its method.
    categories
        Its categories.
    dataset
        Folder in MVTec 3D-AD's layout.
    maps
        Folder of its maps, of all categories, with their lists.
    validation_maps
        The same of the validation scans, which give the threshold.
    curves_of
        What was trained: teacher, and the categories of students.
    curve
        CSVs of losses, in the same order.
    preset
        Name of the set of sizes.
    settings
        The variant's settings, section.key=value.
    logs
        Logs of all jobs, or folders of them; a log ends with the job's time.
    output
        The page to write; its figures and scans' pictures are written beside it as SVG, CSV and PNG.
    code
        Fingerprint of the code; not kept, the page has that of the scores.

    Raises
    ------
    ValueError
        One line with the file that is missing or not what its flag says, or lists of flags that do not fit each other.
    """
    if len(scores) != len(methods) * len(categories):
        expected = f"{len(categories)} files for each of {len(methods)} methods"
        raise ValueError(f"--scores: expected {expected}, found {len(scores)}")
    if len(curve) != len(curves_of):
        raise ValueError(f"--curve: expected {len(curves_of)} files, one per name, found {len(curve)}")
    run = [read_json(path) for path in variants]
    contents = {path.stem: comparison.read(path) for path in tables}
    of_scans = [_scan_scores(name, maps, validation_maps) for name in categories]
    figures = _paper_figures(contents, run, methods)
    names = {each["variant"]: paper_figures.method_name(each) for each in run}
    figures += _curves([names.get(name, name) for name in methods], scores, categories)
    figures.append(curves.histograms(of_scans, UNITS[method]))
    figures += _losses(curves_of, curve, method, next((each for each in run if each["variant"] == shown), {}))
    with replaced(output.parent / "figures") as folder, replaced(output.parent / "scans") as pictures:
        parts = [_figure(each, folder) for each in figures]
        shown_categories = drawn(chosen(dataset, maps, categories), of_scans, UNITS[method], pictures)
    content = {
        "preset": preset, "shown": shown, "unit": UNITS[method], "categories": shown_categories,
        "simulated": origin.simulated(run), "datasets": sorted({each["dataset"] for each in run}), "run": run,
        "headline": _headline(contents), "scan_scores": of_scans, "figures": {each["name"]: each for each in parts},
        "tables": [
            {"table": table, "uri": uri(path)}
            for path in tables
            if (table := comparison.compare(path.stem, contents[path.stem]))
        ],
        "views": {each["name"]: each["view"] for each in shown_categories}, "stops": STOPS,
        "settings": origin.by_section(settings), "versions": origin.versions(), "machine": origin.machine(),
        "times": origin.times(logs),
    }  # fmt: skip
    with atomic(output) as partial:
        partial.write_text(rendered(content), encoding="utf-8")
        log.info("%s: %.1f MB", output, partial.stat().st_size / 1e6)


def _paper_figures(tables: Mapping[str, pd.DataFrame], run: Sequence[Mapping], methods: Sequence[str]) -> list[Figure]:
    """Figures 5, 6 and 7, those whose numbers were run."""
    measured = {name: bool((rows["code"] != "").any()) for name, rows in tables.items()}
    figures = []
    if compared := [each for name in methods for each in run if each["variant"] == name]:
        figures.append(paper_figures.figure5(compared))
    if measured.get("table3"):
        figures.append(paper_figures.figure6(tables["table3"]))
    if measured.get("table4"):
        figures.append(paper_figures.figure7(tables["table4"]))
    return figures


def _curves(methods: Sequence[str], scores: Sequence[Path], categories: Sequence[str]) -> list[Figure]:
    """The PRO curves of all methods; none without a method."""
    found: dict[str, dict[str, Any]] = {name: {} for name in categories}
    for number, path in enumerate(scores):
        found[categories[number % len(categories)]][methods[number // len(categories)]] = read_json(path)
    return [curves.pro_curves(found)] if methods else []


def _losses(names: Sequence[str], paths: Sequence[Path], method: str, variant: Mapping[str, Any]) -> list[Figure]:
    """The losses of what was trained; none where nothing was."""
    student, note = method == "3d_st", ""
    if student and variant.get("weights", "").startswith("teacher"):
        note = f"A student that predicts a constant costs about d = {variant['width']}."
    units = LOSSES | {"other": "squared error, squared std. dev." if student else "loss"}
    read = {name: read_losses(path) for name, path in zip(names, paths, strict=True)}
    kept = {name: rows for name, rows in read.items() if len(rows)}
    return [curves.losses(kept, units, note)] if kept else []


def _figure(figure: Figure, folder: Path) -> dict[str, Any]:
    write(figure, folder)
    files = {kind: uri(folder / f"{figure.name}.{kind}") for kind in ("csv", "svg")}
    panels = [{"title": each.title, "plot": plot(each)} for each in figure.panels]
    return {"name": figure.name, "title": figure.title, "caption": figure.caption, "panels": panels, **files}


def _scan_scores(category: str, maps: Path, validation_maps: Path) -> curves.ScanScores:
    test, validation = (_manifest(folder / category / "maps.csv") for folder in (maps, validation_maps))
    return curves.scan_scores(category, test, validation)


def _manifest(path: Path) -> pd.DataFrame:
    rows = read_table(path)
    missing = {"sample", "score"} - set(rows)
    if missing:
        raise ValueError(f"{path}: expected a list of maps, found no column {sorted(missing)[0]}; make the maps again")
    return rows


def _headline(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, str]]:
    """Table 1's measured means, the best first."""
    rows = tables.get("table1", pd.DataFrame(columns=["source", "mean", "method"]))
    found = rows[(rows["source"] == "measured") & (rows["mean"] != "")]
    ordered = found.assign(value=found["mean"].astype(float)).sort_values("value", ascending=False, kind="stable")
    return [{"method": each.method, "mean": each.mean} for each in ordered.itertuples()]
