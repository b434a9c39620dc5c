"""Pictures: the contour lies around the defect, and the colours mean the same in every picture of a model."""

import numpy as np
import pytest
from inspection_parts import DENT
from PIL import Image

from st3d.detector import Detector, Result
from st3d.inspection.pictures import colours_of, projected, relief, save_picture

BLUE = np.array([0, 114, 178])  # of the contour


@pytest.fixture
def result(model, dented):
    return Detector.load(model, device="cpu", threads=1).predict(dented[0])


def right_panel(path):
    """The map's panel, and where the contour's colour is in it, in units of the panel's sides."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    side = 760
    panel = pixels[-12 - side : -12, 24 + side : 24 + 2 * side]
    return panel, np.argwhere(np.abs(panel - BLUE).max(axis=2) < 60) / side


def test_the_contour_lies_around_the_dent(result, dented, tmp_path):
    marked = Result(**{**vars(result), "map": np.where(DENT, 2 * result.pixel_threshold, 0).astype(np.float32)})
    save_picture(tmp_path / "a.png", dented[0], marked, "dent: FAIL")
    panel, contour = right_panel(tmp_path / "a.png")
    assert panel.shape == (760, 760, 3) and len(contour) > 50
    low, high = contour.min(axis=0) * 64, contour.max(axis=0) * 64
    assert np.abs(low - [10, 44]).max() < 1.5 and np.abs(high - [16, 50]).max() < 1.5
    inside = panel[int(12 / 64 * 760) : int(14 / 64 * 760), int(46 / 64 * 760) : int(48 / 64 * 760)]
    assert (inside[..., 0] - inside[..., 2]).mean() > 60  # red
    assert np.abs(panel[400:, :300, 0] - panel[400:, :300, 2]).max() < 30  # grey where nothing is


def test_a_picture_of_a_map_below_the_threshold_has_no_contour(result, dented, tmp_path):
    calm = Result(
        **{**vars(result), "map": np.minimum(result.map, 0.9 * result.pixel_threshold), "is_anomalous": False}
    )
    save_picture(tmp_path / "a.png", dented[0], calm, "dent: PASS")
    assert len(right_panel(tmp_path / "a.png")[1]) == 0


def test_a_picture_is_1000_pixels_wide_or_more_and_any_name_can_be_its_title(result, dented, tmp_path, recwarn):
    for part in (np.s_[:, 20:30], np.s_[20:30], np.s_[:3, :3]):
        thin = Result(**{**vars(result), "map": result.map[part]})
        save_picture(tmp_path / "a.png", dented[0][part], thin, "a$\\frac$b, 日本: FAIL")
        with Image.open(tmp_path / "a.png") as image:
            assert image.width >= 1000
    assert not recwarn.list


@pytest.mark.parametrize(
    "turn",
    [
        [[1, 0, 0], [0, -1, 0], [0, 0, -1]],  # a height map's axes: y up, z to the viewer
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],  # a robot's
    ],
)
def test_a_relief_shows_a_dent_as_a_dent_in_any_axes(turn):
    y, x = np.mgrid[-30:30, -30:30].astype(np.float32)
    scan = np.stack([x * 1e-3, y * 1e-3, 0.5 + 0.01 * np.exp(-(x**2 + y**2) / 50)], axis=2)  # a dent: farther away
    scan[5, 5] = 0
    seen = relief(scan)[..., 0].astype(int)
    assert seen[23, 23] < seen[0, 0] - 40 < seen[36, 36] - 80  # light from the upper left meets the far wall
    turned = scan @ np.float32(turn).T
    assert np.abs(relief(turned)[..., 0].astype(int) - seen).max() <= 1


def test_equal_scans_give_equal_pictures(result, dented, tmp_path):
    for name in ("a", "b"):
        save_picture(tmp_path / f"{name}.png", dented[0], result, "title")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_colour_depends_on_the_score_and_the_models_threshold_alone():
    scores = np.linspace(0, 30, 50, dtype=np.float32)
    results = [Result(1.0, False, each, 2.0, 10.0, 50) for each in (scores, scores[:20])]
    both = [colours_of(each) for each in results]
    assert np.array_equal(both[0][:20], both[1])
    red = both[0][:, 0].astype(int) - both[0][:, 2]
    assert red[scores < 4].max() == 0 and red[scores > 12].min() > 60


def test_a_clouds_projection_shows_the_nearest_points_with_their_scores(rng):
    x, y = rng.uniform(0, 0.1, (2, 4000))
    surface = np.stack([x, y, np.full(4000, 0.5)], axis=1).astype(np.float32)
    behind = surface + np.float32([0, 0, 0.01])
    scores = np.concatenate([x, np.full(4000, 9.0)]).astype(np.float32)
    image, values = projected(np.concatenate([surface, behind]), scores)
    known = image.any(axis=2)
    assert known.mean() > 0.95 and (values[known] < 1).mean() > 0.8
    columns = np.where(known & (values < 1), values, np.nan)
    assert np.corrcoef(np.arange(columns.shape[1]), np.nanmean(columns, axis=0))[0, 1] > 0.99


def test_a_cloud_that_stands_upright_is_seen_from_its_flat_side(rng):
    x, z = rng.uniform(0, 0.1, 5000), rng.uniform(0.5, 0.7, 5000)
    image, _ = projected(
        np.stack([x, rng.normal(0, 1e-4, 5000), z], axis=1).astype(np.float32), np.ones(5000, np.float32)
    )
    height, width = image.shape[:2]
    assert max(height, width) / min(height, width) == pytest.approx(2, rel=0.1) and image.any(axis=2).mean() > 0.9


@pytest.mark.parametrize("away", [[0, 0, 1], [0, 0, -1], [0, 1, 0], [0, -1, 0], [1, 0, 0], [-1, 0, 0]])
def test_a_cloud_is_seen_from_the_side_of_the_sensor_and_not_mirrored(rng, away):
    right = np.roll(away, 1)
    down = np.cross(away, right)
    u, v = rng.uniform(-0.1, 0.1, (2, 8000)) * [[2], [1]]
    frame = np.stack([right, down, away])
    front = np.stack([u, v, np.full(8000, 0.5)], axis=1)
    corner = (u > 0.1) & (v > 0.05)  # to the right and down
    cloud = np.concatenate([front, front + np.array([0, 0, 0.01])]) @ frame
    scores = np.concatenate([corner.astype(float), np.full(8000, -1.0)])
    image, values = projected(cloud.astype(np.float32), scores.astype(np.float32))
    known = image.any(axis=2)
    assert (values[known] >= 0).mean() > 0.8  # the front hides the back
    row, column = np.argwhere(values == 1).mean(axis=0) / values.shape
    assert image.shape[1] > 1.8 * image.shape[0]  # the longer side lies
    assert (row > 0.5) == (column > 0.5)  # as by a half turn; mirrored, it is in another diagonal's corner
