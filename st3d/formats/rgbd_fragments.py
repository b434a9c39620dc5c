"""Fragments: consecutive depth images with their poses, fused into one point cloud.

The layout is 3DMatch's: <scene>/camera-intrinsics.txt and <scene>/<sequence>/<frame>.{depth.png,pose.txt}. So is the
recipe: Zeng et al., "3DMatch: learning local geometric descriptors from RGB-D reconstructions", CVPR 2017, fuse 50
images in voxels of 6 mm, whose truncated signed distance reaches 5 voxels, from depths up to 6 m.
"""

import itertools
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from st3d.formats.errors import one_line, refuse_devices, sides_text
from st3d.formats.image_files import open_image
from st3d.kernels.open3d_library import open3d_module

log = logging.getLogger("st3d")

DEPTH, POSE = ".depth.png", ".pose.txt"
INTRINSICS = "camera-intrinsics.txt"
FRAMES = 50  # of a fragment
VOXEL = 0.006  # m
TRUNCATION = 5.0  # voxels
FARTHEST = 6.0  # m; depth beyond it is noise
MILLIMETRES = 1000.0  # in the depth images' unit, per metre
UNSEEN = 65535  # depth that stands for none, beside 0
RIGID = 1e-2  # a rotation times its transpose may differ by this from the unit matrix
SHIFT = np.array([0, 0, 0.0005])  # m; half a millimetre, or whole ones would fall on voxels: 0 has no change of sign
BLOCKS = 10_000  # of 8^3 voxels allocated at first

Frames = tuple[Path, ...]  # the depth images of one fragment


def runs(images: Sequence[Path]) -> list[Frames]:
    """Divide depth images into fragments: runs of 50 of one folder, by name; a folder's last may be shorter.

    Parameters
    ----------
    images
        Files in any order; those without a pose beside them are left out.

    Returns
    -------
    Tuples of 1 to 50 files
    """
    posed = sorted(image for image in images if pose_of(image).is_file())
    found: list[Frames] = []
    for _, sequence in itertools.groupby(posed, lambda image: image.parent):
        images = tuple(sequence)
        found += [images[at : at + FRAMES] for at in range(0, len(images), FRAMES)]
    return found


def pose_of(image: Path) -> Path:
    """The file with the pose of a depth image.

    Parameters
    ----------
    image
        <frame>.depth.png

    Returns
    -------
    <frame>.pose.txt beside it; it may be missing
    """
    return image.with_name(image.name.removesuffix(DEPTH) + POSE)


def read_fragment(images: Frames) -> np.ndarray:
    """Fuse depth images into the surface that they see.

    Parameters
    ----------
    images
        16-bit PNG, depth in millimetres, 0 or 65535 where there is none; beside each its pose, a 4 x 4 matrix from the
        camera's to the world's coordinates; beside them, or one folder above, the 3 x 3 camera-intrinsics.txt.

    Returns
    -------
    (p, 3) float32, metres, in the coordinates of the first camera, sorted by x, y and z.

    Raises
    ------
    ValueError
        One line with the file and its fault. Frames whose pose is not finite or not rigid, which 3DMatch has where
        its tracking was lost, are skipped; none left is a fault too.

    Notes
    -----
    Curless and Levoy, "A volumetric method for building complex models from range images", SIGGRAPH 1996, by Open3D's
    VoxelBlockGrid, which finds its blocks in any order: hence the sorting.
    """
    camera = _matrix(_intrinsics_of(images[0]), 3)
    poses = [_matrix(pose_of(image), 4) for image in images]
    kept = [(image, pose) for image, pose in zip(images, poses, strict=True) if _rigid(pose)]
    if len(kept) < len(images):
        log.warning("%s: %d of %d poses are not rigid; skipped", images[0].parent, len(images) - len(kept), len(images))
    if not kept:
        raise ValueError(f"{pose_of(images[0])}: expected rigid poses, found none in {len(images)} frames from it")
    points = _fused([image for image, _ in kept], [pose for _, pose in kept], camera)
    if len(points) == 0:
        raise ValueError(
            f"{images[0]}: expected depths up to {FARTHEST:g} m, found none in {len(images)} frames from it"
        )
    return points[np.lexsort(points.T[::-1])]


