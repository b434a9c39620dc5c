"""How well ways to score a scan as a whole tell defective scans from good ones: `python -m benchmarks.image_scores`.

A detector is fitted to simulated scans of each part; image AUROC of each measure on new ones, good and defective, and
the relative spread of its values over good ones. No real scan is read. Some three minutes a part on one core; writes
results/image_scores.csv.
"""

import sys
from collections.abc import Callable, Iterator
from typing import get_args

import numpy as np
import pandas as pd

from benchmarks.measure import ROOT
from st3d.detector import Detector
from st3d.kernels.auroc import auroc
from st3d.kernels.image_scores import ImageScore, image_score
from st3d.kernels.points import downsample_scan, neighbours
from st3d.simulation.scans.samples import CATEGORIES, SampleGenerator
from st3d.student_teacher.calibration import Model
from st3d.training.inputs import scaled

PARTS = {"cable_gland": 1.0, "dowel": 1.0, "bagel": 0.5, "foam": 0.5, "carrot": 0.5, "tire": 0.5}  # resolution
TRAINING, VALIDATION, GOOD, DEFECTIVE = 20, 12, 20, 6  # scans; DEFECTIVE of each kind
STEPS, SEED = 700, 77
UNSEEN = "color"  # a defect without shape
Measure = Callable[[np.ndarray, np.ndarray], float]


def smoothed(scores: np.ndarray, near: np.ndarray, times: int) -> np.ndarray:
    """Each point's mean with its neighbours, several times."""
    for _ in range(times):
        scores = (scores + scores[near].sum(axis=1)) / (1 + near.shape[1])
    return scores


def measures() -> dict[str, Measure]:
    """The package's, and those that were tried beside them."""
    found: dict[str, Measure] = {name: lambda s, _, name=name: image_score(name, s) for name in get_args(ImageScore)}  # type: ignore[misc]
    found |= {"mean": lambda s, _: s.mean(), "median": lambda s, _: np.median(s), "std": lambda s, _: s.std()}
    found |= {
        "root_mean_square": lambda s, _: np.sqrt(np.square(s).mean()),
        "quantile_99.9": lambda s, _: np.quantile(s, 0.999),
    }
    for times in (1, 2, 4):
        found[f"smoothed_{times}_maximum"] = lambda s, near, times=times: smoothed(s, near, times).max()  # type: ignore[misc]
        found[f"smoothed_{times}_top_1_percent"] = lambda s, near, times=times: image_score(  # type: ignore[misc]
            "top_1_percent", smoothed(s, near, times)
        )
    return found


def point_scores(model: Model, scan: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a scan's points, and their neighbours."""
    pair = model.pair
    points, _ = downsample_scan(scan, pair.points, pair.downsampling_seed)
    near = neighbours(points, pair.neighbours)
    return pair.scores(scaled(points, near, pair.scale, pair.mean.device)).numpy().astype(np.float64), near


def rows(part: str) -> Iterator[dict]:
    """AUROC and spread of every measure for one part."""
    generator = SampleGenerator(part, PARTS[part], SEED)
    splits = [
        [generator.sample(split, each).xyz for each in range(n)] for split, n in enumerate((TRAINING, VALIDATION, GOOD))
    ]
    kinds = [kind for kind in CATEGORIES[part].defect_names() if kind != UNSEEN]
    defective = [
        generator.sample(3 + split, each, kind).xyz for split, kind in enumerate(kinds) for each in range(DEFECTIVE)
    ]
    detector = Detector(steps=STEPS, threads=1).fit(splits[0], validation=splits[1])
    found = [point_scores(detector._model, scan) for scan in [*splits[2], *defective]]
    labels = [False] * GOOD + [True] * len(defective)
    for name, measure in measures().items():
        values = [measure(*each) for each in found]
        spread = float(np.std(np.log(values[:GOOD]), ddof=1))
        yield {"part": part, "measure": name, "auroc": auroc(values, labels), "spread": spread}


def main(parts: list[str]) -> None:
    table = pd.DataFrame([row for part in parts or PARTS for row in rows(part)])
    table.to_csv(ROOT / "results/image_scores.csv", index=False)
    shown = table.pivot(index="measure", columns="part", values="auroc")
    shown["mean"] = shown.mean(axis=1)
    sys.stdout.write(f"{shown.sort_values('mean', ascending=False).to_string(float_format='%.3f')}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
