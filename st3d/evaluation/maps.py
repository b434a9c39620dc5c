"""Stage `maps`: an anomaly score for every pixel of a category's test scans, by 3D-ST or another method."""

import importlib
import logging
from pathlib import Path

from st3d.evaluation.methods import MODULES, Method
from st3d.formats.atomic import write_csv
from st3d.formats.folders import replaced
from st3d.formats.scans import write_map
from st3d.training.device import Device, choose_device, set_threads

log = logging.getLogger("st3d")


def maps(
    *,
    method: Method,
    models: list[Path],
    test: list[Path],
    output: Path,
    manifest: Path,
    device: Device,
    threads: int,
    code: str,
) -> None:
    """Score every pixel of every test scan of a category.

    Parameters
    ----------
    method
        3d_st, one of MVTec 3D-AD's own, or a memory bank.
    models
        Teacher and student of 3D-ST, or another method's one model.
    test
        The category's test scans: shards with graphs for 3D-ST, one file of images for the others.
    output
        Folder for one float32 TIFF per scan, test/<defect>/<id>.tiff; an earlier `test` is replaced as a whole.
    manifest
        CSV to write: sample, height and width in pixels, scored points (voxels, pixels), image score.
    device
        auto, cpu or cuda.
    threads
        CPU threads.
    code
        Fingerprint of the code; not kept, a map is only numbers.

    Raises
    ------
    ValueError
        If a model or a test file is not what the method needs.
    """
    set_threads(threads)
    target = choose_device(device)
    maps_of = importlib.import_module(f"st3d.{MODULES[method]}").maps_of
    rows = []
    with replaced(output / "test") as folder:
        for each in maps_of(models, test, target):
            write_map(folder / f"{each.sample}.tiff", each.scores)
            height, width = each.scores.shape
            row = {"sample": each.sample, "height": height, "width": width, "points": each.points}
            rows.append(row | {"score": repr(float(each.score))})
    write_csv(manifest, rows, ["sample", "height", "width", "points", "score"])
