from pathlib import Path

import numpy as np
import pytest
import yaml
from test_rgbd_fragments import sequence

from st3d.formats.point_clouds import read_cloud
from st3d.formats.rgbd_fragments import read_fragment
from st3d.formats.shards import clouds, read_shard
from st3d.kernels.geometry.rotation import euler_rotation
from st3d.kernels.points import farthest_points
from st3d.student_teacher.graph import graph
from st3d.student_teacher.mesh_cache import MeshCache
from st3d.student_teacher.scenes import placed, scene, scenes
from st3d.student_teacher.sources import list_source
from st3d.workflow.config import Study

ROOT = Path(__file__).parents[2]

CUBE = """OFF
9 6 0
0 0 0
2 0 0
2 3 0
0 3 0
0 0 4
2 0 4
2 3 4
0 3 4
99 99 99
4 0 1 2 3
4 4 5 6 7
4 0 1 5 4
4 1 2 6 5
4 2 3 7 6
4 3 0 4 7
"""  # its last vertex belongs to no face
SETTINGS = {
    "split": "train", "part": 0, "parts": 1, "clouds": 3, "objects": 4, "half_width": 3.0, "points": 100,
    "dense_factor": 4.0, "validation_share": 0.1, "seed": 3, "code": "abc", "origin": "",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return meshes(tmp_path / "meshes", *(f"chair/chair_{number:02d}.off" for number in range(12)))


def meshes(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(CUBE)
    return folder


def train_files(folder):
    return list_source([folder], "train", 0.1, "")[1]


def scans(folder, count, points=300):
    """KITTI-like .bin files; file k lies around (10 k, 0, 0)."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        cloud = rng.random((points, 4), np.float32) + np.float32([10 * number, 0, 0, 0])
        cloud.tofile(folder / f"{number:06d}.bin")
    return folder


def test_a_scene_is_the_same_in_any_part(folder, tmp_path):
    for part, parts in ((0, 1), (0, 2), (1, 2)):
        changes = {"part": part, "parts": parts, "output": tmp_path / f"{part}_{parts}.h5"}
        scenes(source=[folder], **SETTINGS | changes)
    with clouds([tmp_path / "0_1.h5"]) as whole, clouds([tmp_path / "0_2.h5", tmp_path / "1_2.h5"]) as halves:
        assert len(whole) == 3
        for one, other in zip(whole, halves, strict=True):
            assert one.points.shape == (100, 3) and np.array_equal(one.points, other.points)
        assert not np.array_equal(whole[0].points, whole[1].points)


def test_equal_settings_give_equal_bytes_and_other_seeds_and_splits_other_scenes(folder, tmp_path):
    changes = {"a": {}, "b": {}, "seed": {"seed": 4}, "split": {"split": "validation"}}
    for name, change in changes.items():
        scenes(source=[folder], output=tmp_path / name, **SETTINGS | change)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with clouds([tmp_path / "a"]) as a, clouds([tmp_path / "seed"]) as b, clouds([tmp_path / "split"]) as c:
        assert not np.array_equal(a[0].points, b[0].points) and not np.array_equal(a[0].points, c[0].points)


def test_the_points_are_a_farthest_point_sample_of_the_surfaces(folder, tmp_path):
    scenes(source=[folder], output=tmp_path / "a", **SETTINGS)
    rng = np.random.default_rng([3, 0, 1])
    dense = scene(train_files(folder), MeshCache(10**6), 4, 3.0, 400, rng)
    with read_shard(tmp_path / "a") as shard:
        assert np.array_equal(shard.cloud(1).points, dense[farthest_points(dense, 100)])


def test_a_placed_mesh_has_a_longest_side_of_one_before_it_is_rotated(rng, folder):
    corners = MeshCache(10**6).corners(folder / "chair/chair_00.off")
    assert corners.shape == (12, 3, 3)
    moved = placed(corners, 3.0, rng)
    lengths = np.linalg.norm(np.diff(moved, axis=1), axis=2)  # the cube's sides 2, 3, 4 become 2/4, 3/4, 1
    assert np.allclose(lengths * 4, np.linalg.norm(np.diff(corners, axis=1), axis=2))


def test_places_and_turns_are_uniform(rng):
    corners = np.array([[[0, 0, 0], [1, 0, 0], [0, 0.5, 0.25]]])  # its box has its centre at (0.5, 0.25, 0.125)
    directions, places = [], []
    for _ in range(2000):
        a, b, _ = placed(corners, 3.0, rng)[0]
        directions.append(b - a)
        places.append(a)
    assert np.abs(np.mean(directions, axis=0)).max() < 0.07  # no direction is preferred
    assert np.abs(np.mean(places, axis=0)).max() < 0.2 and np.abs(np.std(places, axis=0) - 3**0.5).max() < 0.1


def test_a_rotation_keeps_lengths_and_hands():
    rotation = euler_rotation("xyz", np.array([0.3, 1.2, 5.0]))
    assert np.allclose(rotation @ rotation.T, np.eye(3)) and np.isclose(np.linalg.det(rotation), 1)
    assert np.allclose(euler_rotation("xyz", np.array([np.pi / 2, 0, 0])) @ [0, 1, 0], [0, 0, 1])


def test_points_are_shared_by_area(tmp_path, rng):
    files = [tmp_path / "large.off", tmp_path / "small.off"]
    square = "OFF\n4 1 0\n0 0 0\n{0} 0 0\n{0} {1} 0\n0 {1} 0\n4 0 1 2 3\n"
    for file, sides in zip(files, ((10, 10), (10, 1)), strict=True):  # scaled: areas 1 and 0.1
        file.write_text(square.format(*sides))
    points = scene(files, MeshCache(10**6), 2, 0.0, 11_000, rng)
    near_centre = np.linalg.norm(points, axis=1)
    assert points.dtype == np.float32 and near_centre.max() <= 0.5**0.5 + 1e-6
    # both are centred at 0: within radius 0.05 lie the fractions pi 0.05^2 of 1 and all of a strip's middle
    expected = 11_000 / 1.1 * (2 * np.pi * 0.05**2)
    assert abs((near_centre < 0.05).sum() - expected) < 5 * expected**0.5


def test_meshes_that_cannot_be_used_are_one_line_and_leave_nothing(tmp_path, folder):
    def fault(*folders, **changes):
        with pytest.raises(ValueError) as caught:
            scenes(source=list(folders), output=tmp_path / "a.h5", **SETTINGS | changes)
        assert not (tmp_path / "a.h5").exists() and "\n" not in str(caught.value)
        return str(caught.value)

    assert fault(tmp_path / "none").startswith(f"{tmp_path}/none: expected point clouds or meshes (.off, ")
    assert fault(tmp_path / "none", origin="there").endswith("found none; get them from there and put them there")
    only = meshes(tmp_path / "only", "sofa/train/a.off")
    assert "files in folders named test for the validation scenes" in fault(only, split="validation")
    assert "expected 2 files or more for the train scenes" in fault(meshes(tmp_path / "one", "a.off"))
    assert "validation_share: expected a fraction" in fault(folder, validation_share=0.0)
    assert "dense_factor: expected 1 or more" in fault(folder, dense_factor=0.5)
    assert "part: expected a number from 0 to 1, found 2" in fault(folder, part=2, parts=2)
    assert "expected meshes or point clouds in all folders, found both" in fault(folder, scans(tmp_path / "scans", 2))
    for path in folder.rglob("*.off"):
        path.write_text(CUBE.replace("4 3 0 4 7", "4 3 0 4 77"))
    assert "indices from 0 to 8, found 77" in fault(folder)


def test_the_cache_is_bounded(folder):
    files = train_files(folder)
    cache = MeshCache(3 * 12 * 9 * 8)  # three cubes
    for path in files:
        cache.corners(path)
        assert len(cache._kept) <= 3
    assert len(cache._kept) == 3 and np.array_equal(cache.corners(files[0]), cache.corners(files[-1]))


def test_one_large_mesh_does_not_stop_the_cache(folder):
    cache = MeshCache(1)
    assert [len(cache.corners(path)) for path in train_files(folder)] == [12] * 10


def test_scenes_of_real_meshes_fill_the_space(shared_data, tmp_path):
    folders = [shared_data / "modelnet10_sample" / "ModelNet10", shared_data / "furniture"]
    scenes(source=folders, output=tmp_path / "a", **SETTINGS | {"clouds": 1, "objects": 10, "points": 2000})
    with read_shard(tmp_path / "a") as shard:
        points = shard.cloud(0).points
        assert np.abs(points).max() < 3 + 3**0.5 and np.ptp(points, axis=0).min() > 2


def test_a_cloud_scene_is_a_farthest_point_sample_of_a_random_part_of_one_file(tmp_path):
    folder = scans(tmp_path / "scans", 6, points=500)
    scenes(source=[folder], output=tmp_path / "a", **SETTINGS | {"clouds": 20})
    files = train_files(folder)
    used = []
    with clouds([tmp_path / "a"]) as shard:
        for number, cloud in enumerate(shard):
            file = files[int(cloud.points[0, 0] // 10) - 1]  # file 0 is for validation
            rng = np.random.default_rng([3, 0, number])
            dense = read_cloud(file, 400, rng)
            assert np.array_equal(cloud.points, dense[farthest_points(dense, 100, rng.integers(400))])
            used.append(file)
    assert len(set(used[:5])) == 5 and used[5:10] == used[:5] == used[10:15]  # dealt round and round
    assert used[:5] != files  # not in the files' own order


def test_a_cloud_scene_is_the_same_in_any_part(tmp_path):
    folder = scans(tmp_path / "scans", 5)
    for part, parts in ((0, 1), (0, 2), (1, 2)):
        changes = {"part": part, "parts": parts, "output": tmp_path / f"{part}_{parts}.h5", "clouds": 7}
        scenes(source=[folder], **SETTINGS | changes)
    with clouds([tmp_path / "0_1.h5"]) as one, clouds([tmp_path / "0_2.h5", tmp_path / "1_2.h5"]) as two:
        assert len(one) == 7 and all(np.array_equal(a.points, b.points) for a, b in zip(one, two, strict=True))
        assert not np.array_equal(one[0].points, one[4].points)  # one file, another first point and sample


def test_other_seeds_and_splits_give_other_cloud_scenes_and_equal_ones_equal_bytes(tmp_path):
    folder = scans(tmp_path / "scans", 12)
    for name, change in {"a": {}, "b": {}, "seed": {"seed": 4}, "split": {"split": "validation"}}.items():
        scenes(source=[folder], output=tmp_path / name, **SETTINGS | change)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "seed").read_bytes()
    with clouds([tmp_path / "a"]) as train, clouds([tmp_path / "split"]) as validation:
        assert {int(cloud.points[0, 0] // 10) for cloud in train} <= set(range(12)) - {0, 10}
        assert {int(cloud.points[0, 0] // 10) for cloud in validation} == {0, 10}


def test_scenes_of_more_files_repeat_none(tmp_path):
    folder = scans(tmp_path / "scans", 30, points=4)
    scenes(source=[folder], output=tmp_path / "a", **SETTINGS | {"clouds": 27, "points": 3})
    with clouds([tmp_path / "a"]) as shard:
        assert len({int(cloud.points[0, 0] // 10) for cloud in shard}) == 27


def test_clouds_of_fewer_points_are_taken_whole_in_the_order_of_farthest_point_sampling(tmp_path):
    folder = scans(tmp_path / "scans", 2, points=60)
    with (folder / "000001.bin").open("ab") as file:
        file.write(np.zeros((10, 4), np.float32).tobytes())
    scenes(source=[folder], output=tmp_path / "a", **SETTINGS)
    with read_shard(tmp_path / "a") as shard:
        points = shard.cloud(0).points
        assert shard.attributes["settings"]["files"] == 1
    stored = np.fromfile(folder / "000001.bin", np.float32).reshape(-1, 4)[:, :3]
    first = int(np.flatnonzero((stored == points[0]).all(axis=1))[0])
    assert len(points) == 70 and np.array_equal(points, stored[farthest_points(stored, 70, first)])


def test_a_broken_cloud_is_one_line_and_leaves_nothing(tmp_path):
    folder = scans(tmp_path / "scans", 2)
    (folder / "000001.bin").write_bytes(b"x" * 30)
    with pytest.raises(ValueError, match=r"000001.bin: expected x, y, z, reflectance .* found 30 bytes"):
        scenes(source=[folder], output=tmp_path / "a", **SETTINGS)
    assert not (tmp_path / "a").exists()


def test_depth_images_become_scenes(tmp_path):
    images = sequence(tmp_path / "room", 53)
    scenes(source=[tmp_path / "room"], output=tmp_path / "a", **SETTINGS | {"clouds": 1})
    fragment = {tuple(point) for point in read_fragment(images[50:])}
    with read_shard(tmp_path / "a") as shard:
        points = shard.cloud(0).points
        assert len(points) == 100 and {tuple(point) for point in points} <= fragment


def test_real_clouds_become_scenes(shared_data, tmp_path):
    folders = [shared_data / "kitti_velodyne", shared_data / "3dmatch"]
    scenes(source=folders, output=tmp_path / "a", **SETTINGS | {"clouds": 3, "points": 2000})
    with clouds([tmp_path / "a"]) as shard:
        extents = sorted(float(np.ptp(cloud.points, axis=0).max()) for cloud in shard)
        assert all(cloud.points.shape == (2000, 3) for cloud in shard)
    assert extents[0] < 6 < 40 < extents[1]  # m; a part of a room, and two streets


def test_the_first_points_of_a_scene_do_not_depend_on_which_variants_run(folder, tmp_path):
    everything = yaml.safe_load((ROOT / "config.yaml").read_text())
    found = []
    for run_variants in ([], ["base"], ["points_quarter", "near_double"]):
        study = Study(everything | {"run_variants": run_variants}, ROOT / "config.schema.yaml")
        for name in study.running:
            if study.owner("scenes", name) == "base":
                found.append(study.flags(name, "scenes.points", "scenes.dense_factor"))
    assert set(found) == {f"--points {everything['scenes']['points']} --dense-factor 4.0"}
    for name in "ab":
        scenes(source=[folder], output=tmp_path / name, **SETTINGS | {"clouds": 1, "points": 800})
    graph(input=tmp_path / "a", points=400, neighbours=3, output=tmp_path / "g", code="")
    with read_shard(tmp_path / "g") as shorter, read_shard(tmp_path / "b") as whole:
        assert np.array_equal(shorter.cloud(0).points, whole.cloud(0).points[:400])
