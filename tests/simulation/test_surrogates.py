"""The stage that writes surrogates of three sensors' data sets: layout, formats byte by byte, same bytes."""

import hashlib
import json

import numpy as np
import pytest

from st3d.simulation.range_sensors import sensors as range_sensors
from st3d.simulation.range_sensors.room import room
from st3d.simulation.range_sensors.surrogates import FRAGMENTS, VOXEL, surrogates, write_ply

SOURCES = ["simulated_kitti", "simulated_3dmatch", "simulated_itodd"]
SMALL = {"clouds": 2, "resolution": 0.06, "seed": 3, "code": "abc"}


def run(output, source, **changes):
    surrogates(**{"source": source, "output": output, **SMALL, **changes})
    return output


def clouds_of(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in (".bin", ".ply"))


def digests(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def points_of(path):
    if path.suffix == ".bin":
        return np.fromfile(path, "<f4").reshape(-1, 4)
    return np.frombuffer(path.read_bytes().partition(b"end_header\n")[2], "<f4").reshape(-1, 3)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small folder of each source."""
    folder = tmp_path_factory.mktemp("surrogates")
    return {source: run(folder / source, source) for source in SOURCES}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("simulated_kitti", ["sequences/00/velodyne/000000.bin", "sequences/00/velodyne/000001.bin"]),
        ("simulated_3dmatch", ["room_00/cloud_bin_0.ply", "room_00/cloud_bin_1.ply"]),
        ("simulated_itodd", ["scene_000.ply", "scene_001.ply"]),
    ],
)
def test_the_clouds_lie_in_folders_as_said(source, names, made):
    assert [path.relative_to(made[source]).as_posix() for path in clouds_of(made[source])] == names


def test_a_new_room_of_its_own_begins_after_each_five_fragments(tmp_path, monkeypatch):
    sizes = []

    def noted(rng):
        sizes.append(tuple((place := room(rng)).size))
        return place

    monkeypatch.setattr("st3d.simulation.range_sensors.surrogates.room", noted)
    folder = run(tmp_path / "rooms", "simulated_3dmatch", clouds=FRAGMENTS + 1)
    assert [path.relative_to(folder).as_posix() for path in clouds_of(folder)][-1] == "room_01/cloud_bin_0.ply"
    assert len(set(sizes)) == len(sizes) == 2


@pytest.mark.parametrize("source", SOURCES)
def test_complete_json_names_all_files_how_they_were_made_and_that_they_are_simulated(source, made):
    complete = json.loads((made[source] / "complete.json").read_text())
    settings = {key: value for key, value in SMALL.items() if key != "code"}
    assert complete["settings"] == {"source": source, **settings}
    assert complete["code"] == "abc"
    assert "not a real data set" in complete["simulated"]
    assert complete["files"] == [path.relative_to(made[source]).as_posix() for path in clouds_of(made[source])]


def test_a_velodyne_file_is_four_little_endian_floats_a_point_within_the_lidars_reach(made):
    for path in clouds_of(made["simulated_kitti"]):
        assert path.stat().st_size % 16 == 0
        cloud = points_of(path)
        distance = np.linalg.norm(cloud[:, :3], axis=1)
        assert len(cloud) > 0.6 * 64 * range_sensors.AZIMUTHS * SMALL["resolution"]
        assert np.isfinite(cloud).all()
        assert distance.min() > range_sensors.LIDAR_RANGE[0] - 0.01
        assert 30 < distance.max() < range_sensors.LIDAR_RANGE[1] + 0.01
        assert cloud[:, 3].min() >= 0 and cloud[:, 3].max() < 1
        assert np.median(cloud[:, 2]) < -0.5  # z is up and the sensor stands above the road


@pytest.mark.parametrize("source", SOURCES[1:])
def test_a_ply_has_3dmatchs_header_and_as_many_points_as_it_says(source, made):
    for path in clouds_of(made[source]):
        head, _, body = path.read_bytes().partition(b"end_header\n")
        lines = head.decode("ascii").splitlines()
        assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
        assert lines[2] == f"element vertex {len(body) // 12}" and len(body) % 12 == 0
        assert lines[3:] == ["property float x", "property float y", "property float z"]


@pytest.mark.parametrize(("source", "depths"), [("simulated_3dmatch", (0.3, 4.6)), ("simulated_itodd", (0.55, 0.95))])
def test_a_cameras_points_are_finite_and_within_its_range(source, depths, made):
    for path in clouds_of(made[source]):
        cloud = points_of(path)
        assert len(cloud) > 500
        assert np.isfinite(cloud).all()
        assert cloud[:, 2].min() > depths[0] and cloud[:, 2].max() < depths[1]


def test_a_fragment_has_at_most_one_point_a_voxel(made):
    for path in clouds_of(made["simulated_3dmatch"]):
        cells = np.floor(points_of(path).astype(float) / (VOXEL / SMALL["resolution"]) + 1e-9)
        assert len(np.unique(cells, axis=0)) > 0.995 * len(cells)  # float32 may round a point over a border


@pytest.mark.parametrize("source", SOURCES)
def test_a_second_run_gives_the_same_bytes_and_no_two_clouds_are_alike(source, made, tmp_path):
    first = digests(made[source])
    assert digests(run(tmp_path / source, source)) == first
    clouds = [digest for name, digest in first.items() if name.endswith((".bin", ".ply"))]
    others = digests(run(tmp_path / "other", source, seed=4))
    assert len(set(clouds)) == 2 and not set(clouds) & set(others.values())


@pytest.mark.parametrize("source", SOURCES)
def test_a_cloud_is_the_same_however_many_there_are_and_nothing_stale_is_left(source, made, tmp_path):
    two = digests(made[source])
    folder = run(tmp_path / source, source, clouds=3)
    three = digests(folder)
    names = [name for name in two if name.endswith((".bin", ".ply"))]
    assert len(names) == 2 and all(three[name] == two[name] for name in names)
    one = digests(run(folder, source, clouds=1))
    assert one[names[0]] == two[names[0]] and names[1] not in one
    assert not list(tmp_path.glob(".*.partial")) and not list(tmp_path.glob(".*.old"))


def test_a_run_that_fails_keeps_the_earlier_result(made, tmp_path, monkeypatch):
    folder = run(tmp_path / "itodd", "simulated_itodd")
    before = digests(folder)

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("st3d.simulation.range_sensors.surrogates.write_ply", full)
    with pytest.raises(OSError, match="no space"):
        run(folder, "simulated_itodd", seed=9)
    assert digests(folder) == before
    assert not list(tmp_path.glob(".*.partial"))


def test_files_of_another_origin_are_not_replaced(tmp_path):
    (tmp_path / "kitti").mkdir()
    (tmp_path / "kitti" / "000000.bin").write_bytes(b"mine")
    with pytest.raises(ValueError, match="found other files"):
        run(tmp_path / "kitti", "simulated_kitti")
    assert (tmp_path / "kitti" / "000000.bin").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clouds": 0}, "expected clouds of at least 1, found 0"),
        ({"seed": -1}, "expected seed of at least 0, found -1"),
        ({"resolution": 1.5}, "expected a resolution from 0.05 to 1, found 1.5"),
        ({"resolution": 0.0}, "expected a resolution from 0.05 to 1, found 0.0"),
    ],
)
def test_impossible_settings_are_refused_in_one_line(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        run(tmp_path / "kitti", "simulated_kitti", **changes)
    assert "\n" not in str(error.value) and str(tmp_path / "kitti") in str(error.value)
    assert not (tmp_path / "kitti").exists()


def test_the_header_is_that_of_a_real_fragment(tmp_path, shared_data):
    real = shared_data / "3dmatch" / "cloud_bin_1.ply"
    write_ply(tmp_path / "copy.ply", points_of(real))
    assert (tmp_path / "copy.ply").read_bytes() == real.read_bytes()


def test_a_real_velodyne_file_has_the_same_beams_order_and_reflectances(made, shared_data):
    files = clouds_of(shared_data / "kitti_velodyne")[:1] + clouds_of(made["simulated_kitti"])[:1]
    for cloud in map(points_of, files):
        elevation = np.degrees(np.arcsin(cloud[:, 2] / np.linalg.norm(cloud[:, :3], axis=1)))
        tenth = len(cloud) // 10
        assert elevation[:tenth].mean() > 0 and elevation[-tenth:].mean() < -15  # from the top down
        assert -25.5 < elevation.min() < -22
        azimuth = np.unwrap(np.arctan2(cloud[-tenth:, 1], cloud[-tenth:, 0]).astype(float))
        assert azimuth[-1] - azimuth[0] > 5  # counter-clockwise
        np.testing.assert_allclose(cloud[:, 3] * 100, np.round(cloud[:, 3] * 100), atol=1e-3)
        np.testing.assert_allclose(cloud[:, :3] * 1000, np.round(cloud[:, :3] * 1000), atol=0.02)
