"""Graphs as they are made of shards: scaled, in a cache-friendly order that nobody else needs to know."""

import threading
from functools import partial

import numpy as np
import pytest
import torch

from st3d.formats.shards import Cloud, write_shard
from st3d.kernels.points import neighbours
from st3d.student_teacher.network import DescriptorNetwork
from st3d.training.inputs import Inputs, scaled
from st3d.training.memory import Memory, read_ahead

CPU = torch.device("cpu")


@pytest.fixture
def cloud(rng):
    points = rng.normal(size=(300, 3)).astype(np.float32)
    return points, neighbours(points, 6)


def test_the_order_in_memory_changes_no_points_descriptor(cloud):
    points, near = cloud
    network = DescriptorNetwork(16, 2)
    graph = scaled(points, near, 0.5, CPU)
    in_the_clouds_order = network(torch.from_numpy(points / np.float32(0.5)), torch.from_numpy(near))
    assert not np.array_equal(graph.row_of_point, np.arange(300))
    assert torch.allclose(network.extract(graph)[torch.from_numpy(graph.row_of_point)], in_the_clouds_order, atol=1e-6)


def test_graphs_are_kept_only_if_all_of_them_fit(cloud, tmp_path):
    points, near = cloud
    write_shard(tmp_path / "train_0.h5", [Cloud(points, near.astype(np.uint16))] * 3, settings={}, code="")
    with Inputs([tmp_path / "train_0.h5"], 300, 6, 1.0, CPU, Memory(1.0, CPU)) as kept:
        assert kept.graph(1) is kept.graph(1)
    with Inputs([tmp_path / "train_0.h5"], 300, 6, 1.0, CPU, Memory(1e-6, CPU)) as read:
        assert read.graph(1) is not read.graph(1)
        assert torch.equal(read.graph(1).points, kept.graph(1).points)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_what_is_made_ahead_comes_complete_and_in_order(device, count):
    calls = (partial(int, number) for number in range(count))
    assert list(read_ahead(calls, torch.device(device))) == list(range(count))


def test_before_a_gpu_the_next_is_made_while_one_is_used():
    made = [threading.Event() for _ in range(3)]
    results = read_ahead((event.set for event in made), torch.device("cuda"))
    next(results)
    assert made[1].wait(timeout=60) and not made[2].is_set()
    list(results)
    assert made[2].is_set()


def test_a_fault_in_what_is_made_ahead_reaches_the_user_of_the_results():
    with pytest.raises(ZeroDivisionError):
        list(read_ahead(iter([partial(int, 1), lambda: 1 // 0]), torch.device("cuda")))


def test_memory_is_granted_once():
    memory = Memory(1e-6, CPU)
    assert memory.reserve(600) and not memory.reserve(600) and memory.reserve(400) and not memory.reserve(1)


def test_an_index_beyond_the_cloud_is_refused(cloud):
    points, near = cloud
    with pytest.raises(ValueError, match="expected indices below 300, found 300"):
        scaled(points, np.where(near == 7, 300, near), 1.0, CPU)
