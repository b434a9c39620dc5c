import hashlib
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from st3d.formats.scans import list_samples, read_colours, read_map, read_mask, read_scan, write_map
from st3d.kernels.points import downsample_scan, farthest_points


def xyz(rng, height=12, width=10) -> np.ndarray:
    scan = rng.random((height, width, 3), np.float32) + 0.1
    scan[rng.random((height, width)) < 0.3] = 0
    return scan


def add(folder, defect, name, rng, split="test", mask=True):
    for kind in ("xyz", "rgb", "gt"):
        (folder / "bun" / split / defect / kind).mkdir(parents=True, exist_ok=True)
    base = folder / "bun" / split / defect
    tifffile.imwrite(base / "xyz" / f"{name}.tiff", xyz(rng), photometric="rgb")
    if mask:
        Image.fromarray(np.zeros((12, 10), np.uint8)).save(base / "gt" / f"{name}.png")


def fault(call, *arguments) -> str:
    with pytest.raises(ValueError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_samples_are_listed_by_name(tmp_path, rng):
    for defect, name in (("good", "001"), ("crack", "010"), ("crack", "002")):
        add(tmp_path, defect, name, rng)
    add(tmp_path, "good", "000", rng, split="train", mask=False)
    test = list_samples(tmp_path, "bun", "test")
    assert [sample.name for sample in test] == ["crack/002", "crack/010", "good/001"]
    assert test[0].defect == "crack" and test[0].mask == tmp_path / "bun/test/crack/gt/002.png" and test[0].rgb is None
    (train,) = list_samples(tmp_path, "bun", "train")
    assert train.name == "good/000" and train.mask is None


def test_a_folder_that_cannot_be_used_is_named_in_one_line(tmp_path, rng):
    assert fault(list_samples, tmp_path, "bun", "train") == (
        f"{tmp_path}/bun: expected the folder of category 'bun', found none"
    )
    (tmp_path / "bun").mkdir()
    assert "found an empty folder" in fault(list_samples, tmp_path, "bun", "train")
    add(tmp_path, "crack", "000", rng)
    assert "train/good/xyz: expected scans (.tiff), found no such folder" in fault(
        list_samples, tmp_path, "bun", "train"
    )
    (tmp_path / "bun/train/good/xyz").mkdir(parents=True)
    assert "train/good/xyz: expected scans (.tiff), found none" in fault(list_samples, tmp_path, "bun", "train")
    (tmp_path / "bun/test/crack/xyz/000.tif").write_bytes(b"")
    assert "one scan named crack/000, found also" in fault(list_samples, tmp_path, "bun", "test")
    (tmp_path / "bun/test/crack/xyz/000.tif").unlink()
    (tmp_path / "bun/test/crack/gt/000.png").unlink()
    assert fault(list_samples, tmp_path, "bun", "test") == (
        f"{tmp_path}/bun/test/crack/gt/000.png: expected the mask of test sample crack/000, found none"
    )


def test_a_scan_comes_back_as_it_was_written(tmp_path, rng):
    scan = xyz(rng)
    tifffile.imwrite(tmp_path / "a.tiff", scan, photometric="rgb")
    assert np.array_equal(read_scan(tmp_path / "a.tiff"), scan)
    tifffile.imwrite(tmp_path / "a.tiff", scan.astype(np.float64), photometric="rgb")
    assert read_scan(tmp_path / "a.tiff").dtype == np.float32


@pytest.mark.parametrize(
    "shape, dtype, found",
    [
        ((12, 10), np.float32, "found shape 12 x 10"),
        ((12, 10, 4), np.float32, "found shape 12 x 10 x 4"),
        ((12, 10, 3), np.uint16, "found uint16"),
        ((12, 10, 3), np.int32, "found int32"),
    ],
)
def test_a_scan_of_other_shape_or_type_is_refused(tmp_path, shape, dtype, found):
    path = tmp_path / "a.tiff"
    tifffile.imwrite(path, np.ones(shape, dtype), photometric="rgb" if len(shape) == 3 else None)
    message = fault(read_scan, path)
    assert message.startswith(f"{path}: expected") and message.endswith(found)


def test_a_truncated_scan_or_another_file_is_refused(tmp_path, rng):
    path = tmp_path / "a.tiff"
    assert "no such file" in fault(read_scan, path)
    tifffile.imwrite(path, xyz(rng), photometric="rgb")
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:8], whole[:200], whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert fault(read_scan, path).startswith(f"{path}: expected a TIFF file, found ")


def test_a_real_scan_truncated_anywhere_is_refused(shared_data, tmp_path):
    path = shared_data / "mvtec_3d_ad_sample/cable_gland/train/good/xyz/003.tiff"
    whole, refused = path.read_bytes(), 0
    for length in [*range(0, len(whole), 200_000), *range(1_920_000, len(whole), 2_000)]:
        (tmp_path / "a.tiff").write_bytes(whole[:length])
        try:  # behind the image lie names of images and other metadata, which are not read
            assert np.array_equal(read_scan(tmp_path / "a.tiff"), read_scan(path)), length
        except ValueError as error:
            assert "a.tiff: expected" in str(error) and "\n" not in str(error)
            refused += 1
    assert refused >= 11


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_coordinate_that_is_not_finite_is_an_invalid_pixel_only_if_asked_for(tmp_path, rng, value):
    scan = xyz(rng) + 1
    scan[3, 4, 1] = scan[3, 4, 2] = scan[5, 6, 0] = value
    tifffile.imwrite(tmp_path / "a.tiff", scan, photometric="rgb")
    assert "found NaN or infinity in 2 pixels; to take these" in fault(read_scan, tmp_path / "a.tiff")
    dropped = read_scan(tmp_path / "a.tiff", "drop")
    changed = (dropped != scan).any(axis=2)
    assert np.argwhere(changed).tolist() == [[3, 4], [5, 6]] and (dropped[changed] == 0).all()


