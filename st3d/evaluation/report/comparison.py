"""Tables for the page: each row measured beside published, with the difference, the best marked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from st3d.evaluation.columns import CATEGORIES, KEYS, ORIGIN, columns, read_table

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
TEXTS = ("dataset", "device", "weights", "categories")  # columns that hold no scores or sizes
MEANS = ("au_pro", "mean", "128", "512", "2048")  # columns of means over categories
LESS = ("inference_seconds", "training_memory_gb", "inference_memory_gb")  # the lower the better
WITHIN = {  # the best is sought among the rows that agree in this key
    "table2": "integration_limit",
    "table3": "hyperparameter",
    "sampled_au_pro": "integration_limit",
    "mvtec_table2": "modality",
    "mvtec_table5": "modality",
}


@dataclass(frozen=True)
class Cell:
    """One number, measured and published.

    Attributes
    ----------
    measured, published
        As they stand in the CSV, but a published mean over the categories that were run; empty where there is none.
    difference
        Measured minus published; None without one of them.
    better
        Whether that difference is for the better.
    like
        Whether both are over the same categories.
    best, published_best
        Whether it is the best of its column.
    """

    measured: str
    published: str
    difference: float | None = None
    better: bool = False
    like: bool = True
    best: bool = False
    published_best: bool = False


@dataclass(frozen=True)
class Row:
    """Keys, numbers and texts of one row; `measured` says whether anything was run."""

    keys: tuple[str, ...]
    cells: tuple[Cell, ...]
    texts: tuple[str, ...]
    measured: bool


@dataclass(frozen=True)
class Table:
    """A table for the page.

    Attributes
    ----------
    name, title
        Of its file, and above it.
    keys, values, texts
        Names of the columns.
    rows
        In the file's order.
    unlike
        Whether a measured mean is over other categories than its published one.
    partial
        Whether published means are over fewer categories than in the file.
    compared
        Whether there are published rows.
    """

    name: str
    title: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    texts: tuple[str, ...]
    rows: tuple[Row, ...]
    unlike: bool
    partial: bool
    compared: bool


def read(path: Path) -> pd.DataFrame:
    """A table's rows.

    Parameters
    ----------
    path
        CSV, as stage `tables` writes it; its name is the table's.

    Returns
    -------
    DataFrame of str

    Raises
    ------
    ValueError
        If there is no table of that name, or a column is missing.
    """
    if path.stem not in TITLES:
        raise ValueError(f"{path}: expected a table named {', '.join(TITLES)}, found {path.stem}")
    rows = read_table(path)
    missing = set(columns(path.stem)) - set(rows)
    if missing:
        raise ValueError(f"{path}: expected a column {sorted(missing)[0]}, found none; delete it and run again")
    return rows


def compare(name: str, rows: pd.DataFrame) -> Table | None:
    """A table as the page shows it.

    Parameters
    ----------
    name
        Its name, a key of TITLES.
    rows
        All its rows, all text.

    Returns
    -------
    Table; None where nothing was measured
    """
    keys = KEYS[name]
    present = rows[(rows["source"] == "published") | (rows["code"] != "")]
    if not (present["source"] == "measured").any():
        return None
    values = tuple(each for each in columns(name) if each not in {*keys, *ORIGIN, *TEXTS})
    values = tuple(each for each in values if (present.loc[present["source"] == "measured", each] != "").any())
    texts = tuple(each for each in TEXTS if each in rows and (each, name) not in {("dataset", "table1")})
    texts = tuple(each for each in texts if each != "dataset" or name == "table4")
    found = []
    for key, group in present.groupby(list(keys), sort=False):
        both = {each["source"]: each for each in group.to_dict("records")}
        ours, theirs = both.get("measured", {}), both.get("published", {})
        cells = tuple(_cell(each, ours, _over_the_same(ours, theirs, values), values) for each in values)
        found.append(Row(key, cells, tuple(ours.get(each, "") for each in texts), bool(ours)))
    unlike = any(not cell.like for row in found for cell in row.cells)
    partial = "mean" in values and not {*CATEGORIES} <= {*values}
    compared = any(cell.published for row in found for cell in row.cells)
    rows_with_best = tuple(_with_best(name, values, texts, found))
    return Table(name, TITLES[name], keys, values, texts, rows_with_best, unlike, partial, compared)


def _cell(column: str, ours: dict[str, str], theirs: dict[str, str], values: Sequence[str]) -> Cell:
    measured, known = ours.get(column, ""), theirs.get(column, "")
    if not (measured and known):
        return Cell(measured, known)
    complete = ours["categories"] == str(len(CATEGORIES))
    like = complete or column not in MEANS or (column == "mean" and any(name in values for name in CATEGORIES))
    difference = float(measured) - float(known)
    return Cell(measured, known, difference, (difference > 0) != (column in LESS), like)


def _over_the_same(ours: dict[str, str], theirs: dict[str, str], values: Sequence[str]) -> dict[str, str]:
    """A published row whose mean is over the categories that were run: its own, or those of the table."""
    shown = [name for name in CATEGORIES if name in values and theirs.get(name)]
    shared = [name for name in shown if ours.get(name)] or shown
    if not theirs.get("mean") or len(shared) in (0, len(CATEGORIES)):
        return theirs
    return theirs | {"mean": f"{sum(float(theirs[name]) for name in shared) / len(shared):.3f}"}


def _with_best(name: str, values: Sequence[str], texts: Sequence[str], rows: Sequence[Row]) -> list[Row]:
    """The rows with the best of each column marked, measured and published apart.

    Only means over equally many categories compare, so that of each number of them there is a best one.
    """
    place = KEYS[name].index(WITHIN[name]) if name in WITHIN else None
    categories = texts.index("categories") if "categories" in texts else None

    def group(row: Row, column: str, ours: bool) -> tuple[str, str]:
        over = row.texts[categories] if ours and column in MEANS and categories is not None else ""
        return "" if place is None else row.keys[place], over

    best: dict[tuple[tuple[str, str], str, bool], float] = {}
    for row in rows:
        for column, cell in zip(values, row.cells, strict=True):
            for ours, text in ((True, cell.measured), (False, cell.published)):
                if text:
                    value = -float(text) if column in LESS else float(text)
                    among = group(row, column, ours), column, ours
                    best[among] = max(value, best.get(among, value))

    def is_best(row: Row, column: str, ours: bool, text: str) -> bool:
        return bool(text) and abs(float(text)) == abs(best[group(row, column, ours), column, ours])

    return [
        replace(
            row,
            cells=tuple(
                replace(
                    cell,
                    best=is_best(row, column, True, cell.measured),
                    published_best=is_best(row, column, False, cell.published),
                )
                for column, cell in zip(values, row.cells, strict=True)
            ),
        )
        for row in rows
    ]
