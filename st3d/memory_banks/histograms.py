"""BTF's features: fast point feature histograms of an object image, averaged in coarse cells.

Horwitz and Hoshen, "Back to the Feature", CVPR Workshops 2023, as their code has it: 3D-ADS, methods "FPFH". Not to be
confused with the extractor of that name, whose normals are oriented and whose neighbours are the graph's.
"""

import numpy as np
import torch
from torch import Tensor

from st3d.kernels.cells import cell_means
from st3d.kernels.open3d_library import open3d_module

NUMBERS = 33  # of a histogram
NORMAL_RADIUS, RADIUS = 0.1, 0.25  # m; so wide that the nearest points are as many as are asked for
WINDOW = 3  # pixels along each side of the windows that are averaged first


def histograms(image: np.ndarray, normals: int, neighbours: int) -> np.ndarray:
    """Fast point feature histograms of all pixels, with unoriented normals.

    Parameters
    ----------
    image
        (3, s, s) float32, xyz in metres, (0, 0, 0) where there is no point.
    normals
        Nearest points, itself included, that a normal is fitted to; its sign is arbitrary.
    neighbours
        Nearest points, itself included, whose histograms are summed.

    Returns
    -------
    (33, s, s) float32, in percent; zeros where there is no point

    Raises
    ------
    ValueError
        If there is no point at all.

    Notes
    -----
    Rusu et al., ICRA 2009, by Open3D: the same bits for any number of threads.
    """
    seen = (image != 0).any(axis=0)
    if not seen.any():
        raise ValueError("expected valid pixels in an object image, found none")
    o3d = open3d_module()
    search = o3d.geometry.KDTreeSearchParamHybrid
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(image[:, seen].T.astype(np.float64)))
    cloud.estimate_normals(search(NORMAL_RADIUS, normals))
    found = o3d.pipelines.registration.compute_fpfh_feature(cloud, search(RADIUS, neighbours)).data  # (33, points)
    result = np.zeros((NUMBERS, *seen.shape), np.float32)
    result[:, seen] = np.asarray(found)
    return result


def features(image: np.ndarray, normals: int, neighbours: int, cells: int) -> Tensor:
    """BTF's features of an object image.

    Parameters
    ----------
    image, normals, neighbours
        As for `histograms`.
    cells
        Along each side.

    Returns
    -------
    (cells * cells, 33) float32, row by row; pixels without a point count as zeros
    """
    return cell_means(torch.from_numpy(histograms(image, normals, neighbours)), cells, WINDOW)
