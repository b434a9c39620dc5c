"""Stage `summary`: the tables and figures in one readable page, with measured minus published."""

import os
from pathlib import Path

import pandas as pd

from st3d.evaluation.columns import CATEGORIES, KEYS, ORIGIN, columns, read_table
from st3d.formats.atomic import atomic

TITLES = {
    "table1": "Table 1. AU-PRO at limit 0.3 per category",
    "table2": "Table 2. AU-PRO at smaller limits",
    "table3": "Table 3. AU-PRO, seconds and memory over points, descriptor dimension and neighbours",
    "table4": "Table 4. AU-PRO at limit 0.3 of other training, pretraining data and feature extractors",
    "auroc": "Image AUROC",
    "sampled_au_pro": "AU-PRO from 100 thresholds, as the literature often gives it",
    "mvtec_table2": "MVTec 3D-AD, Table 2. AU-PRO at limit 0.3 of its own methods",
    "mvtec_table4": "MVTec 3D-AD, Table 4. AU-PRO at limit 0.3 over the latent dimension",
    "mvtec_table5": "MVTec 3D-AD, Table 5. Image AUROC of its own methods",
}
TEXTS = ("dataset", "device", "weights")  # columns that hold no numbers
MEANS = ("au_pro", "128", "512", "2048")  # columns of means over categories that are not in the table
OTHER_DATA = "The published rows are for `mvtec_3d_ad`: other data, other numbers."


def summary(*, tables: list[Path], gallery: list[Path], output: Path, code: str) -> None:
    """Write the readable page.

    Parameters
    ----------
    tables
        CSVs, as stage `tables` writes them.
    gallery
        PNGs, one per category.
    output
        Markdown to write; scores are fractions in [0, 1], times in seconds, memory in GB of 10^9 bytes.
    code
        Fingerprint of the code; not kept.

    Raises
    ------
    ValueError
        If a CSV lacks one of its table's columns.
    """
    contents = {path.stem: _read(path) for path in tables}
    lines = ["# Measured beside published", "", *_origin(pd.concat(contents.values())), ""]
    for name, rows in contents.items():
        shown = rows_with_differences(name, rows)
        cells = [list(shown), ["---"] * shown.shape[1], *shown.to_numpy().tolist()]
        lines += [f"## {TITLES[name]}", "", *(f"| {' | '.join(row)} |" for row in cells), ""]
    lines += ["## Scans and their maps", "", "Left the scan, right its anomaly map; outlined is the ground truth.", ""]
    for path in gallery:
        lines += [f"### {path.stem}", "", f"![{path.stem}]({os.path.relpath(path, output.parent)})", ""]
    with atomic(output) as temporary:
        temporary.write_text("\n".join(lines))


def rows_with_differences(table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with one column for their source; after a measured row its difference from the published one above it.

    The mean's difference is over the categories that both have.

    Parameters
    ----------
    table
        Its name, a key of `KEYS`.
    rows
        Of the table, all text, as stage `tables` writes them.

    Returns
    -------
    DataFrame of str; differences are measured minus published, in the columns' units, with three decimals
    """
    keys = list(KEYS[table])
    values = [name for name in columns(table) if name not in {*keys, *ORIGIN} or (name, table) == ("dataset", "table4")]
    rows = rows[(rows["source"] == "published") | (rows["code"] != "")].reset_index(drop=True)
    compared = (rows["source"] == "measured") & (rows[keys] == rows[keys].shift()).all(axis=1)
    numbers = [name for name in values if name not in TEXTS]
    gaps = rows[numbers].apply(pd.to_numeric).diff()[compared]
    partial = rows["categories"][compared] != str(len(CATEGORIES))
    gaps.loc[partial, [name for name in numbers if name in MEANS]] = None  # nothing published for so few categories
    if "mean" in numbers:
        shared = gaps[list(CATEGORIES)].apply(lambda row: sum(row.dropna()) / max(row.count(), 1), axis=1)
        gaps["mean"] = gaps["mean"].mask(partial, shared)
    shown = rows[[*keys, "source", *values]].rename(columns={"source": ""})
    texts = gaps.map("{:+.3f}".format, na_action="ignore").set_axis(gaps.index + 0.5)
    return pd.concat([shown, texts.assign(**{"": "difference"})]).sort_index().fillna("")


def _origin(rows: pd.DataFrame) -> list[str]:
    """What was measured, in one paragraph."""
    keys = ["scale", "dataset", "code", "categories"]
    pretrained = rows.get("group", pd.Series(index=rows.index)) == "pretraining_dataset"  # its dataset is the scenes'
    measured = rows.assign(pretrained=pretrained)[rows["code"] != ""].sort_values(keys, kind="stable")
    lines = []
    for row in measured.drop_duplicates([*keys, "pretrained"]).itertuples():
        part = f"{row.categories} of {len(CATEGORIES)} categories, code `{row.code}`."
        if row.pretrained:
            lines.append(f"Teacher pretrained on `{row.dataset}`, sizes `{row.scale}`, {part}")
        else:
            other = "" if row.dataset == "mvtec_3d_ad" else OTHER_DATA
            lines.append(f"Measured with sizes `{row.scale}` on `{row.dataset}`, {part} {other}")
    return lines


def _read(path: Path) -> pd.DataFrame:
    rows = read_table(path)
    missing = set(columns(path.stem)) - set(rows)
    if missing:
        raise ValueError(f"{path}: expected a column {sorted(missing)[0]}, found none; delete it and run again")
    return rows
