"""Shape-Guided's shape expert: an encoder of patches, and a decoder that is a field of signed distances around each.

Chu et al., "Shape-Guided Dual-Memory Learning for 3D Anomaly Detection", ICML 2023; the field is learned as in
Ma et al., "Neural-Pull", ICML 2021. Names of the parameters are those of the authors' checkpoint.

Letters: p patches, k points of a patch, q places around it.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from st3d.formats.checkpoints import load_weights, read_tensors
from st3d.training.device import one_thread

FEATURE, HIDDEN, LAYERS = 128, 512, 7
AT_ONCE = 16  # patches that are encoded or decoded at once: 33 MB of activations


class Encoder(nn.Module):
    """From a patch's points, in any order, to a feature.

    Attributes
    ----------
    conv1, conv2, conv3
        Dense layers of each point by itself.
    fc1, fc2
        Dense layers of the maximum over the points.
    bn1, bn2, bn3, bn4, bn5
        Batch normalisation after each, before the rectifier.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Linear(3, 64), nn.Linear(64, 128), nn.Linear(128, 1024)
        self.fc1, self.fc2 = nn.Linear(1024, 512), nn.Linear(512, FEATURE)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm1d(64), nn.BatchNorm1d(128), nn.BatchNorm1d(1024)
        self.bn4, self.bn5 = nn.BatchNorm1d(512), nn.BatchNorm1d(FEATURE)

    def forward(self, patches: Tensor) -> Tensor:
        """Features (p, 128) float32, 0 or more, of normalised patches (p, k, 3)."""
        return self.feature(self.pooled(patches))

    def pooled(self, patches: Tensor) -> Tensor:
        """The largest values (p, 1024) of the layers of single points."""
        p, k = patches.shape[:2]
        rows = patches.reshape(p * k, 3)
        for layer, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            rows = norm(layer(rows)).relu()
        return rows.view(p, k, -1).amax(dim=1)

    def feature(self, pooled: Tensor) -> Tensor:
        """Features (p, 128) of `pooled` (p, 1024)."""
        feature = pooled
        for layer, norm in ((self.fc1, self.bn4), (self.fc2, self.bn5)):
            feature = norm(layer(feature)).relu()
        return feature


class NormedLinear(nn.Module):
    """A dense layer with weight normalisation: each row of the weights is g v / |v|.

    Attributes
    ----------
    weight_g, weight_v
        Length (outputs, 1) and direction (outputs, inputs) of each output's weights.
    bias
        (outputs,), at first 0.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight_v = nn.Parameter(torch.empty(outputs, inputs).normal_(0, math.sqrt(2 / outputs)))
        self.weight_g = nn.Parameter(torch.linalg.vector_norm(self.weight_v.detach(), dim=1, keepdim=True))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, rows: Tensor) -> Tensor:
        """Outputs (..., outputs) of `rows` (..., inputs)."""
        weight = self.weight_v * (self.weight_g / torch.linalg.vector_norm(self.weight_v, dim=1, keepdim=True))
        return linear(rows, weight, self.bias)


class Decoder(nn.Module):
    """From a feature and places around a patch to signed distances, in the patch's unit; at first about a sphere's.

    Attributes
    ----------
    fc1, fc2
        Dense layers of the feature and of the place.
    fc3
        Of both, the place's first.
    fc40, ..., fc46, fc5
        Of it, with weight normalisation, and the last one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(FEATURE, HIDDEN), nn.Linear(3, HIDDEN), nn.Linear(2 * HIDDEN, HIDDEN)
        nn.init.normal_(self.fc3.weight, 0, math.sqrt(2 / HIDDEN))
        nn.init.zeros_(self.fc3.bias)
        for index in range(LAYERS):
            self.add_module(f"fc4{index}", NormedLinear(HIDDEN, HIDDEN))
        self.fc5 = nn.Linear(HIDDEN, 1)
        nn.init.normal_(self.fc5.weight, 2 * math.sqrt(math.pi / HIDDEN), 1e-6)
        nn.init.constant_(self.fc5.bias, -0.5)

    def forward(self, features: Tensor, places: Tensor) -> Tensor:
        """Signed distances (p, q) of `places` (p, q, 3), each row in the field of its feature (p, 128)."""
        return self.field(self.shared(features), places)

    def shared(self, features: Tensor) -> Tensor:
        """What the third layer makes of features (p, 128), (p, 512): the same for all places of a patch."""
        return linear(self.fc1(features).relu(), self.fc3.weight[:, self.fc2.out_features :], self.fc3.bias)

    def field(self, shared: Tensor, places: Tensor) -> Tensor:
        """Signed distances (p, q) of `places` (p, q, 3), by `shared` (p, 512)."""
        width = self.fc2.out_features
        rows = (linear(self.fc2(places).relu(), self.fc3.weight[:, :width]) + shared[:, None]).relu()
        for index in range(LAYERS):
            rows = self.get_submodule(f"fc4{index}")(rows).relu()
        return self.fc5(rows)[..., 0]


