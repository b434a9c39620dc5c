"""What the CSVs of the evidence say of its rows: scores, spread, intervals, losses, times."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from st3d.evaluation.columns import EPOCHS, named_categories
from st3d.evaluation.job_logs import COSTS
from st3d.evaluation.report.origin import Time, by_stage

Row = Mapping[str, Any]
TEACHERS = ("teacher", "pretrain_fcgf", "pretrain_ppf_foldnet", "sdf_expert")  # trained once for all categories
NAMES = ("variant", "repeats", "differs", "protocol", "modality", "method", "points", "neighbours", "width")
LOSSES = ("teacher_loss", "student_loss")
LAST = ("weights", "dataset", "categories", "gpus", "code", "commit", "date")
SEEDS = ("variant", "seeds", "score", "mean", "lowest", "highest")
INTERVALS = ("variant", "category", "score", "value", "low", "high")
LOSS_COLUMNS = ("variant", "network", *EPOCHS)
TIMES = ("stage", "jobs", "seconds", "cpu_seconds", "peak_mb")


def limits(rows: Sequence[Row]) -> list[str]:
    """The integration limits of all rows, the smallest first."""
    found = {limit for row in rows for each in row["scores"]["categories"].values() for limit in each["au_pro_at"]}
    return sorted(found, key=float)


def columns(rows: Sequence[Row]) -> tuple[str, ...]:
    """The columns of rows.csv."""
    scores = [*(f"au_pro_{limit}" for limit in limits(rows)), "image_auroc"]
    return (
        *NAMES, *(f"{name}{end}" for name in scores for end in ("", "_low", "_high")), *LOSSES, *COSTS, *LAST
    )  # fmt: skip


def row_cells(row: Row) -> dict[str, Any]:
    """A row's names, the means of its scores, the interval where it has one category, its lowest losses, its costs.

    Parameters
    ----------
    row
        As stage `evidence_row` writes it.

    Returns
    -------
    Values by column; those that it has
    """
    content = row["scores"]
    cells = {name: content[name] for name in ("variant", "modality", "method", "weights", "dataset", "code")}
    cells |= {name: row[name] for name in ("repeats", "differs", "protocol", "commit", "date")}
    if content["method"] == "3d_st":
        cells |= {name: content[name] for name in ("points", "neighbours", "width")}
    cells["gpus"] = ", ".join(row.get("gpus", []))  # rows of before it was noted were trained on CPUs
    cells["categories"] = named_categories(list(content["categories"]))
    found = [_scores(each) for each in content["categories"].values()]
    cells |= {name: text(np.mean([each[name] for each in found])) for name in found[0]}
    if len(content["categories"]) == 1:
        for bounds in row["intervals"].values():
            for name, (low, high) in _scores(bounds).items():
                cells |= {f"{name}_low": text(low), f"{name}_high": text(high)}
    lowest = {name: min(each[2] for each in epochs) for name, epochs in row["losses"].items() if epochs}
    for column, teachers in zip(LOSSES, (True, False), strict=True):
        chosen = [loss for name, loss in lowest.items() if (name in TEACHERS) == teachers]
        cells[column] = text(np.mean(chosen)) if chosen else ""
    return cells | row["spent"]


def text(value: Any) -> str:
    """A score or loss with four digits."""
    return f"{float(value):.4f}"


def _scores(category: Mapping[str, Any]) -> dict[str, Any]:
    """Scores by their columns; of what stage `interval` writes, pairs of low and high."""
    at_limits = {f"au_pro_{limit}": value for limit, value in category["au_pro_at"].items()}
    return at_limits | {"image_auroc": category["au_roc"]}


def seed_rows(cells: Sequence[Row], scores: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Over the seeds of each variant that was run with several; `cells` as `row_cells` gives them."""
    for name in dict.fromkeys(row["repeats"] for row in cells):
        same = [row for row in cells if row["repeats"] == name]
        for score in scores if len(same) > 1 else ():
            values = [float(row[score]) for row in same]
            yield {"variant": name, "seeds": len(same), "score": score, "mean": text(np.mean(values)),
                   "lowest": text(min(values)), "highest": text(max(values))}  # fmt: skip


def interval_rows(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Every score of every category with its interval."""
    for row in rows:
        for category, bounds in row["intervals"].items():
            values = _scores(row["scores"]["categories"][category])
            for name, (low, high) in _scores(bounds).items():
                cells = {"variant": row["variant"], "category": category, "score": name}
                yield cells | {"value": text(values[name]), "low": text(low), "high": text(high)}


def loss_rows(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Losses per epoch of every network."""
    for row in rows:
        for network, epochs in row["losses"].items():
            for epoch, train, validation in epochs:
                cells = {"variant": row["variant"], "network": network, "epoch": f"{epoch:.0f}"}
                yield cells | {"train": train, "validation": validation}


def time_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What all jobs took by stage, the longest first; a job that several rows share counts once."""
    jobs = {(name, time["seconds"], time["cpu_seconds"]): time for row in rows for name, time in row["times"].items()}
    digits = {"seconds": 1, "cpu_seconds": 1, "peak_mb": None}
    sums = [vars(time) for time in by_stage(Time(**time) for time in jobs.values())]
    return [cells | {name: round(cells[name], count) for name, count in digits.items()} for cells in sums]