def test_every_class_of_defect_is_anomalous(tmp_path):
    classes = np.array([[0, 252], [255, 0]], np.uint8)
    Image.fromarray(classes).save(tmp_path / "a.png")
    assert read_mask(tmp_path / "a.png", (2, 2)).tolist() == [[False, True], [True, False]]


def test_a_wrong_mask_is_refused(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((3, 2), np.uint8)).save(path)
    assert fault(read_mask, path, (2, 3)) == f"{path}: expected a mask of 2 x 3 pixels like its scan, found 3 x 2"
    path.write_bytes(path.read_bytes()[:-30])
    assert fault(read_mask, path).startswith(f"{path}: expected a mask image, found")
    Image.fromarray(np.zeros((3, 2, 3), np.uint8)).save(path)
    assert "expected a mask of 1 channel, found shape 3 x 2 x 3" in fault(read_mask, path)


def test_a_map_is_a_plain_float_tiff_of_equal_bytes(tmp_path, rng):
    scores = rng.random((12, 10))
    for name in ("a.tiff", "b.tiff"):
        write_map(tmp_path / "crack" / name, scores)
    plain = tifffile.imread(tmp_path / "crack" / "a.tiff")
    assert plain.dtype == np.float32 and np.array_equal(plain, scores.astype(np.float32))
    assert np.array_equal(read_map(tmp_path / "crack" / "a.tiff"), plain)
    assert len({hashlib.md5(path.read_bytes()).hexdigest() for path in (tmp_path / "crack").iterdir()}) == 1
    assert np.asarray(Image.open(tmp_path / "crack" / "a.tiff")).dtype == np.float32  # others read it too


def test_a_map_must_be_finite_and_of_one_channel(tmp_path):
    tifffile.imwrite(tmp_path / "a.tiff", np.full((4, 4), np.nan, np.float32))
    assert "expected finite scores" in fault(read_map, tmp_path / "a.tiff")
    tifffile.imwrite(tmp_path / "a.tiff", np.ones((4, 4), np.uint8))
    assert "expected a map of floats" in fault(read_map, tmp_path / "a.tiff")


FULL_DISK = """
import resource, sys
import numpy as np
from st3d.formats.scans import write_map
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))  # the system refuses to write more, as a full disk does
try:
    write_map(sys.argv[1], np.ones((400, 400), np.float32))
except OSError as error:
    print(error)
"""


def test_a_full_disk_is_one_line_and_keeps_the_earlier_map(tmp_path):
    path = tmp_path / "a.tiff"
    write_map(path, np.zeros((4, 4)))
    done = subprocess.run([sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{path}: not written, file too large\n", "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tiff"] and (read_map(path) == 0).all()


def test_downsampling_takes_valid_pixels_and_says_which(rng):
    scan = xyz(rng, 40, 30)
    points, pixel = downsample_scan(scan, 200, seed=4)
    assert points.shape == (200, 3) and points.dtype == np.float32 and pixel.dtype == np.uint32
    assert np.array_equal(points, scan.reshape(-1, 3)[pixel])
    assert (points != 0).any(axis=1).all() and len(set(pixel.tolist())) == 200
    valid = scan.reshape(-1, 3)[(scan.reshape(-1, 3) != 0).any(axis=1)]
    first = int(np.flatnonzero((valid == points[0]).all(axis=1))[0])
    assert np.array_equal(points, valid[farthest_points(valid, 200, first)])


def test_a_downsampled_scan_is_a_prefix_of_a_larger_one_and_depends_on_the_seed(rng):
    scan = xyz(rng, 40, 30)
    assert np.array_equal(downsample_scan(scan, 50, seed=4)[1], downsample_scan(scan, 200, seed=4)[1][:50])
    assert downsample_scan(scan, 1, seed=4)[1] != downsample_scan(scan, 1, seed=5)[1]


def test_a_scan_with_few_valid_pixels_keeps_them_all(rng):
    scan = xyz(rng)
    valid = np.flatnonzero((scan != 0).any(axis=2))
    assert sorted(downsample_scan(scan, 1000, seed=4)[1]) == valid.tolist()
    assert "expected valid pixels" in fault(downsample_scan, np.zeros_like(scan), 10, 4)


def test_the_real_sample_is_listed_and_read(shared_data):
    dataset = shared_data / "mvtec_3d_ad_sample"
    lengths = {split: len(list_samples(dataset, "cable_gland", split)) for split in ("train", "validation", "test")}
    assert lengths == {"train": 24, "validation": 8, "test": 30}
    sample = list_samples(dataset, "cable_gland", "test")[0]
    scan = read_scan(sample.scan)
    assert scan.shape == (400, 400, 3) and 0 < read_mask(sample.mask, (400, 400)).mean() < 0.01
    assert sample.rgb is not None


def test_an_rgb_image_is_colours_between_0_and_1(tmp_path, rng):
    colours = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    found = read_colours(tmp_path / "a.png", (5, 7))
    assert found.dtype == np.float32
    assert np.allclose(found, colours / 255, atol=1e-7)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 4), (7, 5, 3)])
def test_an_rgb_image_unlike_its_scan_is_refused_by_name(tmp_path, shape):
    Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a.png: expected 8 bits of 3 channels and 5 x 7 pixels like its scan, found"):
        read_colours(tmp_path / "a.png", (5, 7))
    (tmp_path / "b.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"b.png: expected an RGB image, found"):
        read_colours(tmp_path / "b.png", (5, 7))
