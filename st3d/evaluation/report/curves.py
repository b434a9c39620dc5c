"""Figures of what was computed on the way: PRO curves, losses, and scores of whole scans with their threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from st3d.evaluation.report.figures import COLOURS, Figure, Panel, Series
from st3d.evaluation.report.paper_figures import colours, label

LARGEST = 0.3  # false positive rate up to which a PRO curve is drawn: the largest integration limit
GOOD, DEFECTIVE = COLOURS[2], COLOURS[6]


@dataclass(frozen=True)
class ScanScores:
    """Scores of a category's whole scans, each the largest of its map, and the threshold.

    Attributes
    ----------
    category
        Its name.
    good, defective
        Scores of the test scans.
    validation
        Scores of the validation scans, all anomaly-free; none where they have no maps.
    """

    category: str
    good: tuple[float, ...]
    defective: tuple[float, ...]
    validation: tuple[float, ...]

    @property
    def threshold(self) -> float | None:
        """The largest score of an anomaly-free validation scan; no test scan counts. None without such scans."""
        return max(self.validation, default=None)

    def above(self, scores: Sequence[float]) -> int:
        """How many scores lie above the threshold."""
        assert self.threshold is not None
        return sum(score > self.threshold for score in scores)


def scan_scores(category: str, test: pd.DataFrame, validation: pd.DataFrame | None) -> ScanScores:
    """The scores in two lists of maps.

    Parameters
    ----------
    category
        Their category.
    test, validation
        Lists of maps, as stage `maps` writes them, all text; validation may be missing.

    Returns
    -------
    ScanScores
    """
    is_good = test["sample"].str.startswith("good/")
    scores = test["score"].astype(float)
    kept = () if validation is None else tuple(validation["score"].astype(float))
    return ScanScores(category, tuple(scores[is_good]), tuple(scores[~is_good]), kept)


def pro_curves(curves: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """PRO over the false positive rate.

    Parameters
    ----------
    curves
        Contents of the score JSONs by category and, in these, by method.

    Returns
    -------
    Figure, a panel per category
    """
    colour = colours([method for scores in curves.values() for method in scores])
    panels = []
    for category, scores in curves.items():
        series = []
        for method, score in scores.items():
            fpr, pro = (np.asarray(score[f"pro_curve_{name}"]) for name in ("fpr", "pro"))
            inside = fpr <= LARGEST
            x = [*fpr[inside].round(5), LARGEST]
            y = [*pro[inside].round(5), round(float(np.interp(LARGEST, fpr, pro)), 5)]
            series.append(Series(name=label(method), x=x, y=y, colour=colour[method]))
        panel = Panel(title=label(category), x="false positive rate", y="PRO", range=(0.0, 1.0), series=series)
        panels.append(panel)
    caption = (
        "PRO (the share of each defect's area above the threshold, averaged over defects) over the false positive rate"
        " of all anomaly-free pixels, up to the largest integration limit, 0.3."
    )
    return Figure(name="pro_curves", title="PRO curves", caption=caption, panels=panels)


def losses(curves: Mapping[str, pd.DataFrame], units: Mapping[str, str], note: str) -> Figure:
    """Losses over the epochs with the epoch that was kept.

    Parameters
    ----------
    curves
        Columns epoch, train and validation, all numbers, by what was trained; one row or more.
    units
        Of the y axes, by what was trained; `other` for all else.
    note
        For the caption.

    Returns
    -------
    Figure, a panel per training
    """
    panels = []
    for name, rows in curves.items():
        kept = rows.loc[rows["validation"].idxmin()]
        epochs = rows["epoch"].tolist()
        series = [
            Series(name="training", x=epochs, y=rows["train"].tolist(), colour="#9aa3af", style="dashes"),
            Series(name="validation", x=epochs, y=rows["validation"].tolist(), colour=COLOURS[0]),
            Series(
                name=f"kept: epoch {int(kept['epoch'])}", x=[kept["epoch"]], y=[kept["validation"]],
                colour=COLOURS[1], style="marks",
            ),
        ]  # fmt: skip
        unit = units.get(name, units["other"])
        panels.append(Panel(title=label(name), x="epoch", y=unit, series=series, logarithmic="y"))
    caption = f"Losses per epoch. The epoch of the lowest validation loss is kept; no test scan takes part. {note}"
    return Figure(name="losses", title="Losses", caption=caption, panels=panels)


def histograms(scores: Sequence[ScanScores], unit: str) -> Figure:
    """How many test scans have which score, with the threshold.

    Parameters
    ----------
    scores
        Of each category.
    unit
        Of a score.

    Returns
    -------
    Figure, a panel per category
    """
    panels = []
    for each in scores:
        series = [
            Series(name="anomaly-free", x=each.good, y=[], colour=GOOD, style="histogram"),
            Series(name="defective", x=each.defective, y=[], colour=DEFECTIVE, style="histogram"),
        ]
        line = None if each.threshold is None else (each.threshold, "threshold")
        panels.append(Panel(title=label(each.category), x="score of a scan", y="test scans", series=series, line=line))
    caption = (
        f"Scores of whole test scans: the largest value of each map ({unit}). The threshold is the largest"
        " score among the category's anomaly-free validation scans; test scans have no part in it."
    )
    return Figure(name="scan_scores", title="Scores of whole scans", caption=caption, panels=panels)
