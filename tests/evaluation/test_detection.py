"""A detector detects: the stages as the workflow calls them, from meshes and anomaly-free scans to AU-PRO."""

import csv
import json

from stage_call import call

from st3d.evaluation.maps import maps
from st3d.evaluation.score import score
from st3d.formats.scans import list_samples, read_map, read_mask
from st3d.kernels.pro import au_pro
from st3d.simulation.furniture.furniture import furniture
from st3d.simulation.scans.simulation import simulation
from st3d.student_teacher.downsampling import downsampling
from st3d.student_teacher.graph import graph
from st3d.student_teacher.scale import scale
from st3d.student_teacher.scenes import scenes
from st3d.student_teacher.student import student
from st3d.student_teacher.teacher import teacher

LIMIT = 0.3
CHANCE = LIMIT / 2  # of a random or constant map: PRO rises as the false positive rate does
WIDTH = 16
CODE = {"code": ""}
GRAPH = {"points": 600, "neighbours": 8}
MODEL = GRAPH | {"width": WIDTH, "blocks": 2, "coordinates": "relative"}
MACHINE = {"device": "cpu", "threads": 1, "cache_gb": 1.0} | CODE
CATEGORY = "dowel"


def make_data(folder):
    """A category's simulated scans, and furniture to pretrain on."""
    counts = {"training": 12, "validation": 2, "test_good": 2, "test_per_defect": 3}
    simulation(category=CATEGORY, output=folder / "data", resolution=0.25, **counts, seed=2, **CODE)
    furniture(output=folder / "meshes", training=2, test=1, seed=1, **CODE)


def make_graphs(folder):
    for split, clouds in (("train", 24), ("validation", 3)):
        settings = {"objects": 4, "half_width": 1.5, "points": 600, "dense_factor": 4.0, "validation_share": 0.05}
        settings |= {"part": 0, "parts": 1, "seed": 3, "origin": ""} | CODE
        output = folder / f"raw_scenes_{split}.h5"
        scenes(source=[folder / "meshes"], split=split, clouds=clouds, output=output, **settings)
        graph(input=output, output=folder / f"scenes_{split}.h5", **GRAPH, **CODE)
    for split in ("train", "validation", "test"):
        settings = {"part": 0, "parts": 1, "points": 600, "invalid": "refuse", "seed": 4} | CODE
        output = folder / f"raw_{split}.h5"
        downsampling(dataset=folder / "data", category=CATEGORY, split=split, output=output, **settings)
        graph(input=output, output=folder / f"{split}.h5", **GRAPH, **CODE)
    for name in ("scenes_", ""):
        scale(train=[folder / f"{name}train.h5"], output=folder / f"{name}scale.json", **GRAPH, **CODE)


def train(folder):
    """Train teacher and student; the student's validation loss after each epoch."""
    settings = {
        "weights": "trained",
        "epochs": 20,
        "patience": 0,
        "schedule": "constant",
        "learning_rate": 1e-3,
        "weight_decay": 1e-6,
        "seed": 5,
    }
    settings |= {"receptive_fields": 16, "decoded_points": 64} | MODEL | MACHINE
    files = {"train": [folder / "scenes_train.h5"], "validation": [folder / "scenes_validation.h5"]}
    files |= {"scale": folder / "scenes_scale.json", "teacher": folder / "teacher.pt"}
    call(teacher, **files, curve=folder / "teacher.csv", **settings)
    settings = {
        "epochs": 100,
        "patience": 0,
        "schedule": "constant",
        "learning_rate": 3e-3,
        "weight_decay": 1e-5,
        "rotation": "none",
        "seed": 6,
    }
    settings |= {"downsampling_seed": 4} | MODEL | MACHINE
    files |= {"train": [folder / "train.h5"], "validation": [folder / "validation.h5"], "scale": folder / "scale.json"}
    call(student, **files, student=folder / "student.pt", curve=folder / "student.csv", **settings)
    with (folder / "student.csv").open(newline="") as file:
        return [float(row["validation"]) for row in csv.DictReader(file)]