def check_fragment(images: Frames) -> None:
    """Look at a fragment's camera and poses, for what `read_fragment` would refuse.

    Parameters
    ----------
    images
        As for `read_fragment`.

    Raises
    ------
    ValueError
        One line with the file and its fault; faults in the depth images go unseen.
    """
    _matrix(_intrinsics_of(images[0]), 3)
    if not any(_rigid(_matrix(pose_of(image), 4)) for image in images):
        raise ValueError(f"{pose_of(images[0])}: expected rigid poses, found none in {len(images)} frames from it")


def read_depth(path: Path) -> np.ndarray:
    """Read a depth image.

    Parameters
    ----------
    path
        PNG of 16 bits and 1 channel, millimetres; 0 or 65535 where there is none.

    Returns
    -------
    (h, w) uint16, millimetres, 0 where there is none

    Raises
    ------
    ValueError
        One line with the file and its fault.
    """
    with open_image(path, f"{path}: expected a depth image") as image:
        depth = np.asarray(image)
    if depth.ndim != 2 or depth.dtype.kind not in "iu" or depth.dtype == np.uint8:
        found = f"{depth.dtype} of shape {sides_text(depth.shape)}"
        raise ValueError(f"{path}: expected a depth image of 16 bits and 1 channel, found {found}")
    return np.where(depth == UNSEEN, 0, depth).astype(np.uint16)


def _fused(images: Sequence[Path], poses: Sequence[np.ndarray], camera: np.ndarray) -> np.ndarray:
    """Points (p, 3) float32 on the surface of the fused images, in the first one's coordinates, in any order."""
    library = open3d_module()
    core = library.core
    # it warns that a small volume has no memory for points; the caller checks that
    with library.utility.VerbosityContextManager(library.utility.VerbosityLevel.Error):
        grid = library.t.geometry.VoxelBlockGrid(
            ("tsdf", "weight"), (core.float32, core.float32), (1, 1), VOXEL, 8, BLOCKS
        )
        intrinsic = core.Tensor(camera)
        unshift = np.eye(4)
        unshift[:3, 3] = -SHIFT
        seen = False
        for image, pose in zip(images, poses, strict=True):
            depth = library.t.geometry.Image(core.Tensor(read_depth(image)))
            extrinsic = core.Tensor(np.linalg.inv(pose) @ poses[0] @ unshift)
            view = (intrinsic, extrinsic, MILLIMETRES, FARTHEST, TRUNCATION)
            try:
                blocks = grid.compute_unique_block_coordinates(depth, *view)
            except RuntimeError as error:  # raised for an image without depth in range
                if "No block is touched" in str(error):
                    continue
                raise
            grid.integrate(blocks, depth, *view)
            seen = True
        if not seen:
            return np.empty((0, 3), np.float32)
        try:
            points = grid.extract_point_cloud(weight_threshold=0.0).point.positions.numpy()
        except RuntimeError as error:  # raised where there is no surface
            if "Tensor has shape {0}" in str(error):
                return np.empty((0, 3), np.float32)
            raise
        return points - SHIFT.astype(np.float32)


def _intrinsics_of(image: Path) -> Path:
    places = [folder / INTRINSICS for folder in (image.parent, image.parent.parent)]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ValueError(f"{places[1]}: expected the camera of {image.name}, found none")
    return found


def _matrix(path: Path, side: int) -> np.ndarray:
    refuse_devices(path, f"{path}: expected a matrix of numbers")
    with one_line(f"{path}: expected a matrix of numbers"), warnings.catch_warnings(action="ignore"):
        matrix = np.loadtxt(path, ndmin=2)  # it warns of an empty file, which the shape shows too
    if matrix.shape != (side, side):
        raise ValueError(f"{path}: expected a matrix of {side} x {side}, found {sides_text(matrix.shape)}")
    return matrix


def _rigid(pose: np.ndarray) -> bool:
    """Whether a pose (4, 4) is a rotation and a translation."""
    if not np.isfinite(pose).all():
        return False
    rotation = pose[:3, :3]
    orthonormal = np.allclose(rotation @ rotation.T, np.eye(3), atol=RIGID) and np.linalg.det(rotation) > 0
    return bool(orthonormal and np.allclose(pose[3], [0, 0, 0, 1]))
