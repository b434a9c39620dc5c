"""A pretraining step beside straightforward PyTorch: whole cloud, receptive fields point by point, cdist."""

from collections.abc import Iterator

import numpy as np
import torch
from reference_network import descriptors_by_torch
from reference_points import receptive_field

from benchmarks.measure import Call, Row, alternating, peak_mb
from benchmarks.network import BLOCKS, D, K, N, graph, plain_graph
from st3d.student_teacher.network import Decoder, DescriptorNetwork
from st3d.student_teacher.teacher import draw_task, reconstruction_loss
from st3d.training.optimizer import Adam

FIELDS, DECODED = 16, 1024


def ours(n: int = N, k: int = K) -> Call:
    """A step as the stage makes it; returns the loss."""
    cloud, network, decoder = graph(n, k), DescriptorNetwork(D, BLOCKS), Decoder(D, DECODED)
    optimizer = Adam([*network.parameters(), *decoder.parameters()], 1e-3, 1e-6)

    def call() -> float:
        optimizer.zero_grad()
        task = draw_task(cloud, network.hops, FIELDS, np.random.default_rng(0))
        loss = reconstruction_loss(network, decoder, task)
        loss.backward()
        optimizer.step()
        return loss.item()

    return call


def plain(n: int = N, k: int = K) -> Call:
    """The same without any of st3d's kernels; returns the loss."""
    (points, near), network, decoder = plain_graph(n, k), DescriptorNetwork(D, BLOCKS), Decoder(D, DECODED)
    search = near.numpy()
    optimizer = torch.optim.Adam([*network.parameters(), *decoder.parameters()], lr=1e-3, weight_decay=1e-6)

    def call() -> float:
        optimizer.zero_grad()
        drawn = np.random.default_rng(0).choice(n, FIELDS, replace=False)
        decoded = decoder(descriptors_by_torch(network, points, near)[torch.from_numpy(drawn)])
        loss = torch.zeros(())
        for index, first in zip(drawn, decoded, strict=True):
            field = points[torch.from_numpy(receptive_field(search, index, network.hops))]
            distance = torch.cdist(first, field - field.mean(dim=0), compute_mode="donot_use_mm_for_euclid_dist")
            loss = loss + sum(distance.amin(dim=side).square().mean() for side in (0, 1))
        (loss / FIELDS).backward()
        optimizer.step()
        return loss.item() / FIELDS

    return call


def rows() -> Iterator[Row]:
    task = draw_task(graph(N, K), 2 * BLOCKS, FIELDS, np.random.default_rng(0))
    count, size = 0.0, 0.0
    for number in range(BLOCKS):  # each layer on the points that it is needed for
        hops = 2 * (BLOCKS - number)
        outer, middle, inner = (task.graph.num_needed(hops - back) for back in (0, 1, 2))
        dense = (0.25 * outer + 2 * inner if number else inner) * D * D
        count += 3 * 2 * dense + K * (middle * D // 4 + inner * D // 2) * 30
        size += 3 * (middle + inner) * (4 * K + 12) + 3 * 4 * D * (outer + middle + 3 * inner)
    searches = 2 * 8 * DECODED * len(task.fields)
    seconds = alternating({"ours": ours(), "reference": plain()}, 3)
    yield Row(
        "teacher step",
        f"{FIELDS} receptive fields (mean {len(task.fields) / FIELDS:.0f} points), m {DECODED}, n {N:,} k {K} d {D}",
        seconds["ours"],
        "15 x faster",
        "PyTorch on the whole cloud, search with sets, cdist",
        seconds["reference"],
        peak_mb(ours, 3000, 8),
        peak_mb(plain, 3000, 8),
        size,
        count + searches,
    )
