import numpy as np
import pytest

from st3d.points import farthest_points
from st3d.scenes import MeshCache, list_meshes, placed, rotation, scene, scenes
from st3d.shards import clouds, read_shard

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
    "dense_factor": 4.0, "held_out": 0.1, "seed": 3, "code": "abc",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return meshes(tmp_path / "meshes", *(f"chair/chair_{number:02d}.off" for number in range(12)))


def meshes(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(CUBE)
    return folder


def test_a_scene_is_the_same_in_any_part(folder, tmp_path):
    for part, parts in ((0, 1), (0, 2), (1, 2)):
        changes = {"part": part, "parts": parts, "output": tmp_path / f"{part}_{parts}.h5"}
        scenes(meshes=[folder], **SETTINGS | changes)
    with clouds([tmp_path / "0_1.h5"]) as whole, clouds([tmp_path / "0_2.h5", tmp_path / "1_2.h5"]) as halves:
        assert len(whole) == 3
        for one, other in zip(whole, halves, strict=True):
            assert one.points.shape == (100, 3) and np.array_equal(one.points, other.points)
        assert not np.array_equal(whole[0].points, whole[1].points)


def test_equal_settings_give_equal_bytes_and_other_seeds_and_splits_other_scenes(folder, tmp_path):
    changes = {"a": {}, "b": {}, "seed": {"seed": 4}, "split": {"split": "validation"}}
    for name, change in changes.items():
        scenes(meshes=[folder], output=tmp_path / name, **SETTINGS | change)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with clouds([tmp_path / "a"]) as a, clouds([tmp_path / "seed"]) as b, clouds([tmp_path / "split"]) as c:
        assert not np.array_equal(a[0].points, b[0].points) and not np.array_equal(a[0].points, c[0].points)


def test_the_points_are_a_farthest_point_sample_of_the_surfaces(folder, tmp_path):
    scenes(meshes=[folder], output=tmp_path / "a", **SETTINGS)
    rng = np.random.default_rng([3, 0, 1])
    dense = scene(list_meshes(folder, "train", 0.1), MeshCache(10**6), 4, 3.0, 400, rng)
    with read_shard(tmp_path / "a") as shard:
        assert np.array_equal(shard.cloud(1).points, dense[farthest_points(dense, 100)])


def test_a_placed_mesh_has_a_longest_side_of_one_before_it_is_turned(rng, folder):
    corners = MeshCache(10**6).corners(folder / "chair/chair_00.off")
    assert corners.shape == (12, 3, 3)
    moved = placed(corners, 3.0, rng)
    lengths = np.linalg.norm(np.diff(moved, axis=1), axis=2)  # the cube's sides 2, 3, 4 become 2/4, 3/4, 1
    assert np.allclose(lengths * 4, np.linalg.norm(np.diff(corners, axis=1), axis=2))


def test_places_and_turns_are_uniform(rng):
    corners = np.array([[[0, 0, 0], [1, 0, 0], [0, 0.5, 0.25]]])  # its box has its centre at (0.5, 0.25, 0.125)
    turns, places = [], []
    for _ in range(2000):
        a, b, _ = placed(corners, 3.0, rng)[0]
        turns.append(b - a)
        places.append(a)
    assert np.abs(np.mean(turns, axis=0)).max() < 0.07  # no direction is preferred
    assert np.abs(np.mean(places, axis=0)).max() < 0.2 and np.abs(np.std(places, axis=0) - 3**0.5).max() < 0.1


def test_a_rotation_keeps_lengths_and_hands():
    turn = rotation(np.array([0.3, 1.2, 5.0]))
    assert np.allclose(turn @ turn.T, np.eye(3)) and np.isclose(np.linalg.det(turn), 1)
    assert np.allclose(rotation(np.array([np.pi / 2, 0, 0])) @ [0, 1, 0], [0, 0, 1])


def test_points_are_shared_by_area(tmp_path, rng):
    files = [tmp_path / "large.off", tmp_path / "small.off"]
    square = "OFF\n4 1 0\n0 0 0\n{0} 0 0\n{0} {1} 0\n0 {1} 0\n4 0 1 2 3\n"
    for file, sides in zip(files, ((10, 10), (10, 1)), strict=True):  # scaled: areas 1 and 0.1
        file.write_text(square.format(*sides))
    points = scene(files, MeshCache(10**6), 2, 0.0, 11_000, rng)
    near_centre = np.linalg.norm(points, axis=1)
    assert points.dtype == np.float32 and near_centre.max() <= 0.5**0.5 + 1e-6
    # both are centred at 0: within radius 0.05 lie the shares pi 0.05^2 of 1 and all of a strip's middle
    expected = 11_000 / 1.1 * (2 * np.pi * 0.05**2)
    assert abs((near_centre < 0.05).sum() - expected) < 5 * expected**0.5


def test_modelnet_folders_decide_the_split(tmp_path):
    names = ("sofa/train/sofa_0001.off", "sofa/train/._sofa_0001.off", "sofa/test/sofa_0002.OFF", "bed/train/b.obj")
    folder = meshes(tmp_path / "m", *names, "sofa/train/readme.txt", "__MACOSX/.x/sofa/train/sofa_0001.off")
    assert [path.name for path in list_meshes(folder, "train", 0.1)] == ["b.obj", "sofa_0001.off"]
    assert [path.name for path in list_meshes(folder, "validation", 0.1)] == ["sofa_0002.OFF"]


def test_elsewhere_every_tenth_mesh_is_held_out(folder):
    train, validation = list_meshes(folder, "train", 0.1), list_meshes(folder, "validation", 0.1)
    assert [path.name for path in validation] == ["chair_00.off", "chair_10.off"]
    assert len(train) == 10 and not set(train) & set(validation)


def test_meshes_that_cannot_be_used_are_one_line_and_leave_nothing(tmp_path, folder):
    def fault(*folders, **changes):
        with pytest.raises(ValueError) as caught:
            scenes(meshes=list(folders), output=tmp_path / "a.h5", **SETTINGS | changes)
        assert not (tmp_path / "a.h5").exists() and "\n" not in str(caught.value)
        return str(caught.value)

    assert fault(tmp_path / "none") == f"{tmp_path}/none: expected a folder of meshes, found none"
    (tmp_path / "empty").mkdir()
    assert "empty: expected meshes (.off, .obj, .ply, .stl), found none" in fault(tmp_path / "empty")
    only = meshes(tmp_path / "only", "sofa/train/a.off")
    assert "meshes in folders named test for the validation scenes" in fault(only, split="validation")
    assert "expected 2 meshes or more for the train scenes" in fault(meshes(tmp_path / "one", "a.off"))
    assert "held_out: expected a share" in fault(folder, held_out=0.0)
    assert "dense_factor: expected 1 or more" in fault(folder, dense_factor=0.5)
    assert "part: expected a number from 0 to 1, found 2" in fault(folder, part=2, parts=2)
    for path in folder.rglob("*.off"):
        path.write_text(CUBE.replace("4 3 0 4 7", "4 3 0 4 77"))
    assert "indices from 0 to 8, found 77" in fault(folder)


def test_the_cache_is_bounded(folder):
    files = list_meshes(folder, "train", 0.1)
    cache = MeshCache(3 * 12 * 9 * 8)  # three cubes
    for path in files:
        cache.corners(path)
        assert len(cache._kept) <= 3
    assert len(cache._kept) == 3 and np.array_equal(cache.corners(files[0]), cache.corners(files[-1]))


def test_one_large_mesh_does_not_stop_the_cache(folder):
    cache = MeshCache(1)
    assert [len(cache.corners(path)) for path in list_meshes(folder, "train", 0.1)] == [12] * 10


def test_scenes_of_real_meshes_fill_the_space(shared_data, tmp_path):
    folders = [shared_data / "modelnet10_sample" / "ModelNet10", shared_data / "furniture"]
    scenes(meshes=folders, output=tmp_path / "a", **SETTINGS | {"clouds": 1, "objects": 10, "points": 2000})
    with read_shard(tmp_path / "a") as shard:
        points = shard.cloud(0).points
        assert np.abs(points).max() < 3 + 3**0.5 and np.ptp(points, axis=0).min() > 2
