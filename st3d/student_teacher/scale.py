"""Stage `scale`: the mean distance s of a point to its neighbours over a training set; networks see points / s."""

from pathlib import Path

import numpy as np

from st3d.formats.atomic import write_json
from st3d.formats.provenance import provenance
from st3d.formats.shards import Cloud, clouds


def scale(*, train: list[Path], points: int, neighbours: int, output: Path, code: str) -> None:
    """Measure the mean distance of a point to its nearest neighbours, over all points of all training clouds.

    Parameters
    ----------
    train
        Shards (HDF5) of the training split, all of its parts in order, with neighbours.
    points
        Points of each cloud.
    neighbours
        Nearest neighbours of a point that count.
    output
        JSON file to write: `scale` in the clouds' unit (scans: metres), and what it was measured on.
    code
        Fingerprint of this stage's source, kept in the file.

    Raises
    ------
    ValueError
        One line with the shard: it is damaged, has another n or k, a part is missing, or no two points are distinct.
    """
    total, count = 0.0, 0
    with clouds(train, points, neighbours) as training:
        for cloud in training:
            total += distance_sum(cloud)
            count += len(cloud.points)
        number = len(training)
    if total == 0:
        raise ValueError(f"{train[0]}: expected training clouds of distinct points, found {number} clouds without any")
    origin = provenance({"points": points, "neighbours": neighbours}, code)
    measured = {"scale": total / (count * neighbours), "clouds": number, "points": count, "neighbours": neighbours}
    write_json(output, measured | origin)


def distance_sum(cloud: Cloud) -> float:
    """Sum of the distances of all points to their neighbours.

    Parameters
    ----------
    cloud
        With neighbours.

    Returns
    -------
    float, in the cloud's unit, summed in float64
    """
    assert cloud.neighbours is not None  # asked for; the shard has refused otherwise
    points = cloud.points.astype(np.float64)
    total = 0.0
    for near in cloud.neighbours.T:  # one neighbour at a time: (n, 3) in memory, not (n, k, 3)
        total += float(np.linalg.norm(points[near] - points, axis=1).sum())
    return total
