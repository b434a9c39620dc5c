"""The columns of the tables: the published files' own, then where a row comes from."""

from typing import Any

CATEGORIES = ("bagel", "cable_gland", "carrot", "cookie", "dowel", "foam", "peach", "potato", "rope", "tire")
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
VALUES = {
    "table3": ("au_pro", "inference_seconds", "training_memory_gb", "inference_memory_gb"),
    "table4": ("au_pro",),
    "mvtec_table4": ("128", "512", "2048"),  # AU-PRO by the length of the latent vector
}
ORIGIN = ("source", "dataset", "code", "scale", "categories")


MORE = {"table3": ("device",), "table4": ("weights",)}  # weights: what the students learned from


def columns(table: str) -> tuple[str, ...]:
    return (*KEYS[table], *VALUES.get(table, (*CATEGORIES, "mean")), *ORIGIN, *MORE.get(table, ()))


def comparable(value: Any) -> Any:
    """A cell as a key: 0.1 and 0.10 are the same."""
    try:
        return float(value)
    except ValueError:
        return value
