"""A data set in MVTec 3D-AD's layout, small enough for a test: a tilted plane with a bump, seen by its camera."""

import json

import numpy as np
import tifffile
from PIL import Image

from st3d.kernels.geometry.camera import Camera

SIDE = 64
CAMERA = Camera(0.0103431, -2205.03, 2.4e-5, 2.4e-5, 8.0, 31.0, SIDE, SIDE)
NORMAL = np.array([0.1, -0.35, -0.93]) / np.linalg.norm([0.1, -0.35, -0.93])
OFFSET = -0.61  # metres


def small_scan(rng, bump=0.02, shift=(0.0, 0.0, 0.0)):
    """xyz (h, w, 3) float32 in metres with missing pixels, and colours (h, w, 3) uint8; the camera sees xyz + shift."""
    rays = CAMERA.rays()
    depth = OFFSET / (rays @ NORMAL)
    row, column = np.mgrid[:SIDE, :SIDE]
    where = rng.uniform(24, 40, 2)
    depth = depth - bump * np.exp(-((row - where[0]) ** 2 + (column - where[1]) ** 2) / 50)
    xyz = rays * depth[..., None] - np.array(shift)
    xyz[rng.random((SIDE, SIDE)) < 0.2] = 0
    return xyz.astype(np.float32), rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def write_small_dataset(folder, rng, counts=(3, 1, 2), colours=True, shift=(0.0, 0.0, 0.0)):
    """`counts` training, validation and anomaly-free test scans of category `part`, and one with a defect `dent`."""
    category = folder / "part"
    (category / "calibration").mkdir(parents=True)
    (category / "calibration" / "camera_parameters.json").write_text(json.dumps(CAMERA.parameters()))
    places = zip(("train/good", "validation/good", "test/good", "test/dent"), (*counts, 1), strict=True)
    for place, count in places:
        for kind in ("xyz", "rgb", "gt"):
            (category / place / kind).mkdir(parents=True)
        for number in range(count):
            dent = place.endswith("dent")
            xyz, rgb = small_scan(rng, shift=shift)
            mask = np.zeros((SIDE, SIDE), np.uint8)
            if dent:
                mask[10:16, 44:50] = 255
                xyz[mask > 0] *= 0.98
            tifffile.imwrite(category / place / "xyz" / f"{number:03d}.tiff", xyz, photometric="rgb")
            if colours:
                Image.fromarray(rgb).save(category / place / "rgb" / f"{number:03d}.png")
            Image.fromarray(mask).save(category / place / "gt" / f"{number:03d}.png")
    return folder
