"""Object images: what is kept of a scan, where, and the way back."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import center_of_mass
from small_dataset import CAMERA, NORMAL, OFFSET, SIDE, write_small_dataset
from stage_call import call

from st3d.formats.images import Images
from st3d.kernels.squares import from_scan, padded, to_scan, to_square
from st3d.memory_banks.object_images import ObjectSettings, object_image, object_pixels, removed_pixels
from st3d.memory_banks.objects import objects

SETTINGS = {
    "size": 56, "mask": "plane", "plane_distance": 0.005, "fit_distance": 0.004, "border": 4, "cluster_radius": 0.006,
    "cluster_points": 3, "seed": 16,
}  # fmt: skip


def given_settings(**changes):
    return ObjectSettings(**(SETTINGS | changes))


def make_objects(dataset, split, **changed):
    path = dataset / f"objects_{split}.h5"
    common = {"dataset": dataset, "category": "part", "split": split, "invalid": "refuse", "output": path, "code": ""}
    call(objects, **common, **(SETTINGS | changed))
    return path


def plane_with(*bumps):
    """A tilted plane, seen by the small data set's camera, with bumps (row, column, radius in pixels, height in m)."""
    rays = CAMERA.rays()
    row, column = np.mgrid[:SIDE, :SIDE]
    depth = OFFSET / (rays @ NORMAL)
    for at_row, at_column, radius, height in bumps:
        depth = depth - height * (np.hypot(row - at_row, column - at_column) < radius)
    return (rays * depth[..., None]).astype(np.float32)


def test_a_bump_is_the_object_and_a_smaller_one_beside_it_vanishes():
    scan = plane_with((30, 20, 9, 0.02), (30, 50, 5, 0.02))
    scan[5, 5] = scan[30, 20] = 0
    found = object_pixels(scan, given_settings())
    row, column = np.mgrid[:SIDE, :SIDE]
    expected = np.hypot(row - 30, column - 20) < 9
    expected[30, 20] = False  # invalid
    assert np.array_equal(found, expected)


def test_what_is_near_the_plane_on_either_side_is_removed():
    scan = plane_with((30, 20, 9, 0.02), (30, 25, 3, -0.003 - 0.02), (40, 50, 6, 0.004), (15, 50, 6, -0.004))
    found = object_pixels(scan, given_settings())
    assert found[30, 15] and not found[30, 25] and not found[40, 50] and not found[15, 50]


def test_a_plane_alone_has_no_object_which_is_one_line_with_the_scan(tmp_path, rng):
    write_small_dataset(tmp_path, rng)
    path = tmp_path / "part/train/good/xyz/001.tiff"
    tifffile.imwrite(path, plane_with(), photometric="rgb")
    message = r"xyz/001.tiff: expected an object more than 5 mm off the background plane, found none; for scans"
    with pytest.raises(ValueError, match=message) as error:
        make_objects(tmp_path, "train")
    assert "\n" not in str(error.value) and not (tmp_path / "objects_train.h5").exists()
    with Images(make_objects(tmp_path, "train", mask="none")) as images:
        assert (images.image(1, "3d").values != 0).any(axis=0).all()


def test_a_border_without_valid_pixels_is_one_line():
    scan = plane_with((30, 20, 9, 0.02))
    scan[:4] = scan[-4:] = 0
    scan[:, :4] = scan[:, -4:] = 0
    with pytest.raises(ValueError, match="expected valid pixels of the background in the 4 at each edge, found none"):
        object_pixels(scan, given_settings())


def test_points_that_lie_apart_are_no_object():
    scan = plane_with((30, 20, 9, 0.02))
    with pytest.raises(ValueError, match="expected an object"):
        object_pixels(scan, given_settings(cluster_radius=1e-6))


def test_an_object_image_has_points_in_channels_0_to_2_and_the_colour_after(tmp_path, rng):
    write_small_dataset(tmp_path, rng, counts=(2, 1, 1))
    with (
        Images(make_objects(tmp_path, "test")) as images,
        Images(make_objects(tmp_path, "train", mask="none")) as whole,
    ):
        assert (images.kind, images.channels, images.sides, len(images)) == ("objects", 6, (56, 56), 2)
        assert images.attributes["settings"]["mask"] == "plane"
        image = images.image(0, "3d_rgb")
        assert np.array_equal(images.image(0, "3d").values, image.values[:3])
        assert image.sample == "dent/000" and image.size == (SIDE, SIDE)
        every = whole.image(1, "3d_rgb").values
    assert 0 < (image.values[:3] != 0).any(axis=0).sum() < 56 * 56 / 4  # the bump alone
    assert image.values[3:].min() >= 0 and image.values[3:].max() <= 1
    scan = tifffile.imread(tmp_path / "part/train/good/xyz/001.tiff")
    at = (2 * np.arange(56) + 1) * SIDE // 112
    assert np.array_equal(every[:3], np.moveaxis(scan[at][:, at], 2, 0))
    picture = Image.open(tmp_path / "part/train/good/rgb/001.png").resize((56, 56), Image.Resampling.BICUBIC)
    assert np.array_equal(every[3:], np.moveaxis(np.asarray(picture, np.float32) / 255, 2, 0))


