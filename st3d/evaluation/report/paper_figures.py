"""The paper's Figures 5, 6 and 7, drawn from measured numbers beside the published ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from st3d.evaluation.columns import CATEGORIES, published
from st3d.evaluation.report.figures import COLOURS, PUBLISHED, Figure, Panel, Series, Style

LIMIT = "0.3"  # of AU-PRO where a figure has one alone
SIZES = {
    "points": "n, points of a scan",
    "descriptor_dim": "d, descriptor dimension",
    "neighbours": "k, nearest neighbours of a point",
}
GROUPS = {
    "training_strategy": "Training strategy",
    "pretraining_dataset": "Pretraining data",
    "feature_extractor": "Feature extractor",
    "other": "Other variants",
}
WORDS = {"gan": "GAN", "ae": "AE", "vm": "VM", "rgb": "RGB", "fpfh": "FPFH", "fcgf": "FCGF", "kitti": "KITTI"}
NAMES = {
    "ppf_foldnet": "PPF-FoldNet", "3dmatch": "3DMatch", "itodd": "ITODD", "au_pro": "AU-PRO",
    "inference_seconds": "inference, s", "training_memory_gb": "training, GB", "inference_memory_gb": "inference, GB",
    "descriptor_dim": "dimension d", "integration_limit": "limit",
}  # fmt: skip


def label(name: str) -> str:
    """The name of a method, variant, category or column as a reader knows it.

    Parameters
    ----------
    name
        Such as voxel_gan or 3d_st_64.

    Examples
    --------
    >>> label("voxel_gan"), label("3d_st_64"), label("random_weights")
    ('voxel GAN', '3D-ST 64', 'random weights')
    """
    parts = name.replace("3d_st", "3D-ST").replace("3d_rgb", "3D+RGB").split("_")
    return NAMES.get(name) or " ".join(WORDS.get(part, part) for part in parts)


def method_name(variant: Mapping[str, Any]) -> str:
    """A variant's name in Table 1.

    Parameters
    ----------
    variant
        Content of its JSON.

    Returns
    -------
    Such as 3d_st_64 or voxel_gan
    """
    return f"3d_st_{variant['width']}" if variant["method"] == "3d_st" else variant["method"]


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each method.

    Parameters
    ----------
    names
        In the order of the legend.

    Returns
    -------
    CSS colours by name
    """
    return {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(dict.fromkeys(names))}


def figure5(methods: Sequence[Mapping[str, Any]]) -> Figure:
    """Mean AU-PRO over the integration limit.

    Parameters
    ----------
    methods
        Contents of the JSONs of Table 1's variants.

    Returns
    -------
    Figure
    """
    run = [name for name in CATEGORIES if methods and name in methods[0]["categories"]]
    of_these = run if 0 < len(run) < len(CATEGORIES) else ["mean"]  # published means over the categories that were run
    known, table1 = published("table2"), published("table1").set_index("method")[of_these].astype(float).mean(axis=1)
    colour = colours([method_name(each) for each in methods])
    series = []
    for each in methods:
        name, means = method_name(each), _means(each)
        x, y = [float(limit) for limit in means], list(means.values())
        series.append(Series(name=f"{label(name)}, measured", x=x, y=y, colour=colour[name], style="points"))
    for name, shade in colour.items():
        rows = known[known["descriptor_dim"] == name.removeprefix("3d_st_")]
        x = rows["integration_limit"].astype(float).tolist()
        y = rows[of_these].astype(float).mean(axis=1).tolist()
        if name in table1:
            x, y = [*x, float(LIMIT)], [*y, float(table1[name])]
        if x:
            style: Style = "dots" if len(x) > 1 else "marks"
            series.append(Series(name=f"{label(name)}, published", x=x, y=y, colour=shade, style=style))
    caption = (
        "Figure 5. AU-PRO over the integration limit. Solid: measured; dotted, and single points at 0.3: published."
    )
    panel = Panel(
        title="AU-PRO over the integration limit", x="integration limit (false positive rate)",
        y="AU-PRO, mean over categories", range=(0.0, 1.0), series=series,
    )  # fmt: skip
    return Figure(name="figure5", title="Figure 5: integration limits", caption=caption, panels=[panel])


