"""What calibrated 3D-ST compares of a scan: teacher's and student's features, averaged in cells of its image.

Letters: q points with a descriptor, c descriptor dimension, m cells along each side, s rows and columns of an object
image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from st3d.formats.images import Images
from st3d.formats.shards import Cloud
from st3d.kernels.cells import cell_means
from st3d.kernels.graph import Graph
from st3d.kernels.interpolation import from_nearest
from st3d.student_teacher.pair import Pair
from st3d.training.inputs import Inputs
from st3d.training.memory import read_ahead

Term = Literal["descriptors", "residuals", "error", "mahalanobis"]
BANKS: tuple[Term, ...] = ("descriptors", "residuals")  # those that are compared with a bank of training scans


@dataclass(frozen=True, kw_only=True)
class CellSettings:
    """Cells of a scan's image.

    Parameters
    ----------
    cells
        m, cells along each side of the square that the scan is padded to.
    window
        Cells along each side of the windows, one around each cell, whose mean is taken; odd.
    """

    cells: int
    window: int


@dataclass(frozen=True)
class Scan:
    """One scan, and what is looked at of it.

    Attributes
    ----------
    cloud, graph
        Its points.
    places
        (p, 3) float32, metres, of the valid pixels of its object image.
    valid
        (s, s) bool, which pixels these are.
    """

    cloud: Cloud
    graph: Graph
    places: np.ndarray
    valid: np.ndarray

    def averaged(self, features: Tensor, settings: CellSettings) -> Tensor:
        """Features of points, averaged in cells.

        A pixel's features are interpolated from the nearest points; a pixel that is not valid has zeros, which count:
        so at a silhouette features are as small as the part of the cell that the object fills.

        Parameters
        ----------
        features
            (q, c) float32, in the order of the cloud.
        settings
            Cells and window.

        Returns
        -------
        (m * m, c) float32, on the device of `features`, in row-major order
        """
        pixels = from_nearest(self.cloud.points[: len(features)], features.cpu().numpy(), self.places)
        image = torch.zeros(features.shape[1], *self.valid.shape)
        image[:, torch.from_numpy(self.valid)] = torch.from_numpy(pixels.T.astype(np.float32))
        cells = cell_means(image, settings.cells, window=1).T.view(-1, settings.cells, settings.cells)
        smooth = avg_pool2d(cells[None], settings.window, stride=1, padding=settings.window // 2)
        return smooth[0].flatten(1).T.contiguous().to(features.device)


def scans_of(pair: Pair, shards: Sequence[Path], images: Path) -> Iterator[Scan]:
    """All scans of a split, by name, so that no order of files counts.

    Parameters
    ----------
    pair
        Teacher and student; it says which graphs are expected.
    shards
        The split's graphs.
    images
        Its object images; pixels that a mask has removed count as not valid.

    Yields
    ------
    Scan

    Raises
    ------
    ValueError
        One line with the file: it holds no object images, or other scans than the graphs.
    """
    device = pair.mean.device
    with Inputs(shards, pair.points, pair.neighbours, pair.scale, device) as clouds, Images(images) as pictures:
        if pictures.kind != "objects":
            raise pictures.bad("object images", pictures.kind)
        row = {name.decode(): index for index, name in enumerate(pictures.read("sample", slice(None)))}
        names = [clouds.cloud(index).sample for index in range(len(clouds))]
        if sorted(row) != sorted(name or "" for name in names):
            raise pictures.bad(f"the {len(names)} scans of {shards[0].parent}", f"{len(row)} scans, or of other names")

        def read(index: int) -> Scan:
            cloud = clouds.cloud(index)
            assert cloud.sample is not None  # compared above
            xyz = pictures.image(row[cloud.sample], "3d").values
            valid = (xyz != 0).any(axis=0)
            return Scan(cloud, clouds.scaled(cloud), xyz[:, valid].T, valid)

        order = sorted(range(len(names)), key=lambda index: names[index] or "")
        yield from read_ahead((partial(read, index) for index in order), device)
