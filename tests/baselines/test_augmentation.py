"""The background plane, and scans rotated on it: against rotated images, and on real scans."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from st3d.baselines.augmentation import rotate_scan
from st3d.kernels.geometry.camera import Camera
from st3d.kernels.geometry.plane import Plane, border_points, fit_plane

STRAIGHT = Camera(focus=0.01, kappa=-2000.0, sx=1e-5, sy=1e-5, cx=9.5, cy=9.5, width=20, height=20)
WALL = Plane((0.0, 0.0, -1.0), -0.5)  # half a metre ahead, facing the camera


def scan_of(camera, depth):
    """(h, w, 3) float32 of depths (h, w), invalid where 0."""
    pixels = np.argwhere(depth > 0)
    scan = np.zeros((*depth.shape, 3), np.float32)
    scan[depth > 0] = camera.unproject(pixels, depth[depth > 0])
    return scan


def real_scans(folder, step):
    """(xyz, rgb) of every `step`-th scan, and the camera, its shift fitted to 4 training scans."""
    parameters = json.loads((folder / "calibration" / "camera_parameters.json").read_text())
    training = [tifffile.imread(path) for path in sorted(folder.glob("train/good/xyz/*.tiff"))[::6]]
    points = np.concatenate([xyz[xyz.any(axis=2)] for xyz in training])
    pixels = np.concatenate([np.argwhere(xyz.any(axis=2)) for xyz in training])
    camera = Camera.from_parameters(parameters).fitted(points[::5], pixels[::5])
    scans = []
    for path in sorted(folder.glob("*/*/xyz/*.tiff"))[::step]:
        with Image.open(path.parents[1] / "rgb" / f"{path.stem}.png") as image:
            scans.append((tifffile.imread(path), np.asarray(image, np.float32) / 255))
    assert scans
    return scans, camera


def test_border_points_are_the_valid_ones_of_the_band():
    scan = np.ones((20, 40, 3), np.float32) * np.arange(1, 801).reshape(20, 40, 1)
    scan[0, 0] = 0
    rows, columns = np.divmod(border_points(scan, 0.1)[:, 0].astype(int) - 1, 40)
    assert ((rows < 2) | (rows >= 18) | (columns < 4) | (columns >= 36)).all()
    assert len(rows) == 20 * 40 - 16 * 32 - 1
    assert len(border_points(scan, 0.001)) == 2 * 20 + 2 * 40 - 4 - 1, "a pixel at least"
    with pytest.raises(ValueError, match=r"border_points: expected fraction in \(0, 0.5\], found 0"):
        border_points(scan, 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_plane_is_found_among_outliers(rng, seed):
    normal = np.array([0.1, -0.4, -0.9]) / np.linalg.norm([0.1, -0.4, -0.9])
    across = np.linalg.svd(normal[None])[2][1:]  # (2, 3)
    on_plane = rng.uniform(-0.1, 0.1, (600, 2)) @ across - 0.6 * normal + 1e-4 * rng.normal(size=(600, 3))
    others = rng.uniform(-0.1, 0.1, (300, 3)) + np.array([0, 0, 0.55])
    plane = fit_plane(np.concatenate([others, on_plane]), 1e-3, seed)
    np.testing.assert_allclose(plane.normal, normal, atol=1e-3)
    assert plane.offset == pytest.approx(-0.6, abs=1e-4)
    assert np.linalg.norm(plane.normal) == pytest.approx(1, abs=1e-12)
    assert plane == fit_plane(np.concatenate([others, on_plane]), 1e-3, seed)


def test_heights_are_measured_towards_the_camera():
    np.testing.assert_allclose(WALL.height(np.array([[0.3, 0.1, 0.4], [0, 0, 0.7]])), [0.1, -0.2], atol=1e-15)


def test_too_few_points_and_points_on_a_line_span_no_plane():
    with pytest.raises(ValueError, match=r"fit_plane: expected 3 points or more .* found \(2, 3\)"):
        fit_plane(np.eye(2, 3), 0.1, 0)
    with pytest.raises(ValueError, match="fit_plane: expected points that span a plane, found 9 on one line"):
        fit_plane(np.outer(np.arange(9), [1.0, 2, 3]), 0.1, 0)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_about_the_optical_axis_turn_the_image(rng, quarters):
    scan = scan_of(STRAIGHT, rng.uniform(0.4, 0.5, (20, 20)) * (rng.random((20, 20)) < 0.7))
    colours = rng.random((20, 20, 3), np.float32)
    result, painted = rotate_scan(scan, colours, STRAIGHT, WALL, np.array([0, 0, 0.5]), 90 * quarters)
    assert result.dtype == painted.dtype == np.float32
    assert np.array_equal(painted, np.rot90(colours, quarters))
    about = np.linalg.matrix_power(np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]), quarters)  # x, to the right, goes up
    np.testing.assert_allclose(result, np.rot90(scan, quarters) @ about.T, atol=1e-8)


def test_of_two_points_in_one_pixel_the_nearest_wins_and_of_none_it_is_invalid():
    scan = np.zeros((20, 20, 3), np.float32)
    scan[3, 4], scan[3, 5] = STRAIGHT.unproject(np.array([[3.0, 7], [3, 7]]), np.array([0.45, 0.4]))
    colours = np.zeros_like(scan)
    colours[3, 4], colours[3, 5] = 0.2, 0.6
    result, painted = rotate_scan(scan, colours, STRAIGHT, WALL, np.zeros(3), 0)
    assert np.array_equal(result[3, 7], scan[3, 5]) and (painted[3, 7] == np.float32(0.6)).all()
    assert result.any(axis=2).sum() == 1
    painted[3, 7] = 0  # elsewhere each pixel shows what it showed before
    assert np.array_equal(painted, colours)


def test_a_rotated_picture_has_no_holes_inside(rng):
    scan = scan_of(STRAIGHT, rng.uniform(0.48, 0.5, (20, 20)))
    colours = rng.uniform(0.1, 1, scan.shape).astype(np.float32)
    result, painted = rotate_scan(scan, colours, STRAIGHT, WALL, np.array([0.0, 0.0, 0.5]), 30.0)
    assert not result[4:16, 4:16].all()
    assert painted[4:16, 4:16].all()


def test_colours_without_a_point_turn_with_the_plane_and_hide_no_point(rng):
    tilted = Plane((0.0, -0.6, -0.8), -0.4)
    ahead = np.array([[0.0, 0, 0.5]])  # where the middle of the image sees the plane
    scan, colours = np.zeros((20, 20, 3), np.float32), rng.random((20, 20, 3), np.float32)
    result, painted = rotate_scan(scan, colours, STRAIGHT, tilted, ahead[0], 20)
    assert not result.any()
    # a point of the plane, rotate_scan: the same distance to the pivot, on the plane
    own = colours.reshape(-1, 3)
    for pixel in np.argwhere(painted.any(axis=2)):
        source = np.divmod(int((own == painted[tuple(pixel)]).all(axis=1).argmax()), 20)
        distances = []
        for row, column in (pixel, source):
            ray = STRAIGHT.unproject(np.array([[row, column]]), np.ones(1))[0]
            distances.append(np.linalg.norm(ray * tilted.offset / (ray @ tilted.normal) - ahead))
        assert abs(distances[0] - distances[1]) < 0.75 * 1.3 * 0.5 * 1e-3  # a pixel is half a millimetre wide
    beyond = scan_of(STRAIGHT, np.full((20, 20), 0.9) * (np.arange(400).reshape(20, 20) % 2))  # behind the plane
    result, painted = rotate_scan(beyond, colours, STRAIGHT, tilted, ahead[0], 0)
    assert np.array_equal(result, beyond) and np.array_equal(painted, colours)


def test_a_rotated_scan_keeps_its_heights_and_leaves_its_input_alone(rng):
    scan = scan_of(STRAIGHT, rng.uniform(0.4, 0.5, (20, 20)))
    before = scan.copy()
    result, none = rotate_scan(scan, None, STRAIGHT, WALL, np.array([0.001, 0.002, 0.5]), 33.0)
    assert none is None and np.array_equal(scan, before)
    depths = result[result.any(axis=2)][:, 2]
    assert len(depths) > 200 and set(depths.tolist()) <= set(scan[..., 2].ravel().tolist())


def test_scans_and_colours_of_another_size_are_refused():
    scan = np.zeros((20, 20, 3), np.float32)
    with pytest.raises(ValueError, match=r"rotate_scan: expected .*\(20, 20, 3\), found \(9, 20, 3\)"):
        rotate_scan(scan[:9], None, STRAIGHT, WALL, np.zeros(3), 0)
    with pytest.raises(ValueError, match=r"found \(20, 20, 3\) and \(20, 9, 3\)"):
        rotate_scan(scan, scan[:, :9], STRAIGHT, WALL, np.zeros(3), 0)


def test_real_scans_stand_on_a_plane_that_their_border_shows(shared_data):
    scans, _ = real_scans(shared_data / "mvtec_3d_ad_sample" / "cable_gland", 5)
    for xyz, _ in scans:
        border = border_points(xyz, 0.1)
        plane = fit_plane(border, 0.002, 0)
        height = plane.height(border)
        assert (np.abs(height) < 0.002).mean() > 0.9
        assert plane.normal[2] < -0.8
        above = plane.height(xyz[xyz.any(axis=2)])
        assert np.quantile(above, 0.99) > 0.01 and np.quantile(above, 0.001) > -0.005, "the gland, and no hole"


def test_turning_a_real_scan_by_nothing_gives_it_back_bit_by_bit(shared_data):
    scans, camera = real_scans(shared_data / "mvtec_3d_ad_sample" / "cable_gland", 9)
    for xyz, rgb in scans:
        plane = fit_plane(border_points(xyz, 0.1), 0.002, 0)
        valid = xyz.any(axis=2)
        result, painted = rotate_scan(xyz, rgb, camera, plane, xyz[valid].mean(axis=0), 0.0)
        # some points on steep edges project into a neighbour: those pixels, and the ones they left, are not compared
        own = np.argwhere(valid)
        seen = np.floor(camera.project(xyz[valid]) + 0.5).astype(int)
        within = ((seen >= 0) & (seen < valid.shape)).all(axis=1)
        landed = np.zeros(valid.shape, int)
        np.add.at(landed, tuple(seen[within].T), 1)
        at_home = np.zeros(valid.shape, bool)
        at_home[tuple(own[(seen == own).all(axis=1)].T)] = True
        same = at_home & (landed == 1)
        assert same.sum() > 0.999 * valid.sum()
        assert np.array_equal(result[same].view(np.uint32), xyz[same].view(np.uint32))
        assert np.array_equal(painted[same], rgb[same])
        nothing = ~valid & (landed == 0)
        assert not result[nothing].any()
        assert np.array_equal(painted[nothing], rgb[nothing])
        assert np.array_equal(result.any(axis=2), landed > 0)
