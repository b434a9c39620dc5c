"""The columns of the tables: those of the published files, then where a row comes from."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

PUBLISHED = Path(__file__).parent / "published"
FILES = {  # those that are not named 3d_st_<table>.csv
    "auroc": "mvtec_3d_ad_table5_auroc.csv",
    "mvtec_table2": "mvtec_3d_ad_table2_au_pro.csv",
    "mvtec_table4": "mvtec_3d_ad_table4_latent_dim.csv",
    "mvtec_table5": "mvtec_3d_ad_table5_auroc.csv",
}
KEYS = {
    "table1": ("method",),
    "table2": ("descriptor_dim", "integration_limit"),
    "table3": ("hyperparameter", "value"),
    "table4": ("group", "variant"),
    "auroc": ("method",),
    "sampled_au_pro": ("method", "integration_limit"),
    "mvtec_table2": ("modality", "method"),
    "mvtec_table4": ("method",),
    "mvtec_table5": ("modality", "method"),
}
EPOCHS = ("epoch", "train", "validation")  # columns of a CSV of losses
ORIGIN = ("source", "dataset", "code", "scale", "categories")
MORE = {"table3": ("device",), "table4": ("weights",)}  # weights: what the students learned from


def read_table(path: Path) -> pd.DataFrame:
    """The rows of a CSV, every cell as the text that stands there.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    DataFrame of str; an empty cell is the empty text
    """
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def read_losses(path: Path) -> pd.DataFrame:
    """The losses of a network per epoch.

    Parameters
    ----------
    path
        CSV, as training writes it.

    Returns
    -------
    DataFrame of float, with the columns of `EPOCHS`

    Raises
    ------
    ValueError
        If a column is missing.
    """
    rows = read_table(path)
    if set(EPOCHS) - set(rows):
        raise ValueError(f"{path}: expected losses per epoch, found no such columns; delete it and run again")
    return rows.astype(float)


def published(table: str) -> pd.DataFrame:
    """The published rows of a table; none for the sampled AU-PRO, which the paper does not give.

    Parameters
    ----------
    table
        Its name, a key of `KEYS`.

    Returns
    -------
    DataFrame of str; scores are fractions in [0, 1]
    """
    rows = read_table(PUBLISHED / FILES.get(table, f"3d_st_{'table1' if table == 'sampled_au_pro' else table}.csv"))
    if table == "auroc":
        rows = rows[rows["modality"] == "3d"].drop(columns="modality")
    if table == "sampled_au_pro":
        rows = rows.assign(integration_limit="")[:0]
    return rows


def columns(table: str) -> tuple[str, ...]:
    """The columns of a table, the key first.

    Parameters
    ----------
    table
        Its name, a key of `KEYS`.

    Returns
    -------
    Names, in their order
    """
    values = [name for name in published(table) if name not in KEYS[table]]
    return (*KEYS[table], *values, *ORIGIN, *MORE.get(table, ()))


CATEGORIES = tuple(name for name in published("table1") if name not in ("method", "mean"))


def named_categories(categories: Sequence[str]) -> str:
    """How many categories a mean is over, and which if they are not the paper's ten.

    Parameters
    ----------
    categories
        Their names.

    Returns
    -------
    Such as "10" or "2: bagel foam"
    """
    count = str(len(categories))
    return count if len(categories) >= len(CATEGORIES) else f"{count}: {' '.join(categories)}"
