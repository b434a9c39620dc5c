"""Stage `tables`: the paper's Tables 1 to 4, further scores, and the dataset paper's, measured beside published.

After each published row stands the measured row with the same key; its cells are empty where nothing was run. A mean
is over the categories that were run: the column `categories` counts them.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from st3d.evaluation.columns import CATEGORIES, KEYS, VALUES, columns, comparable
from st3d.formats.atomic import read_json, write_csv

Table = Literal[
    "table1", "table2", "table3", "table4", "auroc", "sampled_au_pro", "mvtec_table2", "mvtec_table4", "mvtec_table5"
]
Row = dict[str, Any]

PUBLISHED = Path(__file__).parent / "published"
FILES = {  # those that are not named 3d_st_<table>.csv
    "auroc": "mvtec_3d_ad_table5_auroc.csv",
    "mvtec_table2": "mvtec_3d_ad_table2_au_pro.csv",
    "mvtec_table4": "mvtec_3d_ad_table4_latent_dim.csv",
    "mvtec_table5": "mvtec_3d_ad_table5_auroc.csv",
}
NAMED = ("table1", "table4", "mvtec_table2", "mvtec_table4", "mvtec_table5")  # their rows are methods, not sizes
LIMIT = 0.3  # of AU-PRO in Tables 1, 3 and 4, and in the dataset paper
LIMITS = (0.01, 0.05, 0.1, 0.2)  # of Table 2


def tables(*, table: Table, variants: list[Path], costs: list[Path], output: Path, code: str) -> None:
    """Write one of the tables.

    Parameters
    ----------
    table : which
    variants : JSONs of the variants to show, as stage `variant` writes them
    costs : JSONs of their costs, in the same order; only for table3: seconds, and GB of 10^9 bytes
    output : CSV to write; AU-PRO and AUROC as shares of 1
    code : fingerprint of the code; not kept, each row has that of its scores
    """
    contents = [read_json(path) for path in variants]
    measured = list(_measured(table, contents, [read_json(path) for path in costs]))
    rows = beside(_published(table), measured, KEYS[table], named=table in NAMED)
    write_csv(output, rows, columns(table))


def beside(published: list[Row], measured: list[Row], key: tuple[str, ...], named: bool) -> list[Row]:
    """Each published row, then the measured one with the same key, then the other measured ones of the first key.

    With `named`, a published row without a measured twin gets an empty one: it is known what was not run. Numbers
    as keys (64000 points) have no twins at other sizes.
    """
    left = {tuple(comparable(row[name]) for name in key): row for row in measured}
    rows: list[Row] = []
    groups = list(dict.fromkeys(row[key[0]] for row in published)) if len(key) > 1 else []
    for index, row in enumerate(published):
        rows.append(row)
        twin = left.pop(tuple(comparable(row[name]) for name in key), None)
        if twin is not None:
            rows.append(twin)
        elif named:
            rows.append({name: row[name] for name in key} | {"source": "measured"})
        last_of_group = index + 1 == len(published) or published[index + 1][key[0]] != row[key[0]]
        if groups and last_of_group:
            rows += [left.pop(name) for name in list(left) if name[0] == comparable(row[key[0]])]
    return rows + list(left.values())


def _published(table: str) -> list[Row]:
    """The published rows; none for scores that the paper does not give."""
    if table == "sampled_au_pro":
        return []
    with (PUBLISHED / FILES.get(table, f"3d_st_{table}.csv")).open(newline="") as file:
        rows: list[Row] = list(csv.DictReader(file))
    if table == "auroc":
        rows = [row for row in rows if row.pop("modality") == "3d"]
    origin = {"source": "published", "dataset": "mvtec_3d_ad", "categories": len(CATEGORIES)}
    return [row | origin | ({"device": "V100"} if table == "table3" else {}) for row in rows]


def _measured(table: str, variants: list[dict], costs: list[dict]) -> Iterator[Row]:
    if table == "table3":
        if len(costs) != len(variants):
            raise ValueError(f"--costs: expected {len(variants)} files, one per variant, found {len(costs)}")
        yield from _by_hyperparameter(variants, costs)
        return
    if table == "mvtec_table4":
        yield from _by_latent(variants)
        return
    for variant in variants:
        origin = _origin(variant)
        if table == "table1":
            method = f"3d_st_{variant['width']}" if variant["method"] == "3d_st" else variant["method"]
            yield {"method": method} | _cells(variant, "au_pro_at", LIMIT) | origin
        elif table == "table2":
            for limit in LIMITS:
                key = {"descriptor_dim": variant["width"], "integration_limit": f"{limit:.2f}"}
                yield key | _cells(variant, "au_pro_at", limit) | origin
        elif table == "table4":
            key = {"group": variant["group"] or _group(variant["variant"]), "variant": variant["variant"]}
            if key["group"] == "pretraining_dataset":  # what the row is about
                origin["dataset"] = variant["pretraining"]
            cells = {"au_pro": _cells(variant, "au_pro_at", LIMIT)["mean"], "weights": variant["weights"]}
            yield key | cells | origin
        elif table in ("mvtec_table2", "mvtec_table5"):
            cells = _cells(variant, *(("au_pro_at", LIMIT) if table == "mvtec_table2" else ("au_roc", None)))
            yield {name: variant[name] for name in KEYS[table]} | cells | origin
        elif table == "auroc":
            yield {"method": variant["variant"]} | _cells(variant, "au_roc", None) | origin
        else:
            for limit in (*LIMITS, LIMIT):
                key = {"method": variant["variant"], "integration_limit": f"{limit:.2f}"}
                yield key | _cells(variant, "au_pro_sampled", limit) | origin


def _by_hyperparameter(variants: list[dict], costs: list[dict]) -> Iterator[Row]:
    """Table 3's rows; the base stands in each of the three groups."""
    for name, varied in (("points", "points"), ("descriptor_dim", "width"), ("neighbours", "neighbours")):
        chosen = [pair for pair in zip(variants, costs, strict=True) if pair[0]["varied"] in ("none", varied)]
        for variant, cost in sorted(chosen, key=lambda pair: pair[0][varied]):
            row = {"hyperparameter": name, "value": variant[varied], "device": cost["device"]}
            row |= {"au_pro": _cells(variant, "au_pro_at", LIMIT)["mean"]} | _origin(variant)
            yield row | {column: f"{cost[column]:.4g}" for column in VALUES["table3"][1:]}


