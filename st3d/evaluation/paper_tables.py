"""The paper's Tables 1 to 4, further scores, and the dataset paper's: measured rows beside published ones.

After each published row stands the measured row with the same key; its cells are empty where nothing was run. A mean
is over the categories that were run, in tables of means alone over those that all their rows were run on: the column
`categories` counts them, and names them where they are fewer than the paper's ten.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from st3d.evaluation.columns import CATEGORIES, KEYS, columns, named_categories, published

Table = Literal[
    "table1", "table2", "table3", "table4", "auroc", "sampled_au_pro", "mvtec_table2", "mvtec_table4", "mvtec_table5"
]
NAMED = ("table1", "table4", "mvtec_table2", "mvtec_table4", "mvtec_table5")  # their rows are methods, not sizes
OF_MEANS = ("table3", "table4", "mvtec_table4")  # without a column per category
LIMIT = 0.3  # of AU-PRO, where a table has one limit alone
LIMITS = {"table2": (0.01, 0.05, 0.1, 0.2), "sampled_au_pro": (0.01, 0.05, 0.1, 0.2, LIMIT)}
SCORES = {"auroc": "au_roc", "mvtec_table5": "au_roc", "sampled_au_pro": "au_pro_sampled"}  # of the others au_pro_at


def rows(table: Table, variants: Sequence[Mapping[str, Any]], costs: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """The rows of one table.

    Parameters
    ----------
    table
        Which one.
    variants
        Contents of the JSONs of the variants to show, as stage `variant` writes them.
    costs
        Contents of the JSONs of their costs, in the same order; only for table3. Seconds, and GB of 10^9 bytes.

    Returns
    -------
    All text; AU-PRO and AUROC are fractions in [0, 1]

    Raises
    ------
    ValueError
        If table3 has not one cost per variant.
    """
    if table == "table3" and len(costs) != len(variants):
        raise ValueError(f"--costs: expected {len(variants)} files, one per variant, found {len(costs)}")
    contents = _over_common_categories(variants) if table in OF_MEANS else variants
    found = [row for content in contents for row in _measured(table, content)]
    measured = pd.DataFrame(found, dtype=object)
    if table == "table3" and found:
        measured = _by_hyperparameter(measured, costs)
    if table == "mvtec_table4" and found:
        measured = _by_latent(measured)
    origin = {"source": "published", "dataset": "mvtec_3d_ad", "categories": len(CATEGORIES), "device": "V100"}
    frames = (published(table).assign(**origin), measured)
    known, shown = (frame.reindex(columns=columns(table)).astype(object).fillna("").astype(str) for frame in frames)
    return beside(known, shown, list(KEYS[table]), named=table in NAMED)


def beside(known: pd.DataFrame, measured: pd.DataFrame, key: list[str], named: bool) -> pd.DataFrame:
    """Each published row, then the measured one with the same key, then the other measured ones of the first key.

    Parameters
    ----------
    known, measured
        Published and measured rows with the same columns, all text. Of measured rows with one key the last counts.
    key
        Columns whose texts are compared.
    named
        Whether a published row that was not measured gets an empty measured one. Rows that stand for sizes (64000
        points) do not: they are not measured at other sizes.

    Returns
    -------
    The rows in their order; the index has no meaning.
    """
    if named:
        empty = known[key].assign(source="measured").reindex(columns=known.columns, fill_value="")
        measured = pd.concat([empty, measured])
    measured = measured.drop_duplicates(key, keep="last")
    numbers = range(len(known))
    place = dict(zip(known[key].itertuples(index=False, name=None), numbers, strict=True))
    end_of_group = dict(zip(known[key[0]], numbers, strict=True)) if len(key) > 1 else {}
    order = [
        place.get(each, end_of_group.get(each[0], len(known)) + 0.5)
        for each in measured[key].itertuples(index=False, name=None)
    ]
    return pd.concat([known, measured]).set_axis([*numbers, *order]).sort_index(kind="stable")


def _over_common_categories(variants: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The variants with the scores of those categories alone that all of them have, so that their means compare."""
    common = set.intersection(*(set(each["categories"]) for each in variants)) if variants else set()
    return [
        dict(each) | {"categories": {name: scores for name, scores in each["categories"].items() if name in common}}
        for each in variants
    ]


def _measured(table: str, variant: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A variant's rows: a cell for each column of each table, one row per limit."""
    row = {name: variant[name] for name in ("variant", "modality", "weights", "dataset", "code", "scale")}
    row |= {name: variant[name] for name in ("varied", "points", "width", "neighbours", "latent")}
    row |= {"source": "measured", "categories": named_categories(list(variant["categories"]))}
    row["descriptor_dim"] = variant["width"]
    row["method"] = variant["method"] if table.startswith("mvtec") else variant["variant"]
    if table == "table1":
        row["method"] = f"3d_st_{variant['width']}" if variant["method"] == "3d_st" else variant["method"]
    if table == "table4":
        groups = dict(published(table)[["variant", "group"]].itertuples(index=False, name=None))
        groups["base"] = "training_strategy"  # what those differ from
        row["group"] = variant["group"] or groups.get(variant["variant"], "other")
        if row["group"] == "pretraining_dataset":  # what the row is about
            row["dataset"] = variant["pretraining"]
    for limit in LIMITS.get(table, (LIMIT,)):
        cells = _cells(variant["categories"], SCORES.get(table, "au_pro_at"), str(limit))
        yield row | cells | {"integration_limit": f"{limit:.2f}", "au_pro": cells.get("mean", "")}


def _cells(categories: dict[str, Any], score: str, limit: str) -> dict[str, str]:
    """The scores per category and their mean as text; nothing where the limit was not asked for."""
    values = {name: scores[score] for name, scores in categories.items()}
    if score != "au_roc":
        values = {name: at[limit] for name, at in values.items() if limit in at}
    if values:
        values["mean"] = sum(values.values()) / len(values)
    return {name: f"{value:.4f}" for name, value in values.items()}


def _by_hyperparameter(measured: pd.DataFrame, costs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Table 3's rows; the base stands in each of the three groups."""
    cost = pd.DataFrame(list(costs), dtype=object)[["inference_seconds", "training_memory_gb", "inference_memory_gb"]]
    measured = measured.assign(**cost.map(lambda value: f"{value:.4g}"), device=[each["device"] for each in costs])
    groups = []
    for name, varied in (("points", "points"), ("descriptor_dim", "width"), ("neighbours", "neighbours")):
        chosen = measured[measured["varied"].isin(["none", varied])].sort_values(varied, kind="stable")
        groups.append(chosen.assign(hyperparameter=name, value=chosen[varied]))
    return pd.concat(groups)


def _by_latent(measured: pd.DataFrame) -> pd.DataFrame:
    """The dataset paper's Table 4: a row per method, with the origin of its first variant."""
    first = measured.drop_duplicates(["method", "latent"])  # of two with the same latent the first counts
    cells = first.assign(latent=first["latent"].astype(str)).pivot(index="method", columns="latent", values="au_pro")
    return measured.drop_duplicates("method").merge(cells, on="method", how="left")