def figure6(table3: pd.DataFrame) -> Figure:
    """AU-PRO, seconds and memory over n, d and k.

    Parameters
    ----------
    table3
        Rows of Table 3, all text.

    Returns
    -------
    Figure
    """
    panels = []
    values = {
        "AU-PRO": {"au_pro": ""},
        "seconds a scan": {"inference_seconds": ""},
        "memory, GB": {"training_memory_gb": "training, ", "inference_memory_gb": "inference, "},
    }
    for size, title in SIZES.items():
        for y, columns in values.items():
            series = []
            for number, (column, prefix) in enumerate(columns.items()):
                drawn: tuple[tuple[str, str, Style], ...] = (
                    ("measured", COLOURS[number], "points"),
                    ("published", PUBLISHED[number], "dots"),
                )
                for source, colour, style in drawn:
                    x, shown = _points(table3, size, source, column)
                    if x:
                        series.append(Series(name=prefix + source, x=x, y=shown, colour=colour, style=style))
            more: dict[str, Any] = {"range": (0.0, 1.0), "logarithmic": "x"} if y == "AU-PRO" else {"logarithmic": "xy"}
            panels.append(Panel(title=f"{y} over {title[0]}", x=title, y=y, series=series, **more))
    caption = (
        "Figure 6. Over the number of points n, the descriptor dimension d and the number of neighbours k: AU-PRO at"
        " limit 0.3, seconds of inference for one scan, and memory. The published times are those of a V100."
    )
    return Figure(name="figure6", title="Figure 6: n, d and k", caption=caption, panels=panels)


def figure7(table4: pd.DataFrame) -> Figure:
    """AU-PRO of training strategies, pretraining data and feature extractors, the base beside them.

    Parameters
    ----------
    table4
        Rows of Table 4, all text.

    Returns
    -------
    Figure
    """
    base = table4[(table4["variant"] == "base") & (table4["source"] == "measured")]["au_pro"]
    known = published("table1").set_index("method")["mean"]["3d_st_64"]
    first = {"measured": _number(base.iloc[0]) if len(base) else float("nan"), "published": float(known)}
    panels = []
    for group, title in GROUPS.items():
        rows = table4[(table4["group"] == group) & (table4["variant"] != "base")]
        names = list(dict.fromkeys(rows["variant"]))
        if not names:
            continue
        series = []
        for source, colour in (("measured", COLOURS[0]), ("published", PUBLISHED[1])):
            found = rows[rows["source"] == source].set_index("variant")["au_pro"]
            heights = [first[source], *(_number(found.get(name, "")) for name in names)]
            labels = ["base", *(label(name) for name in names)]
            series.append(Series(name=source, x=labels, y=heights, colour=colour, style="bars"))
        panels.append(Panel(title=title, x="", y="AU-PRO", series=series, range=(0.0, 1.0)))
    caption = (
        "Figure 7. AU-PRO at limit 0.3 of other training strategies, pretraining data and feature extractors; the"
        " measured base is over the same categories as they are. No bar: not run, or not published."
    )
    return Figure(name="figure7", title="Figure 7: training, data, extractors", caption=caption, panels=panels)


def _means(variant: Mapping[str, Any]) -> dict[str, float]:
    """AU-PRO per integration limit, the mean over the variant's categories."""
    categories = list(variant["categories"].values())
    limits = sorted(categories[0]["au_pro_at"], key=float)
    return {limit: sum(each["au_pro_at"][limit] for each in categories) / len(categories) for limit in limits}


def _points(rows: pd.DataFrame, size: str, source: str, column: str) -> tuple[list[float], list[float]]:
    chosen = rows[(rows["hyperparameter"] == size) & (rows["source"] == source) & (rows[column] != "")]
    chosen = chosen.sort_values("value", key=lambda values: values.astype(float), kind="stable")
    return chosen["value"].astype(float).tolist(), chosen[column].astype(float).tolist()


def _number(text: str) -> float:
    return float(text) if text else float("nan")