def _by_latent(variants: list[dict]) -> Iterator[Row]:
    """The dataset paper's Table 4: a row per method, with the origin of its first variant."""
    for method in dict.fromkeys(variant["method"] for variant in variants):
        chosen = [variant for variant in variants if variant["method"] == method]
        cells: Row = dict.fromkeys(VALUES["mvtec_table4"], "")
        for variant in reversed(chosen):  # of two with the same latent the first counts
            if str(variant["latent"]) in cells:
                cells[str(variant["latent"])] = _cells(variant, "au_pro_at", LIMIT)["mean"]
        yield {"method": method} | cells | _origin(chosen[0])


def _origin(variant: dict) -> Row:
    known = {name: variant[name] for name in ("dataset", "code", "scale")}
    return {"source": "measured", "categories": len(variant["categories"])} | known


def _cells(variant: dict, score: str, limit: float | None) -> Row:
    """A variant's cells per category and their mean; empty where the limit was not asked for."""
    values = {}
    for category, scores in variant["categories"].items():
        found = scores[score]
        if limit is not None:
            found = {float(key): each for key, each in found.items()}.get(limit)
        if found is not None:
            values[category] = found
    if values:
        values["mean"] = sum(values.values()) / len(values)
    cells: Row = dict.fromkeys((*CATEGORIES, "mean"), "")
    return cells | {name: f"{value:.4f}" for name, value in values.items() if name in cells}


def _group(variant: str) -> str:
    groups = {row["variant"]: row["group"] for row in _published("table4")}
    return groups.get(variant, "other")