class ShapeExpert(nn.Module):
    """Both.

    Attributes
    ----------
    encoder
        Encoder.
    NIF
        Decoder.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.NIF = Encoder(), Decoder()

    @torch.no_grad()
    def encoded(self, patches: Tensor) -> Tensor:
        """Features (p, 128) of normalised patches (p, k, 3), by the running statistics, a few patches at a time."""
        pooled = torch.cat([self.encoder.pooled(part) for part in patches.split(AT_ONCE)])
        with one_thread():  # few rows
            return self.encoder.feature(pooled)

    @torch.no_grad()
    def distances(self, features: Tensor, places: Tensor) -> Tensor:
        """Signed distances (p, q) of `places` (p, q, 3) in the fields of `features` (p, 128), a few at a time."""
        with one_thread():  # few rows
            shared = self.NIF.shared(features)
        pairs = zip(shared.split(AT_ONCE), places.split(AT_ONCE), strict=True)
        return torch.cat([self.NIF.field(feature, place) for feature, place in pairs])


def pulled(decoder: nn.Module, features: Tensor, places: Tensor, training: bool) -> Tensor:
    """Places, moved by their signed distance along the field's unit gradient: onto the surface, in a true field.

    Parameters
    ----------
    decoder
        Of features and places to signed distances (p, q), such as `Decoder`.
    features
        (p, 128).
    places
        (p, q, 3).
    training
        Whether the result is to be differentiated by the decoder's parameters.

    Returns
    -------
    (p, q, 3)
    """
    with torch.enable_grad():
        places = places.detach().requires_grad_()
        distance = decoder(features, places)
        (gradient,) = torch.autograd.grad(distance.sum(), places, create_graph=training)
    length = torch.sqrt(gradient.square().sum(dim=2, keepdim=True) + 1e-12)
    moved = places - distance[..., None] * gradient / length
    return moved if training else moved.detach()


def pull_loss(decoder: nn.Module, features: Tensor, places: Tensor, targets: Tensor, training: bool) -> Tensor:
    """Mean distance of the pulled places to their targets.

    Parameters
    ----------
    decoder, features, places, training
        As for `pulled`.
    targets
        (p, q, 3), the patch's point nearest to each place.

    Returns
    -------
    (), in the patches' unit
    """
    return torch.linalg.vector_norm(targets - pulled(decoder, features, places, training), dim=2).mean()


def expert_of(weights: Mapping[str, Tensor], path: Path) -> ShapeExpert:
    """A trained expert, for use: its statistics are the running ones.

    Parameters
    ----------
    weights
        By the names of `ShapeExpert`.
    path
        Their file, for errors.

    Returns
    -------
    ShapeExpert on the CPU

    Raises
    ------
    ValueError
        One line with the file if a name or a shape differs.
    """
    expert = ShapeExpert()
    load_weights(expert, weights, path)
    return expert.eval().requires_grad_(False)


def read_official(path: Path) -> dict[str, Tensor]:
    """The weights in the checkpoint of Shape-Guided's authors.

    Parameters
    ----------
    path
        Their ckpt_000601.pth or alike.

    Returns
    -------
    By the names of `ShapeExpert`

    Raises
    ------
    ValueError
        One line with the file if it is no such checkpoint.
    """
    content = read_tensors(path, "a checkpoint of Shape-Guided's authors")
    found = content.get("sdf_model") if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected a checkpoint of Shape-Guided's authors with sdf_model, found none")
    for name, each in found.items():
        if not isinstance(each, Tensor):
            raise ValueError(f"{path}: expected tensors in sdf_model, found {name} of type {type(each).__name__}")
    # theirs are convolutions of width 1
    weights = {name: each[..., 0] if each.ndim == 3 else each for name, each in found.items()}
    return {name: each.clone() for name, each in expert_of(weights, path).state_dict().items()}
