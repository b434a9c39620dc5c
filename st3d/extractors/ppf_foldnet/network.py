"""PPF-FoldNet (Deng, Birdal and Ilic, ECCV 2018): a codeword of a neighbourhood's point pair features.

The authors' code is not public. Layers have the names and sizes of the network whose public weights are in use,
https://github.com/XuyangBai/PPF-FoldNet, models/model_conv1d.py: its checkpoint loads by name, convolutions of one
point as the matrices that they are (`layers_of`). Features are put in as there: angles / pi, distance / patch radius.

Letters: n points of a cloud, k neighbours in its graph, p patches (neighbourhoods) of m points each.
"""

import math
from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from st3d.extractors.point_features import neighbourhoods, normals, point_pair_features
from st3d.kernels.graph import Graph
from st3d.kernels.nearest import chamfer_of_sets

CODEWORD, PAIR, LOCAL, GLOBAL = 512, 4, 64 + 128 + 256, 256
ROWS = 2**13  # points of patches that pass through the encoder at once in `extract`: 70 MB


class Encoder(nn.Module):
    """Point pair features (p, m, 4) to codewords (p, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Linear(PAIR, 64), nn.BatchNorm1d(64)
        self.conv2, self.bn2 = nn.Linear(64, 128), nn.BatchNorm1d(128)
        self.conv3, self.bn3 = nn.Linear(128, GLOBAL), nn.BatchNorm1d(GLOBAL)
        self.fc1, self.fc2 = nn.Linear(LOCAL + GLOBAL, 1024), nn.Linear(1024, CODEWORD)

    def forward(self, features: Tensor) -> Tensor:
        """Codewords (p, 512) float32 of point pair features (p, m, 4) float32."""
        p, m, _ = features.shape
        first = self.bn1(self.conv1(features.reshape(p * m, PAIR))).relu_()
        second = self.bn2(self.conv2(first)).relu_()
        third = self.bn3(self.conv3(second)).relu_()
        pooled = third.view(p, m, GLOBAL).amax(dim=1)
        # what all points of a patch share is multiplied once, not m times
        to_local, to_global = self.fc1.weight.split([LOCAL, GLOBAL], dim=1)
        hidden = functional.linear(torch.cat([first, second, third], dim=1), to_local).view(p, m, -1)
        hidden = hidden.add_(functional.linear(pooled, to_global, self.fc1.bias)[:, None]).relu_()
        # the maximum first: neither the bias nor the ReLU changes which point has it
        return functional.linear(hidden, self.fc2.weight).amax(dim=1).add(self.fc2.bias).relu_()


class Decoder(nn.Module):
    """Codewords (p, 512) to features (p, m, 4): a grid in the unit square, folded twice.

    Parameters
    ----------
    m
        Points of a patch, 2 or more.
    """

    grid: Tensor

    def __init__(self, m: int) -> None:
        super().__init__()
        self.mlp1, self.mlp2 = _folding(2), _folding(PAIR)
        steps = torch.linspace(0, 1, math.isqrt(m - 1) + 1)  # 32 for 1024 points; a square too large is truncated
        self.register_buffer("grid", torch.cartesian_prod(steps, steps).view(-1, 2)[:m], persistent=False)

    def forward(self, codewords: Tensor) -> Tensor:
        """Point pair features (p, m, 4) float32 of codewords (p, 512) float32."""
        return _fold(self.mlp2, codewords, _fold(self.mlp1, codewords, self.grid))


def _folding(inputs: int) -> nn.Sequential:
    widths = [CODEWORD + inputs, 256, 128, 64, 32, PAIR]
    layers = [each for a, b in zip(widths, widths[1:]) for each in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def _fold(layers: nn.Sequential, codewords: Tensor, grid: Tensor) -> Tensor:
    first = cast(nn.Linear, layers[0])
    to_codeword, to_place = first.weight.split([CODEWORD, grid.shape[-1]], dim=1)
    shared = functional.linear(codewords, to_codeword, first.bias)[:, None]
    return layers[1:](functional.linear(grid, to_place) + shared)


class PPFFoldNet(nn.Module):
    """The autoencoder; its codewords are the descriptors.

    Parameters
    ----------
    neighbourhood
        m, points of a patch, 2 or more; the paper has 1024.
    descriptors
        How many points of a cloud have a descriptor, the first in the order of farthest point sampling; 1 or more.

    Raises
    ------
    ValueError
        If one of them is smaller.
    """

    width = CODEWORD

    def __init__(self, neighbourhood: int, descriptors: int) -> None:
        super().__init__()
        for name, value, least in (("neighbourhood", neighbourhood, 2), ("descriptors", descriptors, 1)):
            if value < least:
                raise ValueError(f"ppf_foldnet: expected {name} of {least} or more, found {value}")
        self.neighbourhood, self.descriptors = neighbourhood, descriptors
        self.encoder, self.decoder = Encoder(), Decoder(neighbourhood)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Point pair features (p, m, 4) float32, as of `patch_features`, reconstructed from the patches' codewords."""
        return self.decoder(self.encoder(features))

    @torch.no_grad()
    def extract(self, graph: Graph, rows: Tensor | NDArray[np.int64]) -> Tensor:
        """Codewords of the neighbourhoods of some points.

        Frozen: batch normalisation uses its running statistics. A few patches at a time, so that memory does not grow
        with q but for the features, 16 bytes a point.

        Parameters
        ----------
        graph
            A cloud in units of the scale.
        rows
            (q,) int64, rows of the graph's points.

        Returns
        -------
        (q, 512) float32, on the graph's device
        """
        self.eval()
        at = rows.cpu().numpy() if isinstance(rows, Tensor) else rows
        features = graph_features(graph, at, self.neighbourhood)
        device = graph.points.device
        parts = features.split(max(1, ROWS // self.neighbourhood))
        return torch.cat([self.encoder(part.to(device)) for part in parts])


def patch_radius(m: int, k: int) -> float:
    """The radius of m points around a point.

    On a plane with even points, k neighbours fill a disc of radius r, their mean distance is 2 r / 3, and m points
    fill m / k times its area. Real patches have edges and folds: some of their points lie further away.

    Parameters
    ----------
    m
        Points of a patch.
    k
        Neighbours of a point in the graph.

    Returns
    -------
    float
        In units of the mean distance to k neighbours.

    Examples
    --------
    >>> patch_radius(1024, 16)
    12.0
    """
    return 1.5 * math.sqrt(m / k)


def graph_features(graph: Graph, at: NDArray[np.int64], m: int) -> Tensor:
    """The network's input; see `patch_features`.

    Parameters
    ----------
    graph
        A cloud in units of the scale.
    at
        (q,) int64, rows of the graph's points.
    m
        Points of a patch.

    Returns
    -------
    (q, m, 4) float32 tensor on the CPU
    """
    return patch_features(graph.points.cpu().numpy(), graph.neighbours.cpu().numpy(), at, m)


def patch_features(points: NDArray, neighbours: NDArray, at: NDArray[np.int64], m: int) -> Tensor:
    """The network's input: point pair features of the m points around each of `at`, mostly in [0, 1].

    The public code divides angles by pi and distances by the 0.3 m of its patches' radius. Here the radius is what m
    points of a plane have.

    Parameters
    ----------
    points
        (n, 3), in units of the mean distance to k neighbours.
    neighbours
        (n, k), for the normals.
    at
        (q,) points of the cloud.
    m
        Points of a patch.

    Returns
    -------
    (q, m, 4) float32 tensor on the CPU. Rotating the cloud about the origin changes it by rounding alone: under 1e-5
    of float64 points; where rotated points are rounded to float32, some features of noisy normals change by 1e-4.
    """
    near = neighbourhoods(points, at, m)
    used, place = np.unique(np.concatenate([at[:, None], near], axis=1), return_inverse=True)
    place = place.reshape(len(at), m + 1)
    looking = normals(points, neighbours[used], used)
    features = point_pair_features(points[used], looking, place[:, 0], place[:, 1:])
    features /= np.array([np.pi, np.pi, np.pi, patch_radius(m, neighbours.shape[1])], np.float32)
    return torch.from_numpy(features)


def chamfer_of_features(first: Tensor, second: Tensor) -> Tensor:
    """Chamfer distances of p pairs of sets: mean squared distance to the nearest, both ways, summed.

    Parameters
    ----------
    first
        (p, a, c) float32.
    second
        (p, b, c) float32.

    Returns
    -------
    (p,) float32, in squares of the features

    Notes
    -----
    The public code sums where this takes means, so that the sizes of patches do not change a step. The paper takes the
    larger of the two means of distances.
    """
    p, b, _ = second.shape
    return chamfer_of_sets(first, second.flatten(0, 1), range(0, p * b + 1, b))


def layers_of(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The public checkpoint's tensors under this network's names, which are the same.

    A convolution of one point, (out, in, 1), is the matrix (out, in) that models/model_linear.py has in its place;
    both are taken.

    Parameters
    ----------
    official
        Names to tensors.

    Returns
    -------
    The same names; all matrices (out, in)
    """
    return {
        name: value[:, :, 0] if value.ndim == 3 and value.shape[2] == 1 else value for name, value in official.items()
    }
