"""Stage `graph`: the first points of each downsampled cloud, and their nearest neighbours."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from st3d.formats.shards import Cloud, index_type, read_shard, write_shard
from st3d.kernels.points import neighbours as nearest
from st3d.training.progress_bar import counted


def graph(*, input: Path, points: int, neighbours: int, output: Path, code: str) -> None:
    """Take the first points of each cloud and find every point's nearest neighbours.

    Parameters
    ----------
    input
        Shard (HDF5) of downsampled clouds, of scenes or of scans.
    points
        Points to take of each cloud, the first in the order of farthest point sampling; a smaller cloud keeps all.
    neighbours
        Nearest neighbours to find of each point, itself left out, the nearest first.
    output
        Shard (HDF5) to write.
    code
        Fingerprint of this stage's source, kept in the shard.

    Raises
    ------
    ValueError
        One line with the shard: it is damaged or made for fewer points, or a cloud has `neighbours` points or fewer.
    """
    with read_shard(input) as shard:
        stored = shard.attributes["settings"].get("points", points)
        if points > stored:
            raise ValueError(f"{input}: expected clouds of {points} points, found a sample of {stored}")

        def clouds() -> Iterator[Cloud]:
            for index in counted(range(len(shard)), "graph", len(shard)):
                cloud = shard.cloud(index)
                pixel = None if cloud.pixel is None else cloud.pixel[:points]
                cloud = replace(cloud, points=cloud.points[:points], pixel=pixel)
                n = len(cloud.points)
                if n <= neighbours:
                    name = cloud.sample or f"cloud {index}"
                    raise ValueError(f"{input}: expected {neighbours + 1} points or more in {name}, found {n}")
                near = nearest(cloud.points, neighbours)
                yield replace(cloud, neighbours=near.astype(index_type(points)))

        settings = {"points": points, "neighbours": neighbours, "input": shard.attributes["settings"]}
        write_shard(output, clouds(), settings=settings, code=code)
