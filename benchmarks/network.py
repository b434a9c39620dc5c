"""The descriptor network beside plain PyTorch, which holds every (n, k, c) tensor."""

from collections.abc import Iterator

import torch
from reference_network import descriptors_by_torch

from benchmarks.measure import THREADS, Call, Row, alternating, peak_mb, surface
from st3d.kernels.graph import Graph
from st3d.kernels.points import neighbours
from st3d.student_teacher.losses import regression
from st3d.student_teacher.network import DescriptorNetwork
from st3d.training.device import set_threads
from st3d.training.inputs import scaled
from st3d.training.optimizer import Adam

N, K, D, BLOCKS = 64_000, 32, 64, 4
REFERENCE = "plain PyTorch with (n, k, c) tensors"


def graph(n: int, k: int) -> Graph:
    """As a stage makes it."""
    set_threads(THREADS)
    points = surface(n)
    result = scaled(points, neighbours(points, k), 1.0, torch.device("cpu"))
    result.reverse()  # once per cloud, as in training
    return result


def plain_graph(n: int, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points and neighbours in the order that they are stored in."""
    set_threads(THREADS)
    points = surface(n)
    return torch.from_numpy(points), torch.from_numpy(neighbours(points, k))


def forward(n: int = N, k: int = K, d: int = D) -> Call:
    """Descriptors of all points."""
    cloud, network = graph(n, k), DescriptorNetwork(d, BLOCKS)
    return torch.no_grad()(lambda: network.extract(cloud))


def step(n: int = N, k: int = K, d: int = D) -> Call:
    """A student's training step: forward, loss, backward, Adam."""
    cloud, network, target = graph(n, k), DescriptorNetwork(d, BLOCKS), torch.zeros(n, d)
    optimizer = Adam(network.parameters(), 1e-3, 1e-5)

    def call() -> float:
        optimizer.zero_grad()
        loss = regression(network.extract(cloud), target)
        loss.backward()
        optimizer.step()
        return loss.item()

    return call


def plain_forward(n: int = N, k: int = K, d: int = D) -> Call:
    (points, near), network = plain_graph(n, k), DescriptorNetwork(d, BLOCKS)
    return torch.no_grad()(lambda: descriptors_by_torch(network, points, near))


def plain_step(n: int = N, k: int = K, d: int = D) -> Call:
    (points, near), network, target = plain_graph(n, k), DescriptorNetwork(d, BLOCKS), torch.zeros(n, d)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-5)

    def call() -> float:
        optimizer.zero_grad()
        loss = (descriptors_by_torch(network, points, near) - target).square().sum(dim=1).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return call


def operations(n: int, k: int, d: int) -> tuple[float, float]:
    """Of a forward pass and of a training step: dense layers, and the edges' MLPs and sums."""
    dense = 2 * n * d * d * (2.25 * BLOCKS - 1.25 + 2)  # the first block starts from one row
    edges = n * k * (d // 4 + d // 2) * BLOCKS
    return dense + edges * (8 + 2 + 1), 3 * dense + edges * (11 + 8 + 10 + 1)


def traffic(n: int, k: int, d: int) -> tuple[float, float]:
    """Bytes of a forward pass and of a training step: graph read per aggregation, features written and read once."""
    aggregations = 2 * BLOCKS * n * (4 * k + 12)
    features = 4 * n * d * (2 * (0.25 + 0.5 + 1 + 1) * BLOCKS + 4)
    return aggregations + features, 3 * aggregations + 3 * features


def rows() -> Iterator[Row]:
    bounds = zip(operations(N, K, D), traffic(N, K, D), strict=True)
    wanted = ("20 x faster, memory <= 1/10", "20 x faster, memory <= 1/8")
    for (name, ours, reference), target, (count, size) in zip(
        [("network forward", forward, plain_forward), ("network training step", step, plain_step)],
        wanted,
        bounds,
        strict=True,
    ):
        memory, reference_memory = (peak_mb(each, 2000, 8, D) for each in (ours, reference))
        seconds = alternating({"ours": ours(), "reference": reference()}, 3)
        yield Row(
            name,
            f"n {N:,} k {K} d {D}",
            seconds["ours"],
            target,
            REFERENCE,
            seconds["reference"],
            memory,
            reference_memory,
            size,
            count,
        )
