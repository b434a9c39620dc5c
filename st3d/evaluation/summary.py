"""Stage `summary`: the tables and pictures in one readable page, with measured minus published."""

import csv
import os
from pathlib import Path

from st3d.evaluation.columns import CATEGORIES, KEYS, ORIGIN, VALUES, columns
from st3d.formats.atomic import atomic

TITLES = {
    "table1": "Table 1. AU-PRO at limit 0.3 per category",
    "table2": "Table 2. AU-PRO at smaller limits",
    "table3": "Table 3. AU-PRO, seconds and memory over points, descriptor numbers and neighbours",
    "table4": "Table 4. AU-PRO at limit 0.3 of other training, pretraining data and feature extractors",
    "auroc": "Image AUROC",
    "sampled_au_pro": "AU-PRO from 100 thresholds, as the literature often gives it",
    "mvtec_table2": "MVTec 3D-AD, Table 2. AU-PRO at limit 0.3 of its own methods",
    "mvtec_table4": "MVTec 3D-AD, Table 4. AU-PRO at limit 0.3 over the length of the latent vector",
    "mvtec_table5": "MVTec 3D-AD, Table 5. Image AUROC of its own methods",
}
TEXTS = ("dataset", "device", "weights")  # no numbers
Row = dict[str, str]


def summary(*, tables: list[Path], gallery: list[Path], output: Path, code: str) -> None:
    """Write the readable page.

    Parameters
    ----------
    tables : CSVs, as stage `tables` writes them
    gallery : PNGs, one per category
    output : Markdown to write; scores are shares of 1, times in seconds, memory in GB of 10^9 bytes
    code : fingerprint of the code; not kept
    """
    contents = {path.stem: _read(path) for path in tables}
    lines = ["# Measured beside published", "", *_origin([row for rows in contents.values() for row in rows]), ""]
    for name, rows in contents.items():
        lines += [f"## {TITLES[name]}", "", *_as_markdown(rows_with_differences(name, rows)), ""]
    lines += ["## Scans and their maps", "", "Left the scan, right its anomaly map; outlined is the ground truth.", ""]
    for path in gallery:
        lines += [f"### {path.stem}", "", f"![{path.stem}]({os.path.relpath(path, output.parent)})", ""]
    with atomic(output) as temporary:
        temporary.write_text("\n".join(lines))


def rows_with_differences(table: str, rows: list[Row]) -> list[Row]:
    """The rows with one column for their source; after a measured row its difference from the published one above it.

    The mean's difference is over the categories that both have.
    """
    keys = KEYS[table]
    hidden = {*keys, *ORIGIN} - ({"dataset"} if table == "table4" else set())
    values = [name for name in columns(table) if name not in hidden]
    result: list[Row] = []
    published: Row = {}
    for row in rows:
        shown = {name: row[name] for name in keys} | {"": row["source"]} | {name: row[name] for name in values}
        if row["source"] == "published":
            published = shown
            result.append(shown)
        elif row["code"]:
            result.append(shown)
            if all(published.get(name) == shown[name] for name in keys):
                result.append(_difference(shown, published, values, every=row["categories"] == str(len(CATEGORIES))))
    return result


def _difference(measured: Row, published: Row, values: list[str], every: bool) -> Row:
    both = {name: (measured[name], published[name]) for name in values if name not in TEXTS}
    gaps = {name: float(ours) - float(theirs) for name, (ours, theirs) in both.items() if ours and theirs}
    if not every:  # a mean over fewer categories compares with the published mean over the same ones
        alike = [gaps[name] for name in CATEGORIES if name in gaps]
        for name in ("au_pro", *VALUES["mvtec_table4"]):
            gaps.pop(name, None)
        if "mean" in gaps:
            gaps["mean"] = sum(alike) / len(alike)
    return {"": "difference"} | {name: f"{gap:+.3f}" for name, gap in gaps.items()}


def _origin(rows: list[Row]) -> list[str]:
    """What was measured, in one paragraph."""
    made: dict[tuple[str, ...], None] = {}  # a set in order
    for row in sorted(rows, key=lambda row: (row["scale"], row["dataset"], row["code"], row["categories"])):
        if row["code"]:
            part = f"{row['categories']} of {len(CATEGORIES)} categories, code `{row['code']}`."
            pretrained = row.get("group") == "pretraining_dataset"  # whose column dataset says on what
            made[row["scale"], row["dataset"], part, "pretrained" if pretrained else ""] = None
    return [
        f"Teacher pretrained on `{dataset}`, sizes `{scale}`, {part}"
        if pretrained
        else f"Measured with sizes `{scale}` on `{dataset}`, {part} "
        + ("" if dataset == "mvtec_3d_ad" else "The published rows are for `mvtec_3d_ad`: other data, other numbers.")
        for scale, dataset, part, pretrained in made
    ]


def _as_markdown(rows: list[Row]) -> list[str]:
    names = list(rows[0]) if rows else []
    table = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    return table + [f"| {' | '.join(row.get(name, '') for name in names)} |" for row in rows]


def _read(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    missing = set(columns(path.stem)) - set(rows[0] if rows else ())
    if rows and missing:
        raise ValueError(f"{path}: expected a column {sorted(missing)[0]}, found none; delete it and run again")
    return rows
