"""Shape-Guided's networks: one describes a patch, the other gives the signed distance of a place from its surface.

Letters: p patches, m points of a patch, q queries of one. Parameters have the names of the authors' checkpoint.
"""

import math

import torch
from torch import Tensor, nn

FEATURE = 128  # numbers that describe a patch
HIDDEN, REPEATED = 512, 7  # of the decoder: width, and layers of that width on both sides
LEAST_SLOPE = 1e-12  # added to a gradient's squared length


class Encoder(nn.Module):
    """A patch's feature: a PointNet.

    734,848 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv1d(3, 64, 1), nn.Conv1d(64, 128, 1), nn.Conv1d(128, 1024, 1)
        self.fc1, self.fc2 = nn.Linear(1024, 512), nn.Linear(512, FEATURE)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm1d(64), nn.BatchNorm1d(128), nn.BatchNorm1d(1024)
        self.bn4, self.bn5 = nn.BatchNorm1d(512), nn.BatchNorm1d(FEATURE)

    def forward(self, points: Tensor) -> Tensor:
        """Features of patches.

        Parameters
        ----------
        points
            (p, m, 3) float, normalised; in training p >= 2.

        Returns
        -------
        (p, 128) float, 0 or more
        """
        x = points.transpose(1, 2)
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = norm(conv(x)).relu()
        x = self.bn4(self.fc1(x.amax(dim=2))).relu()
        return self.bn5(self.fc2(x)).relu()


class WeightNormed(nn.Module):
    """A dense layer whose rows are a length times a direction (Salimans and Kingma, NeurIPS 2016).

    Parameters
    ----------
    width
        Numbers on both sides.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight_v = nn.Parameter(torch.randn(width, width) * math.sqrt(2 / width))
        self.weight_g = nn.Parameter(self.weight_v.detach().norm(dim=1, keepdim=True))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to (..., width)."""
        weight = self.weight_v * (self.weight_g / self.weight_v.norm(dim=1, keepdim=True))
        return nn.functional.linear(x, weight, self.bias)


class Decoder(nn.Module):
    """Signed distances of places from a patch's surface.

    2,435,585 parameters at the published width.

    Parameters
    ----------
    width
        Of the hidden layers.
    feature
        Numbers that describe a patch.
    """

    def __init__(self, width: int = HIDDEN, feature: int = FEATURE) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(feature, width), nn.Linear(3, width), nn.Linear(2 * width, width)
        for number in range(REPEATED):
            self.add_module(f"fc4{number}", WeightNormed(width))
        self.fc5 = nn.Linear(width, 1)
        nn.init.normal_(self.fc3.weight, 0, math.sqrt(2 / width))
        nn.init.zeros_(self.fc3.bias)
        # at the start a distance is about that from a sphere (Gropp et al., ICML 2020, as the authors changed it)
        nn.init.normal_(self.fc5.weight, 2 * math.sqrt(math.pi / width), 1e-6)
        nn.init.constant_(self.fc5.bias, -0.5)

    def forward(self, features: Tensor, queries: Tensor) -> Tensor:
        """Signed distances.

        Parameters
        ----------
        features
            (p, 128) float, of the patches.
        queries
            (p, q, 3) float, places in the patches' units.

        Returns
        -------
        (p, q) float, in these units
        """
        place = self.fc2(queries).relu()
        patch = self.fc1(features).relu()[:, None].expand(-1, queries.shape[1], -1)
        x = self.fc3(torch.cat([place, patch], dim=2)).relu()
        for number in range(REPEATED):
            x = self.get_submodule(f"fc4{number}")(x).relu()
        return self.fc5(x)[:, :, 0]


class Expert(nn.Module):
    """Encoder and decoder, under the names of the authors' checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.NIF = Encoder(), Decoder()


def pulled(queries: Tensor, distance: Tensor, gradient: Tensor) -> Tensor:
    """Places moved by their signed distance against the unit gradient, that is, onto the surface.

    Parameters
    ----------
    queries, gradient
        (p, q, 3) float.
    distance
        (p, q) float.

    Returns
    -------
    (p, q, 3) float
    """
    length = (gradient.square().sum(dim=2, keepdim=True) + LEAST_SLOPE).sqrt()
    return queries - distance[:, :, None] * gradient / length


def pull_loss(decoder: nn.Module, features: Tensor, queries: Tensor, targets: Tensor) -> Tensor:
    """How far pulled places end from the points nearest to them (Ma et al., "Neural-Pull", ICML 2021).

    Parameters
    ----------
    decoder
        Signed distances of (features, queries).
    features
        (p, 128) float.
    queries, targets
        (p, q, 3) float.

    Returns
    -------
    () float, the mean distance, in the patches' units; differentiable in the decoder's parameters and the features
    """
    training = torch.is_grad_enabled()
    with torch.enable_grad():
        places = queries.detach().requires_grad_()
        distance = decoder(features, places)
        (gradient,) = torch.autograd.grad(distance.sum(), places, create_graph=training)
    if not training:
        distance = distance.detach()
    return (targets - pulled(places, distance, gradient)).norm(dim=2).mean()
