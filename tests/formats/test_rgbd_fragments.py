import logging

import numpy as np
import pytest
from PIL import Image

from st3d.formats.rgbd_fragments import FRAMES, VOXEL, pose_of, read_depth, read_fragment, runs

SIZE, FOCUS = (180, 240), 260.0
CAMERA = np.array([[FOCUS, 0, 120], [0, FOCUS, 90], [0, 0, 1]])
CENTRE, RADIUS, WALL = np.array([0.1, 0.0, 0.9]), 0.25, 1.2037  # of a sphere, before a wall; metres, world
DIAGONAL = VOXEL * 3**0.5


def pose(number):
    """A camera that moves to the right and rotates to the left."""
    angle = 0.03 * number
    matrix = np.eye(4)
    matrix[:3, :3] = [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    matrix[:3, 3] = [0.02 * number, 0.01 * number, 0]
    return matrix


def rendered(camera_to_world):
    """Depth (h, w) uint16, millimetres, of the sphere and the wall."""
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    rays = np.stack([(u - 120) / FOCUS, (v - 90) / FOCUS, np.ones(SIZE)], axis=2) @ camera_to_world[:3, :3].T
    start = camera_to_world[:3, 3]
    wall = (WALL - start[2]) / rays[..., 2]
    a, b, c = (rays**2).sum(axis=2), rays @ (start - CENTRE), ((start - CENTRE) ** 2).sum() - RADIUS**2
    inside = b**2 - a * c
    sphere = np.where(inside > 0, (-b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)
    return np.round(np.minimum(wall, sphere) * 1000).astype(np.uint16)


def sequence(folder, frames, poses=None):
    """A scene's depth images with its camera and poses."""
    images = []
    (folder / "seq-01").mkdir(parents=True)
    np.savetxt(folder / "camera-intrinsics.txt", CAMERA)
    for number in range(frames):
        image = folder / "seq-01" / f"frame-{number:06d}.depth.png"
        Image.fromarray(rendered(pose(number))).save(image)
        np.savetxt(pose_of(image), pose(number) if poses is None else poses[number])
        images.append(image)
    return tuple(images)


def distance(points):
    """How far world points are from the nearer of the two surfaces."""
    sphere = np.abs(np.linalg.norm(points - CENTRE, axis=1) - RADIUS)
    return np.minimum(sphere, np.abs(points[:, 2] - WALL))


def fault(images):
    with pytest.raises(ValueError) as caught:
        read_fragment(images)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_fused_points_lie_on_the_surfaces_to_within_a_voxel(tmp_path):
    points = read_fragment(sequence(tmp_path, 8))
    far = distance(points)
    assert points.dtype == np.float32 and np.quantile(far, 0.999) < VOXEL and far.max() < DIAGONAL
    on_sphere = np.abs(points[:, 2] - WALL) > 2 * VOXEL
    assert 1000 < on_sphere.sum() < 0.5 * len(points)
    # most of the sphere's half that the camera sees has points: some are within two voxels of random places on it
    rng = np.random.default_rng(0)
    places = rng.normal(size=(200, 3))
    places[:, 2] = -np.abs(places[:, 2]) - 1  # towards the camera
    places = CENTRE + RADIUS * places / np.linalg.norm(places, axis=1, keepdims=True)
    nearest = np.array([np.linalg.norm(points - place, axis=1).min() for place in places])
    assert nearest.max() < 2 * VOXEL


def test_points_are_in_the_first_cameras_coordinates(tmp_path):
    images = sequence(tmp_path, 8)
    points = read_fragment(images[4:])
    world = points @ pose(4)[:3, :3].T + pose(4)[:3, 3]
    assert distance(world).max() < DIAGONAL < distance(points).max()


def test_equal_images_give_equal_points_in_equal_order(tmp_path):
    images = sequence(tmp_path, 4)
    first = read_fragment(images)
    assert all(np.array_equal(first, read_fragment(images)) for _ in range(3))
    assert (np.diff(first[:, 0]) >= 0).all()


def test_depth_of_0_and_65535_and_beyond_6_m_is_none(tmp_path):
    (image,) = sequence(tmp_path, 1)
    depth = np.asarray(Image.open(image)).copy()
    whole = read_fragment((image,))
    depth[:, :60], depth[:, 60:90], depth[:, 90:120] = 0, 65535, 6001
    Image.fromarray(depth).save(image)
    assert (read_depth(image)[:, :90] == 0).all() and (read_depth(image)[:, 90:120] == 6001).all()
    part = read_fragment((image,))
    assert 0.4 * len(whole) < len(part) < 0.7 * len(whole) and (part[:, 0] > -2 * VOXEL).all()
    assert distance(part).max() < DIAGONAL
    few = np.zeros(SIZE, np.uint16)
    few[90, 120] = 1000  # one pixel makes no surface
    for none in (few, *(np.full(SIZE, value, np.uint16) for value in (0, 65535, 6001))):
        Image.fromarray(none).save(image)
        assert fault((image,)) == f"{image}: expected depths up to 6 m, found none in 1 frames from it"


@pytest.mark.parametrize("millimetres", [1200, 1201, 1206])
def test_a_plane_at_any_depth_is_found(tmp_path, millimetres):
    (image,) = sequence(tmp_path, 1)
    Image.fromarray(np.full(SIZE, millimetres, np.uint16)).save(image)
    points = read_fragment((image,))
    sides = np.array([240, 180]) / FOCUS * millimetres / 1000
    assert np.abs(points[:, 2] - millimetres / 1000).max() < 0.001
    assert np.allclose(np.ptp(points[:, :2], axis=0), sides, atol=3 * VOXEL)
    assert len(points) > 0.9 * sides.prod() / VOXEL**2


def test_depth_before_the_first_voxel_is_no_surface(tmp_path):
    (image,) = sequence(tmp_path, 1)
    Image.fromarray(np.full(SIZE, 1, np.uint16)).save(image)
    assert "expected depths up to 6 m, found none" in fault((image,))


def test_a_frame_whose_pose_is_not_rigid_is_skipped(tmp_path, caplog):
    poses = [pose(number) for number in range(4)]
    poses[0] = np.full((4, 4), np.nan)
    poses[2] = poses[2] * 1.5
    images = sequence(tmp_path, 4, poses)
    with caplog.at_level(logging.WARNING):
        points = read_fragment(images)
    assert caplog.messages == [f"{images[0].parent}: 2 of 4 poses are not rigid; skipped"]
    assert np.array_equal(points, read_fragment((images[1], images[3])))


@pytest.mark.parametrize("lost", [np.full((4, 4), -np.inf), np.zeros((4, 4)), np.diag([1.0, 1, -1, 1])])
def test_no_rigid_pose_is_one_line(tmp_path, lost):
    images = sequence(tmp_path, 2, [lost, lost])
    assert fault(images) == f"{pose_of(images[0])}: expected rigid poses, found none in 2 frames from it"


def test_broken_files_are_one_line(tmp_path):
    images = sequence(tmp_path, 2)
    content = images[1].read_bytes()
    for damaged in (content[:100], b"", b"hello"):
        images[1].write_bytes(damaged)
        assert fault(images).startswith(f"{images[1]}: expected a depth image, found ")
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(images[1])
    assert fault(images).endswith("expected a depth image of 16 bits and 1 channel, found uint8 of shape 180 x 240")
    pose_of(images[0]).write_text("1 2 3")
    assert fault(images) == f"{pose_of(images[0])}: expected a matrix of 4 x 4, found 1 x 3"
    pose_of(images[0]).write_text("")
    assert "expected a matrix of 4 x 4, found 0 x " in fault(images)
    pose_of(images[0]).write_text("lost")
    assert fault(images).startswith(f"{pose_of(images[0])}: expected a matrix of numbers, found ")
    (tmp_path / "camera-intrinsics.txt").unlink()
    assert fault(images) == f"{tmp_path}/camera-intrinsics.txt: expected the camera of {images[0].name}, found none"


def test_a_run_has_50_frames_of_one_folder_that_have_poses(tmp_path):
    images = [
        tmp_path / f"seq-{seq}" / f"frame-{n:06d}.depth.png" for seq, count in ((1, 120), (2, 3)) for n in range(count)
    ]
    for image in images:
        image.parent.mkdir(exist_ok=True)
        if image != images[7]:
            pose_of(image).touch()
    found = runs(list(reversed(images)))
    assert FRAMES == 50 and [len(run) for run in found] == [50, 50, 19, 3]
    assert [image for run in found for image in run] == images[:7] + images[8:]
