import numpy as np
import pytest

from st3d.formats.atomic import read_json
from st3d.formats.shards import Cloud, write_shard
from st3d.kernels.points import mean_neighbour_distance
from st3d.student_teacher.graph import graph
from st3d.student_teacher.scale import scale


def test_the_scale_is_the_mean_over_all_points_of_all_clouds(tmp_path, rng):
    made = [rng.random((n, 3), np.float32) * size for n, size in ((40, 1), (60, 5), (30, 0.1))]
    for part in (0, 1):
        write_shard(tmp_path / f"a{part}", map(Cloud, made[part::2]), settings={}, code="")
        graph(input=tmp_path / f"a{part}", points=60, neighbours=5, output=tmp_path / f"b{part}", code="")
    train = [tmp_path / "b0", tmp_path / "b1"]
    scale(train=train, points=60, neighbours=5, output=tmp_path / "s.json", code="abc")
    found = read_json(tmp_path / "s.json")
    distances = []  # by hand, in float64
    for points in made:
        between = np.linalg.norm(points[:, None].astype(float) - points[None], axis=2)
        distances.append(np.sort(between, axis=1)[:, 1:6])
    assert found["scale"] == pytest.approx(np.concatenate(distances).mean(), rel=1e-12)
    assert found["scale"] != pytest.approx(np.mean([mean_neighbour_distance(points, 5) for points in made]), rel=0.01)
    assert (found["clouds"], found["points"], found["neighbours"], found["code"]) == (3, 130, 5, "abc")


def test_clouds_without_extent_have_no_scale(tmp_path):
    write_shard(tmp_path / "a", [Cloud(np.ones((9, 3), np.float32))], settings={}, code="")
    graph(input=tmp_path / "a", points=9, neighbours=4, output=tmp_path / "b", code="")
    write_shard(tmp_path / "empty", [], settings={}, code="")
    for name in ("b", "empty"):
        with pytest.raises(ValueError, match="expected training clouds of distinct points"):
            scale(train=[tmp_path / name], points=9, neighbours=4, output=tmp_path / "s.json", code="")
    assert not (tmp_path / "s.json").exists()


def test_a_shard_without_neighbours_is_refused(tmp_path, rng):
    write_shard(tmp_path / "a", [Cloud(rng.random((9, 3), np.float32))], settings={}, code="")
    with pytest.raises(ValueError, match="expected 4 neighbours a point, found none"):
        scale(train=[tmp_path / "a"], points=9, neighbours=4, output=tmp_path / "s.json", code="")