def test_the_colour_is_0_far_from_the_object_and_where_nothing_is_masked_it_is_all_there():
    scan, colours = plane_with((30, 20, 9, 0.02)), np.ones((SIDE, SIDE, 3), np.float32)
    scan[60, 60] = 0  # invalid: neither object nor background
    image = object_image(scan, colours, given_settings(size=SIDE // 28 * 28))
    gone = ~(image[:3] != 0).any(axis=0)
    assert image[3:, 30 * 56 // SIDE, 20 * 56 // SIDE].min() == 1
    assert image[3:, 5, 5].max() == 0 and image[3:, 50:54, 50:54].max() > 0  # an invalid pixel keeps its colour
    assert gone.sum() > 56 * 56 / 2
    assert object_image(scan, colours, given_settings(mask="none"))[3:].min() == 1
    assert object_image(scan, None, given_settings()).shape == (3, 56, 56)


def test_scans_without_colour_make_images_without_and_some_without_are_refused(tmp_path, rng):
    write_small_dataset(tmp_path / "none", rng, counts=(2, 1, 1), colours=False)
    with Images(make_objects(tmp_path / "none", "train")) as images:
        assert images.channels == 3
        with pytest.raises(ValueError, match="expected images with colour for modality 3d_rgb, found none"):
            images.channels_of("3d_rgb")
    write_small_dataset(tmp_path / "some", rng, counts=(2, 1, 1))
    (tmp_path / "some/part/train/good/rgb/001.png").unlink()
    with pytest.raises(ValueError, match=r"xyz/001.tiff: expected an RGB image in rgb/ as beside 000.tiff, found none"):
        make_objects(tmp_path / "some", "train")


def test_an_object_image_is_the_same_whichever_other_scans_there_are(tmp_path, rng):
    write_small_dataset(tmp_path, rng, counts=(3, 1, 1))
    first = make_objects(tmp_path, "train").read_bytes()
    assert make_objects(tmp_path, "train").read_bytes() == first
    with Images(make_objects(tmp_path, "train")) as images:
        last = images.image(2, "3d_rgb").values
    for kind, end in (("xyz", "tiff"), ("rgb", "png")):
        (tmp_path / f"part/train/good/{kind}/000.{end}").unlink()
    with Images(make_objects(tmp_path, "train")) as images:
        assert np.array_equal(images.image(1, "3d_rgb").values, last)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 70))
@settings(deadline=None)
def test_a_square_holds_the_scan_in_its_middle_and_its_pixels_are_those_at_the_blocks_centres(h, w, size):
    image = np.arange(1, h * w + 1).reshape(h, w)
    square = padded(image)
    side = max(h, w)
    top, left = (side - h) // 2, (side - w) // 2
    assert square.shape == (side, side) and square.sum() == image.sum()
    assert np.array_equal(square[top : top + h, left : left + w], image)
    found = to_square(image, size)
    for i, j in ((0, 0), (size // 2, size - 1), (size - 1, 0)):
        assert found[i, j] == square[int((i + 0.5) * side / size), int((j + 0.5) * side / size)]


@pytest.mark.parametrize("size", [(400, 400), (500, 800), (900, 400), (101, 100)])
def test_a_dot_comes_back_to_the_scan_where_it_was(size):
    h, w = size
    for row, column in ((h // 2, w // 3), (h // 4, w - 20), (h - 15, w // 2)):
        scan = np.zeros(size, np.float32)
        scan[row - 3 : row + 4, column - 3 : column + 4] = 1
        back = to_scan(to_square(scan, 224), size)
        assert back.shape == size
        assert np.allclose(center_of_mass(back), (row, column), atol=max(size) / 224 / 2)
        small = from_scan(scan, 224)
        assert np.allclose(center_of_mass(to_scan(small, size)), (row, column), atol=0.5)


def test_a_constant_map_stays_constant_at_any_size():
    for size in ((40, 40), (30, 50)):
        assert np.allclose(to_scan(np.full((56, 56), 3.0, np.float32), size), 3)
        assert np.allclose(from_scan(np.full(size, 3.0, np.float32), 56), 3)


def test_an_invalid_pixel_is_removed_with_its_nearest_valid_one():
    scan = np.zeros((4, 6, 3), np.float32)
    scan[:, :2] = 1
    scan[:, 4:] = 2
    image = np.zeros((3, 4, 6), np.float32)
    image[:, :, 4:] = 2  # the left two columns were removed
    assert removed_pixels(scan, image).tolist() == [[True] * 3 + [False] * 3] * 4
