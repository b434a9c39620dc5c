"""Image AUROC of each way to score a scan as a whole, on simulated scans: `python -m benchmarks.image_scores RESULTS DATA`.

RESULTS and DATA are a finished run's folders; the base's and width128's students are judged. No real scan is read.
"""

import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import torch

from st3d.kernels.image_scores import ImageScore, image_score
from st3d.kernels.pro import auroc
from st3d.student_teacher.pair import load_pair
from st3d.training.device import set_threads
from st3d.training.inputs import Inputs

VARIANTS = {"base": "base", "width128": "width128"}  # variant: who owns its teacher


def scored(results: Path, variant: str, category: str, split: str) -> list[tuple[str, dict[str, float]]]:
    """The name of each scan of a split, and its score by every method."""
    pair = load_pair(
        results / f"teacher/{variant}/teacher.pt",
        results / f"student/{variant}/{category}/student.pt",
        torch.device("cpu"),
    )
    found = []
    shard = results / f"graph/base/{category}/{split}_0.h5"
    with Inputs([shard], pair.points, pair.neighbours, pair.scale, torch.device("cpu")) as clouds:
        for index in range(len(clouds)):
            cloud = clouds.cloud(index)
            points = pair.scores(clouds.scaled(cloud)).numpy()
            found.append(
                (cloud.sample, {name: image_score(name, points, cloud.neighbours) for name in get_args(ImageScore)})
            )
    return found


def main(results: Path) -> None:
    set_threads(1)
    rows = []
    for variant in VARIANTS:
        for folder in sorted((results / "student" / variant).iterdir()):
            test = scored(results, variant, folder.name, "test")
            good = np.array([[*each.values()] for _, each in scored(results, variant, folder.name, "validation")])
            labels = [not name.startswith("good/") for name, _ in test]
            for place, method in enumerate(get_args(ImageScore)):
                spread = float(np.log(good[:, place]).std(ddof=1))
                value = auroc([each[method] for _, each in test], labels)
                rows.append(
                    {"variant": variant, "category": folder.name, "method": method, "auroc": value, "spread": spread}
                )
    table = pd.DataFrame(rows)
    for value in ("auroc", "spread"):
        shown = table.pivot_table(value, ["variant", "category"], "method")[list(get_args(ImageScore))]
        sys.stdout.write(f"{value}\n{shown.to_string(float_format='%.3f')}\n")
        sys.stdout.write(f"{shown.groupby('variant').mean().to_string(float_format='%.3f')}\n\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
