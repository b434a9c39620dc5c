import numpy as np
import pytest

from st3d.formats.shards import Cloud, read_shard, write_shard
from st3d.kernels.points import neighbours
from st3d.student_teacher.graph import graph


def test_neighbours_are_those_among_the_first_points(tmp_path, rng):
    made = [Cloud(rng.random((50, 3), np.float32), None, np.arange(50, dtype=np.uint32), (10, 10), "good/000")] * 2
    write_shard(tmp_path / "a.h5", made, settings={"seed": 4}, code="abc")
    graph(input=tmp_path / "a.h5", points=30, neighbours=6, output=tmp_path / "b.h5", code="abc")
    with read_shard(tmp_path / "b.h5") as shard:
        cloud = shard.cloud(1)
        assert np.array_equal(cloud.points, made[1].points[:30]) and np.array_equal(cloud.pixel, np.arange(30))
        assert cloud.size == (10, 10) and cloud.sample == "good/000"
        assert cloud.neighbours.dtype == np.uint16
        assert np.array_equal(cloud.neighbours, neighbours(made[1].points[:30], 6))
        assert shard.attributes["settings"] == {"points": 30, "neighbours": 6, "input": {"seed": 4}}


def test_a_cloud_without_enough_points_is_named(tmp_path, rng):
    write_shard(tmp_path / "a.h5", [Cloud(rng.random((6, 3), np.float32))], settings={}, code="")
    with pytest.raises(ValueError, match=r"a\.h5: expected 7 points or more in cloud 0, found 6"):
        graph(input=tmp_path / "a.h5", points=30, neighbours=6, output=tmp_path / "b.h5", code="")
    assert not (tmp_path / "b.h5").exists()


def test_a_missing_or_damaged_input_is_one_line(tmp_path):
    for content in (None, b"hello"):
        if content is not None:
            (tmp_path / "a.h5").write_bytes(content)
        with pytest.raises(ValueError, match=r"^.*a\.h5: expected [^\n]*$"):
            graph(input=tmp_path / "a.h5", points=30, neighbours=6, output=tmp_path / "b.h5", code="")


def test_more_points_than_were_sampled_are_refused(tmp_path, rng):
    write_shard(tmp_path / "a.h5", [Cloud(rng.random((30, 3), np.float32))], settings={"points": 30}, code="")
    with pytest.raises(ValueError, match=r"a\.h5: expected clouds of 40 points, found a sample of 30"):
        graph(input=tmp_path / "a.h5", output=tmp_path / "b.h5", points=40, neighbours=3, code="")
    assert not (tmp_path / "b.h5").exists()
