"""Encoders and generators of the baselines that take a scan as voxels (three sides) or as a depth image (two).

The networks for depth images are Table 3 of Bergmann et al., "The MVTec 3D-AD Dataset for Unsupervised 3D Anomaly
Detection and Localization", 2022; those for voxels are a DCGAN in three dimensions, in the manner of Simarro Viana et
al., "Unsupervised 3D Brain Anomaly Detection", 2020. Letters: b images, c channels, z the latent dimension.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

# Table 3: kernel, stride, padding and channels (of conv1's 32) of conv1 to conv9; conv10 covers what is left
DEPTH_LAYERS = ((4, 2, 1, 1), (4, 2, 1, 1), (4, 2, 1, 1), (3, 1, 1, 1), (4, 2, 1, 2), (3, 1, 1, 2), (4, 2, 1, 4),
                (3, 1, 1, 2), (3, 1, 1, 1))  # fmt: skip
DEPTH_SLOPE, VOXEL_SLOPE = 0.05, 0.2  # of LeakyReLU
VOXEL_CORE = 4  # cells a side that a voxel encoder's last convolution covers


class Encoder(nn.Module):
    """Images (b, c, *sides) to latent vectors (b, z); of dimension 1 a critic.

    Parameters
    ----------
    inputs
        c, channels of an image.
    sides
        Of an image; voxels: three, the same power of two, 8 or more; depth: two multiples of 32, 64 or more.
    channels
        Of the first convolution; later ones have multiples of it.
    latent
        z.

    Raises
    ------
    ValueError
        If the sides are others.
    """

    def __init__(self, inputs: int, sides: Sequence[int], channels: int, latent: int) -> None:
        super().__init__()
        layers = plan(sides, channels)
        convolution, norm = _operations(sides, False)
        parts: list[nn.Module] = []
        voxels = len(sides) == 3
        for number, (kernel, stride, padding, width) in enumerate(layers):
            parts.append(convolution(inputs, width, kernel, stride, padding))
            if number or not voxels:  # a grid's first layer sees mostly -1: subtracting a mean would blur the rest
                parts.append(norm(width, affine=True))
            parts.append(nn.LeakyReLU(_slope(sides)))
            inputs = width
        self.layers = nn.Sequential(*parts, convolution(inputs, latent, core(sides)))

    def forward(self, images: Tensor) -> Tensor:
        """Latent vectors (b, z) float32 of images (b, c, *sides) float32."""
        return self.layers(images).flatten(1)


class Generator(nn.Module):
    """Latent vectors (b, z) to images (b, c, *sides): the encoder mirrored; voxels end in tanh.

    Parameters
    ----------
    outputs
        c, channels of an image.
    sides, channels, latent
        As of Encoder.
    """

    def __init__(self, outputs: int, sides: Sequence[int], channels: int, latent: int) -> None:
        super().__init__()
        layers = plan(sides, channels)
        widths = [outputs, *(width for *_, width in layers)]
        upward, norm = _operations(sides, True)
        flat, _ = _operations(sides, False)
        parts: list[nn.Module] = [upward(latent, widths[-1], core(sides))]
        for number in range(len(layers) - 1, -1, -1):
            kernel, stride, padding, _ = layers[number]
            parts += [norm(widths[number + 1], affine=True), nn.LeakyReLU(_slope(sides))]
            convolution = upward if stride > 1 else flat
            parts.append(convolution(widths[number + 1], widths[number], kernel, stride, padding))
        self.layers = nn.Sequential(*parts, *([nn.Tanh()] if len(sides) == 3 else []))
        self._core = (1,) * len(sides)

    def forward(self, latent: Tensor) -> Tensor:
        """Images (b, c, *sides) float32 of latent vectors (b, z) float32."""
        return self.layers(latent.view(*latent.shape, *self._core))


class Autoencoder(nn.Module):
    """Images (b, c, *sides) to images through a latent vector.

    Parameters
    ----------
    inputs, sides, channels, latent
        As of Encoder.
    """

    def __init__(self, inputs: int, sides: Sequence[int], channels: int, latent: int) -> None:
        super().__init__()
        self.encoder = Encoder(inputs, sides, channels, latent)
        self.generator = Generator(inputs, sides, channels, latent)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstructions (b, c, *sides) float32 of images of the same shape."""
        return self.generator(self.encoder(images))


def plan(sides: Sequence[int], channels: int) -> list[tuple[int, int, int, int]]:
    """The convolutions of an encoder but the last.

    Parameters
    ----------
    sides
        Of an image.
    channels
        Of the first convolution.

    Returns
    -------
    Kernel, stride, padding and output channels of each

    Raises
    ------
    ValueError
        If the sides do not halve as often as the convolutions need.
    """
    core(sides)
    if len(sides) == 2:
        return [(kernel, stride, padding, channels * factor) for kernel, stride, padding, factor in DEPTH_LAYERS]
    halvings = int(math.log2(sides[0] // VOXEL_CORE))
    return [(4, 2, 1, channels * 2**number) for number in range(halvings)]


def core(sides: Sequence[int]) -> tuple[int, ...]:
    """The sides that the strided convolutions leave, and the last convolution's kernel.

    Parameters
    ----------
    sides
        Of an image; voxels: three, the same power of two, 8 or more; depth: two multiples of 32, 64 or more.

    Returns
    -------
    A side for each of `sides`

    Raises
    ------
    ValueError
        If the sides are others.
    """
    if len(sides) == 3:
        cells = sides[0]
        if any(side != cells for side in sides) or cells < 8 or cells & (cells - 1):
            raise ValueError(f"voxels: expected a cube of a power of two cells a side, 8 or more, found {tuple(sides)}")
        return (VOXEL_CORE,) * len(sides)
    if any(side < 64 or side % 32 for side in sides):  # instance normalisation of one pixel has no deviation
        raise ValueError(f"depth: expected sides that are multiples of 32, 64 or more, found {tuple(sides)}")
    return tuple(side // 32 for side in sides)


def _operations(sides: Sequence[int], transposed: bool) -> tuple[type, type]:
    """Convolution and instance normalisation for images of so many sides."""
    if len(sides) == 3:
        return (nn.ConvTranspose3d if transposed else nn.Conv3d), nn.InstanceNorm3d
    return (nn.ConvTranspose2d if transposed else nn.Conv2d), nn.InstanceNorm2d


def _slope(sides: Sequence[int]) -> float:
    return VOXEL_SLOPE if len(sides) == 3 else DEPTH_SLOPE
