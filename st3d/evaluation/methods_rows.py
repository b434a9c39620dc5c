"""All methods in one table: scores, seconds, memory; each published row above its measured one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from st3d.evaluation.columns import CATEGORIES, PUBLISHED, named_categories, published, read_table
from st3d.evaluation.job_logs import COSTS

LIMITS = ("0.01", "0.05", "0.1", "0.3")
KEYS = ("protocol", "modality", "method")
COLUMNS = (
    *KEYS, "variant", "weights", *(f"au_pro_{limit}" for limit in LIMITS), "image_auroc", *COSTS,
    "source", "dataset", "code", "scale", "categories",
)  # fmt: skip


def rows(
    variants: Sequence[Mapping[str, Any]],
    protocols: Sequence[str],
    weights: Sequence[str],
    costs: Sequence[Mapping[str, str]],
) -> list[dict[str, Any]]:
    """The rows of that table.

    Parameters
    ----------
    variants
        Contents of the JSONs of the variants to show, as stage `variant` writes them.
    protocols, weights
        How each was scored, and where its weights come from, as the stage has them.
    costs
        Seconds and memory of each by the names of `COSTS`; some may be missing.

    Returns
    -------
    Values by the names of `COLUMNS`
    """
    found: list[dict[str, Any]] = []
    known: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    every = list(dict.fromkeys(name for content in variants for name in content["categories"]))
    for row in published_rows(every):
        known.setdefault(tuple(row[key] for key in KEYS), []).append(row)
    for content, protocol, origin, cost in zip(variants, protocols, weights, costs, strict=True):
        measured = _measured(content) | {"protocol": protocol, "weights": origin} | dict(cost)
        found += known.pop(tuple(measured[key] for key in KEYS), [])
        found.append(measured)
    found += [row for left in known.values() for row in left]
    return [{name: row.get(name, "") for name in COLUMNS} for row in found]


def published_rows(categories: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The published rows, their means over the categories that were run.

    Parameters
    ----------
    categories
        Names; the published tables have MVTec 3D-AD's ten.

    Yields
    ------
    Rows of texts by column; none where a category is not published
    """
    run = [name for name in categories if name in CATEGORIES] if set(categories) <= set(CATEGORIES) else []
    if not run:
        return
    found: dict[tuple[str, ...], dict[str, Any]] = {}

    def add(protocol: str, modality: str, method: str, weights: str, column: str, row: Mapping[str, str]) -> None:
        values = [float(row[name]) for name in run if row.get(name)]
        if len(values) == len(run):
            each = found.setdefault((protocol, modality, method, weights), {})
            each[column] = f"{sum(values) / len(values):.4f}"

    for row in read_table(PUBLISHED / "memory_banks.csv").to_dict("records"):
        column = f"au_pro_{row['integration_limit']}" if row["score"] == "au_pro" else "image_auroc"
        add(row["protocol"], row["modality"], row["method"], row["weights"], column, row)
    for row in published("table1").to_dict("records"):
        if row["method"] == "3d_st_64":
            add("full", "3d", "3d_st", "", "au_pro_0.3", row)
    for row in published("table2").to_dict("records"):
        if row["descriptor_dim"] == "64" and f"{float(row['integration_limit']):g}" in LIMITS:
            add("full", "3d", "3d_st", "", f"au_pro_{float(row['integration_limit']):g}", row)
    for table, column in (("mvtec_table2", "au_pro_0.3"), ("mvtec_table5", "image_auroc")):
        for row in published(table).to_dict("records"):
            add("full", row["modality"], row["method"], "", column, row)
    for (protocol, modality, method, weights), cells in found.items():
        origin = {"source": "published", "dataset": "mvtec_3d_ad", "categories": named_categories(run)}
        yield {"protocol": protocol, "modality": modality, "method": method, "weights": weights} | cells | origin


def _measured(content: Mapping[str, Any]) -> dict[str, Any]:
    """A variant's names and scores."""
    categories = content["categories"]
    row = {name: content[name] for name in ("variant", "modality", "method", "dataset", "code", "scale")}
    row |= {"source": "measured", "categories": named_categories(list(categories))}
    scores = list(categories.values())
    for limit in LIMITS:
        values = [each["au_pro_at"][limit] for each in scores if limit in each["au_pro_at"]]
        row[f"au_pro_{limit}"] = f"{sum(values) / len(values):.4f}" if values else ""
    row["image_auroc"] = f"{sum(each['au_roc'] for each in scores) / len(scores):.4f}"
    return row
