"""Draws docs/surrogates.png, one simulated cloud of each sensor: `python docs/draw_surrogates.py`."""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from st3d.simulation.range_sensors.surrogates import bin_picking_scenes, fragments, lidar_scans

SEED = 13
SHOWN = 34.0  # metres around the LiDAR


def main() -> None:
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 4.1), layout="constrained")
    (_, revolution), *_ = lidar_scans(1, 1.0, SEED)
    revolution = revolution[(np.abs(revolution[:, :2]) < [SHOWN, SHOWN * 0.8]).all(axis=1)]
    revolution = revolution[np.argsort(revolution[:, 2])]
    left.scatter(
        revolution[:, 0], revolution[:, 1], c=revolution[:, 2], s=0.15, cmap="viridis", vmin=-2, vmax=3, linewidths=0
    )
    left.set_title("simulated_kitti: from above, colour is height")
    _, (_, fragment) = fragments(2, 0.5, SEED)
    far = fragment[np.argsort(-fragment[:, 2])]
    place = far[:, :2] / far[:, 2:]
    middle.scatter(place[:, 0], -place[:, 1], c=far[:, 2], s=0.4, cmap="viridis_r", linewidths=0)
    middle.set_title("simulated_3dmatch: from the camera, colour is depth")
    *_, (_, pile) = bin_picking_scenes(3, 0.5, SEED)
    right.scatter(pile[:, 0], -pile[:, 1], c=pile[:, 2], s=0.1, cmap="viridis_r", linewidths=0)
    right.set_title("simulated_itodd: from the camera, colour is depth")
    for axes in (left, middle, right):
        axes.title.set_fontsize(9)
        axes.set_aspect("equal")
        axes.set_axis_off()
    path = Path(__file__).with_name("surrogates.png")
    figure.savefig(path, dpi=100, metadata={"Software": None})
    palette = Image.open(path).convert("RGB").quantize(96)  # a third of the bytes
    palette.save(path, optimize=True)


if __name__ == "__main__":
    main()
