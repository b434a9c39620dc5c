import numpy as np
import pytest
import tifffile
from PIL import Image
from small_dataset import write_small_dataset

from st3d.formats.scans import list_samples, read_scan
from st3d.formats.shards import clouds, read_shard
from st3d.kernels.points import downsample_scan
from st3d.student_teacher.downsampling import downsampling
from st3d.student_teacher.graph import graph

SETTINGS = {"category": "bun", "parts": 1, "part": 0, "points": 60, "invalid": "refuse", "seed": 4}


@pytest.fixture
def dataset(tmp_path, rng):
    for split, defect, count in (("train", "good", 3), ("test", "good", 2), ("test", "crack", 3)):
        for kind in ("xyz", "gt"):
            (tmp_path / "data/bun" / split / defect / kind).mkdir(parents=True)
        for number in range(count):
            scan = rng.random((12, 10, 3), np.float32) + 0.1
            scan[rng.random((12, 10)) < 0.3] = 0
            base = tmp_path / "data/bun" / split / defect
            tifffile.imwrite(base / "xyz" / f"{number:03d}.tiff", scan, photometric="rgb")
            Image.fromarray(np.zeros((12, 10), np.uint8)).save(base / "gt" / f"{number:03d}.png")
    return tmp_path / "data"


def fault(dataset, split, output, **changes) -> str:
    with pytest.raises(ValueError) as caught:
        downsampling(dataset=dataset, split=split, output=output, code="", **SETTINGS | changes)
    assert not output.exists() and "\n" not in str(caught.value)
    return str(caught.value)


def test_a_split_is_downsampled_alike_in_any_number_of_parts(dataset, tmp_path):
    for part, parts in ((0, 1), (0, 2), (1, 2)):
        changes = {"part": part, "parts": parts}
        output = tmp_path / f"{part}_{parts}.h5"
        downsampling(dataset=dataset, split="test", output=output, code="abc", **SETTINGS | changes)
    with clouds([tmp_path / "0_1.h5"]) as whole, clouds([tmp_path / "0_2.h5", tmp_path / "1_2.h5"]) as halves:
        assert [cloud.sample for cloud in whole] == [s.name for s in list_samples(dataset, "bun", "test")]
        for one, other in zip(whole, halves, strict=True):
            assert one.sample == other.sample and one.size == other.size == (12, 10)
            assert np.array_equal(one.points, other.points) and np.array_equal(one.pixel, other.pixel)


def test_the_shard_holds_what_downsample_scan_gives(dataset, tmp_path):
    downsampling(dataset=dataset, split="train", output=tmp_path / "a.h5", code="abc", **SETTINGS)
    with read_shard(tmp_path / "a.h5") as shard:
        assert shard.attributes["settings"]["points"] == 60 and shard.attributes["seed"] == 4
        scan = read_scan(dataset / "bun/train/good/xyz/001.tiff")
        points, pixel = downsample_scan(scan, 60, 4)
        assert np.array_equal(shard.cloud(1).points, points) and np.array_equal(shard.cloud(1).pixel, pixel)


def test_a_scan_smaller_than_the_others_keeps_all_its_points(dataset, tmp_path, rng):
    scan = np.zeros((12, 10, 3), np.float32)
    scan[:2] = rng.random((2, 10, 3)) + 0.1
    tifffile.imwrite(dataset / "bun/train/good/xyz/001.tiff", scan, photometric="rgb")
    downsampling(dataset=dataset, split="train", output=tmp_path / "a.h5", code="", **SETTINGS)
    with read_shard(tmp_path / "a.h5") as shard:
        assert [len(shard.cloud(i).points) for i in range(3)] == [60, 20, 60]


def test_the_first_points_of_a_scan_do_not_depend_on_how_many_are_kept(dataset, tmp_path):
    for points in (20, 60):
        changes = {"points": points, "output": tmp_path / f"{points}"}
        downsampling(dataset=dataset, split="train", code="", **SETTINGS | changes)
    with read_shard(tmp_path / "20") as few, read_shard(tmp_path / "60") as many:
        assert all(np.array_equal(few.cloud(i).pixel, many.cloud(i).pixel[:20]) for i in range(3))


def test_a_scan_without_valid_pixels_is_an_error(dataset, tmp_path):
    path = dataset / "bun/train/good/xyz/001.tiff"
    tifffile.imwrite(path, np.zeros((12, 10, 3), np.float32), photometric="rgb")
    assert fault(dataset, "train", tmp_path / "a.h5") == f"{path}: expected valid pixels in the scan, found none"


def test_a_scan_of_too_few_points_for_its_neighbours_is_named_where_its_graph_is_made(dataset, tmp_path):
    scan = np.zeros((12, 10, 3), np.float32)
    scan[0, :8] = np.arange(1, 9)[:, None]
    tifffile.imwrite(dataset / "bun/train/good/xyz/001.tiff", scan, photometric="rgb")
    downsampling(dataset=dataset, split="train", output=tmp_path / "a.h5", code="", **SETTINGS)
    with pytest.raises(ValueError, match=r"a\.h5: expected 9 points or more in good/001, found 8$"):
        graph(input=tmp_path / "a.h5", points=30, neighbours=8, output=tmp_path / "b.h5", code="")


def test_what_cannot_be_read_is_an_error_and_leaves_nothing(dataset, tmp_path):
    output = tmp_path / "out" / "a.h5"
    mask = dataset / "bun/test/crack/gt/001.png"
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(mask)
    assert fault(dataset, "test", output).startswith(f"{mask}: expected a mask of 12 x 10 pixels")
    scan = dataset / "bun/train/good/xyz/001.tiff"
    scan.write_bytes(scan.read_bytes()[:500])
    assert fault(dataset, "train", output).startswith(f"{scan}: expected a TIFF file")
    broken = np.ones((12, 10, 3), np.float32)
    broken[0, 0] = np.nan
    tifffile.imwrite(scan, broken, photometric="rgb")
    assert fault(dataset, "train", output).startswith(f"{scan}: expected finite coordinates")
    assert "expected the folder of category 'roll'" in fault(dataset, "train", output, category="roll")
    assert "part: expected a number from 0 to 0" in fault(dataset, "train", output, part=1)
    downsampling(dataset=dataset, split="train", output=output, code="", **SETTINGS | {"invalid": "drop"})
    assert [path.name for path in output.parent.iterdir()] == ["a.h5"]


def test_one_scan_in_another_unit_among_others_is_refused(tmp_path, rng):
    write_small_dataset(tmp_path, rng)
    path = next((tmp_path / "part/validation/good/xyz").glob("*.tiff"))
    fine = tifffile.imread(path) / 100  # of a fine sensor: in millimetres, it could be a coarse one's in metres
    for other in (tmp_path / "part").rglob("xyz/*.tiff"):
        tifffile.imwrite(other, fine, photometric="rgb")
    tifffile.imwrite(path, (fine * 1000).astype(np.float32), photometric="rgb")
    options = {"dataset": tmp_path, "category": "part", "part": 0, "parts": 1, "points": 10, "invalid": "refuse"}
    options |= {"seed": 1, "output": tmp_path / "a.h5", "code": "none"}
    downsampling(split="train", **options)
    with pytest.raises(ValueError, match=r"validation.*expected a scan as large as .*train.* in metres"):
        downsampling(split="validation", **options)