def test_a_detector_finds_the_defects_of_a_category_that_it_saw_without(tmp_path):
    """Simulated dowels, twelve anomaly-free ones to learn from, eleven test scans with and without defects.

    The sizes were chosen once by the student's validation loss: a student that always answers 0 costs d = 16, and
    after 100 epochs it is 0.73. Measured: AU-PRO 0.875 at limit 0.3, of the negated maps 0.000.

    That it beats a teacher with random weights is not asserted: the order depends on seed and category. AU-PRO trained
    / random, one seed each, at this size: dowels 0.875 / 0.880 (validation loss of the latter 0.41), cookies 0.480 /
    0.471, cable glands 0.432 / 0.346, steep bumps and holes in smooth random surfaces 0.419 / 0.444; at 1,000 points,
    d = 32 and 60 epochs: dowels 0.893 / 0.871, cookies 0.497 / 0.474. Cable glands at the paper's depth (4 blocks, k =
    16, 800 points), 50 s of CPU, in brackets the students' validation losses as fractions of d:

    ============ ============================= =============================
    seeds        d = 16, 960 teacher steps     d = 32, 720 teacher steps
    ============ ============================= =============================
    5, 6         0.472 / 0.404 (0.094 / 0.047) 0.390 / 0.426 (0.077 / 0.030)
    15, 16       0.424 / 0.420 (0.059 / 0.025) 0.423 / 0.511 (0.116 / 0.045)
    25, 26       0.399 / 0.509 (0.039 / 0.027) 0.526 / 0.497 (0.126 / 0.071)
    ============ ============================= =============================

    The mean difference is -0.022, its standard deviation 0.069. In 170 s (d = 16, 4,800 teacher steps, 4 meshes, 16
    scans): 0.473 / 0.425 (0.055 / 0.024) with seeds 5, 6 and 0.501 / 0.456 (0.032 / 0.010) with 15, 16. In 215 s (2,000
    points, d = 32, 3,360 steps), 5, 6: 0.492 / 0.489 (0.042 / 0.018). So the teacher's budget may decide; not settled.
    With seed 5 the teachers have hardly learned: a decoder that ignores its descriptor, trained for 1,000 steps at 800
    points (960 steps of the teacher) and 600 at 2,000, has the validation loss 1.69 and 2.73, the
    teachers 1.59 (d = 16) and 2.68.
    The paper's teacher takes 250,000 steps.
    """
    make_data(tmp_path)
    make_graphs(tmp_path)
    losses = train(tmp_path)
    assert min(losses) < 0.1 * WIDTH, "converged: a small part of what a constant student costs"

    files = {"test": [tmp_path / "test.h5"], "output": tmp_path / "maps" / CATEGORY, "manifest": tmp_path / "maps.csv"}
    models = [tmp_path / "teacher.pt", tmp_path / "student.pt"]
    maps(method="3d_st", models=models, **files, device="cpu", threads=1, **CODE)
    files = {"dataset": tmp_path / "data", "maps": tmp_path / "maps", "manifest": tmp_path / "maps.csv"}
    score(
        category=CATEGORY,
        **files,
        objects=[],
        output=tmp_path / "score.json",
        pixels="scan",
        limits=[LIMIT],
        thresholds=100,
        **CODE,
    )
    found = json.loads((tmp_path / "score.json").read_text())["au_pro"]

    samples = list_samples(tmp_path / "data", CATEGORY, "test")
    scores = [read_map(tmp_path / "maps" / CATEGORY / "test" / f"{sample.name}.tiff") for sample in samples]
    masks = [read_mask(sample.mask) for sample in samples]
    assert au_pro([0 * each for each in scores], masks, LIMIT) == CHANCE
    assert found == au_pro(scores, masks, LIMIT) > 4 * CHANCE
    assert au_pro([-each for each in scores], masks, LIMIT) < CHANCE, "inverted maps are worse than chance"
