"""A study small enough for a test of its report: two categories, scans, maps, scores and tables."""

import csv

import numpy as np
import tifffile
from PIL import Image

from st3d.evaluation.report.report import report
from st3d.evaluation.score import score
from st3d.evaluation.tables import tables
from st3d.evaluation.variant import variant
from st3d.formats.atomic import write_csv, write_json
from st3d.formats.scans import write_map

SIZE = (40, 48)
SAMPLES = ("crack/000", "crack/001", "crack/002", "good/000", "good/001", "hole/000")
LIMITS = [0.01, 0.05, 0.1, 0.2, 0.3]
BASE = {"varied": "none", "group": "", "weights": "teacher, trained on simulated", "pretraining": "simulated",
        "method": "3d_st", "modality": "3d", "latent": 0, "points": 1000, "neighbours": 8, "width": 64}  # fmt: skip
VARIANTS = {
    "base": {},
    "points_half": {"varied": "points", "points": 500},
    "random_weights": {"varied": "other", "weights": "teacher, random"},
    "voxel_vm": {"method": "voxel_vm", "weights": ""},
}


class SmallStudy:
    """Files of a study below a folder; `report` makes the page of them.

    Parameters
    ----------
    folder
        Where.
    rng
        Of the scans and maps.
    categories
        Their names.
    """

    def __init__(self, folder, rng, categories=("bagel", "tire")):
        self.folder, self.categories, self.run = folder, list(categories), []
        for category in categories:
            for sample in SAMPLES:
                _write_scan(folder / "data" / category / "test", sample, rng, colours=category == "bagel")
            for name in VARIANTS:
                _write_maps(folder, name, category, rng)
            write_csv(folder / f"student/{category}.csv", LOSSES, ["epoch", "train", "validation"])
        write_csv(folder / "teacher.csv", LOSSES, ["epoch", "train", "validation"])

    def run_variants(self, *names, **changes):
        """Score some of VARIANTS."""
        for name in names:
            for category in self.categories:
                maps = self.folder / "maps" / name
                files = {
                    "manifest": maps / category / "maps.csv",
                    "output": self.folder / f"score/{name}/{category}.json",
                    "objects": [],
                    "pixels": "scan",
                }
                score(
                    dataset=self.folder / "data",
                    category=category,
                    maps=maps,
                    limits=LIMITS,
                    thresholds=20,
                    code="c",
                    **files,
                )
            scores = [self.folder / f"score/{name}/{category}.json" for category in self.categories]
            output = self.folder / f"variant/{name}.json"
            settings = BASE | {"dataset": "simulated", "preset": "small"} | VARIANTS[name] | changes
            variant(variant=name, score=scores, categories=self.categories, output=output,
                    table=output.with_suffix(".csv"), code="abc123", **settings)  # fmt: skip
            cost = {"inference_seconds": 0.25, "inference_memory_gb": 0.5, "training_memory_gb": 1.5, "device": "a CPU"}
            write_json(self.folder / f"cost/{name}.json", cost)
            self.run.append(name)
        return self

    def table(self, name, *variants):
        """Write a table of some variants; returns its rows."""
        output = self.folder / f"tables/{name}.csv"
        chosen = [self.folder / f"variant/{each}.json" for each in variants]
        costs = [self.folder / f"cost/{each}.json" for each in variants] if name == "table3" else []
        tables(table=name, variants=chosen, costs=costs, output=output, code="c")
        with output.open(newline="") as file:
            return list(csv.DictReader(file))

    def report(self, **changes):
        """Write the report; returns the page's path."""
        flags = {
            "tables": sorted((self.folder / "tables").glob("*.csv")),
            "variants": [self.folder / f"variant/{name}.json" for name in self.run],
            "methods": [name for name in ("base", "voxel_vm") if name in self.run],
            "shown": self.run[0], "method": "3d_st", "categories": self.categories,
            "dataset": self.folder / "data", "maps": self.folder / f"maps/{self.run[0]}",
            "validation_maps": self.folder / "validation_maps", "curves_of": ["teacher", *self.categories],
            "curve": [self.folder / "teacher.csv", *(self.folder / f"student/{name}.csv" for name in self.categories)],
            "preset": "small", "settings": ["graph.points=1000", "student.epochs=3"], "logs": [self.folder],
            "output": self.folder / "report/index.html", "code": "c",
        }  # fmt: skip
        flags |= changes
        scores = [self.folder / f"score/{name}/{each}.json" for name in flags["methods"] for each in self.categories]
        report(**({"scores": scores} | flags))
        return flags["output"]


LOSSES = [
    {"epoch": 1, "train": 3.0, "validation": 2.5},
    {"epoch": 2, "train": 2.0, "validation": 1.5},
    {"epoch": 3, "train": 1.0, "validation": 1.75},
]


def whole_study(folder, rng):
    """A study with all variants and tables."""
    study = SmallStudy(folder, rng).run_variants(*VARIANTS)
    study.table("table1", "base", "voxel_vm")
    study.table("table2", "base")
    study.table("table3", "base", "points_half")
    study.table("table4", "random_weights")
    study.table("auroc", "base", "voxel_vm")
    study.table("mvtec_table2", "voxel_vm")
    return study


def _write_scan(test, sample, rng, colours):
    """A bump on a plane with missing pixels; a defect is a dent."""
    defect, number = sample.split("/")
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    bump = 0.03 * np.exp(-(((y - 20) ** 2 + (x - 24) ** 2) / 120))
    mask = np.zeros(SIZE, bool)
    if defect != "good":
        mask[22:28, 18 + 2 * int(number) : 24 + 2 * int(number)] = True
    depth = 0.6 - bump + 0.004 * mask
    scan = np.stack([(x - 24) * 0.002, (y - 20) * 0.002, depth], axis=2).astype(np.float32)
    scan[rng.random(SIZE) < 0.1] = 0
    for kind in ("xyz", "rgb", "gt"):
        (test / defect / kind).mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(test / defect / "xyz" / f"{number}.tiff", scan, photometric="rgb")
    Image.fromarray(mask.astype(np.uint8) * 255).save(test / defect / "gt" / f"{number}.png")
    if colours:
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(test / defect / "rgb" / f"{number}.png")


def _write_maps(folder, name, category, rng):
    """Maps that find the defects of crack/000 well and of the others less; validation scans score up to 4."""
    maps, rows = folder / "maps" / name / category, []
    for sample in SAMPLES:
        defect, number = sample.split("/")
        scores = rng.random(SIZE).astype(np.float32) * 2
        if defect != "good":
            scores[22:28, 18 + 2 * int(number) : 24 + 2 * int(number)] += 3.0 / (1 + int(number))
        write_map(maps / "test" / f"{sample}.tiff", scores)
        rows.append({"sample": sample, "score": float(scores.max())})
    write_csv(maps / "maps.csv", rows, ["sample", "score"])
    validation = [{"sample": f"good/00{number}", "score": each} for number, each in enumerate((1.5, 4.0, 2.5))]
    write_csv(folder / "validation_maps" / category / "maps.csv", validation, ["sample", "score"])
