import numpy as np
import pytest
import tifffile
from PIL import Image
from small_dataset import write_small_dataset

from st3d.workflow.check import NAMED, check

SPLITS = ["train", "validation", "test"]


@pytest.fixture
def dataset(tmp_path):
    return write_small_dataset(tmp_path / "own", np.random.default_rng(1))


def faults(capfd, dataset, splits=SPLITS, baselines="none", categories=("part",), sources=()):
    """The lines that `check` prints; it exits with 1 if there are any."""
    try:
        check(
            dataset=dataset, categories=[*categories], splits=splits, baselines=baselines, sources=[*map(str, sources)]
        )
    except SystemExit as error:
        assert error.code == 1
    return capfd.readouterr().err.splitlines()


@pytest.mark.parametrize("baselines", ["none", "3d", "3d_rgb"])
def test_a_whole_data_set_has_no_faults(capfd, dataset, baselines):
    assert faults(capfd, dataset, baselines=baselines) == []


def test_each_fault_is_one_line_and_all_are_found_at_once(capfd, dataset):
    part = dataset / "part"
    (part / "validation/good/xyz/000.tiff").unlink()
    whole = (part / "train/good/xyz/000.tiff").read_bytes()
    (part / "train/good/xyz/000.tiff").write_bytes(whole[: len(whole) // 2])
    tifffile.imwrite(part / "train/good/xyz/001.tiff", np.zeros((9, 9), np.float32))
    (part / "test/good/gt/000.png").unlink()
    (part / "test/good/gt/001.png").unlink()
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(part / "test/dent/gt/000.png")
    found = faults(capfd, dataset)
    expected = [
        "train/good/xyz/000.tiff: expected a TIFF file, found a truncated one",
        "train/good/xyz/001.tiff: expected an image of 3 channels (x, y, z), found shape 9 x 9",
        "validation/good/xyz: expected scans (.tiff), found none",
        "test/good/gt/000.png: expected the mask of test sample good/000, found none",
        "test/good/gt/001.png: expected the mask of test sample good/001, found none",
        "test/dent/gt/000.png: expected a mask of 64 x 64 pixels like its scan, found 5 x 6",
    ]
    assert sorted(found) == sorted(f"{part}/{line}" for line in expected)
    assert faults(capfd, dataset, splits=["validation"]) == [f"{part}/{expected[2]}"]


def test_of_more_than_ten_faults_the_number_is_said(capfd, dataset):
    found = faults(capfd, dataset, categories=[f"no{number}" for number in range(NAMED + 5)])
    assert len(found) == NAMED + 1 and found[-1] == "... and 5 more"


def test_baselines_need_the_camera_and_with_colours_every_rgb_image(capfd, dataset):
    part = dataset / "part"
    (part / "train/good/rgb/000.png").unlink()
    (part / "train/good/rgb/001.png").write_bytes(b"no image")
    (part / "calibration/camera_parameters.json").write_text("{")
    assert faults(capfd, dataset) == []
    without = faults(capfd, dataset, baselines="3d")
    assert len(without) == 2
    assert without[0].startswith(f"{part}/calibration/camera_parameters.json: expected JSON")
    found = "found a file that is no image of a known kind"
    assert without[1] == f"{part}/train/good/rgb/001.png: expected an RGB image, {found}"
    (missing,) = set(faults(capfd, dataset, baselines="3d_rgb")) - set(without)
    assert missing == f"{part}/train/good/xyz/000.tiff: expected an RGB image ../rgb/000.png, found none"


GOOD = {
    "1.off": b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
    "1.bin": np.ones((5, 4), np.float32).tobytes(),
    "1.ply": b"ply\nformat ascii 1.0\nelement vertex 1\n"
    b"property float x\nproperty float y\nproperty float z\nend_header\n1 2 3\n",
    "1.pcd": b"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS 1\nDATA ascii\n1 2 3\n",
    "1.xyz": b"1 2 3\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_headers_of_meshes_and_clouds_are_looked_at(capfd, tmp_path, name):
    (tmp_path / "2").mkdir()
    for path in (tmp_path / name, tmp_path / "2" / name):
        path.write_bytes(GOOD[name])
    assert faults(capfd, tmp_path, categories=(), sources=[tmp_path]) == []
    (tmp_path / "2" / name).write_bytes(b"nothing of the kind")
    (fault,) = faults(capfd, tmp_path, categories=(), sources=[tmp_path])
    assert fault.startswith(f"{tmp_path}/2/{name}: expected")


def test_a_folder_without_meshes_or_clouds_is_one_line(capfd, tmp_path):
    (tmp_path / "1.txt").touch()
    (fault,) = faults(capfd, tmp_path, categories=(), sources=[tmp_path])
    assert fault.startswith(f"{tmp_path}: expected point clouds or meshes")
