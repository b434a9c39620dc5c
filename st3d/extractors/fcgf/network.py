"""FCGF: a sparse convolutional U-Net that extracts descriptors of a cloud's voxels (Choy, Park, Koltun, ICCV 2019).

The network is ResUNetBN2C of the authors' repository, chrischoy/FCGF. Modules are named as there, so a state's names
are the official ones: `conv1.kernel`, `norm1.bn.weight`, `block1.conv1.kernel`, ... `final.kernel`, `final.bias`.
Kernels are (offsets, inputs, outputs), offsets with x fastest; those of one voxel are (inputs, outputs), the bias is
(1, outputs). `official_weights` takes MinkowskiEngine's other spellings of the same to these.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from st3d.kernels.sparse import Grids, convolve, voxelise

CHANNELS = 32, 64, 128, 256  # of the encoder at strides 1, 2, 4, 8
UP_CHANNELS = 64, 64, 64, 128  # of the decoder at strides 1 (both), 2, 4
ONE_VOXEL = "conv1_tr.kernel", "final.kernel"  # kernels of side 1
MOMENTUM = 0.05  # of the running statistics
SHORTEST = 1e-8  # added to a descriptor's length before it divides


class Convolution(nn.Module):
    """Sparse convolution from one stride to another.

    Parameters
    ----------
    inputs, outputs
        Channels.
    kernel
        Its side, odd, voxels.
    source, target
        Strides of the input and of the output, in finest voxels: 1, 2, 4 or 8.
    bias
        Whether there is one; only a kernel of side 1 adds it.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, source: int = 1, target: int = 1, bias: bool = False):
        super().__init__()
        self._side, self._source, self._target = kernel, source, target
        shape = (inputs, outputs) if kernel == 1 else (kernel**3, inputs, outputs)
        bound = (kernel**3 * (outputs if target < source else inputs)) ** -0.5  # MinkowskiEngine's
        self.kernel = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(1, outputs).uniform_(-bound, bound)) if bias else None

    def forward(self, features: Tensor, grids: Grids) -> Tensor:
        """Features (v, inputs) float32 of the voxels at the source's stride to (w, outputs) at the target's."""
        if self._side == 1:
            result = features @ self.kernel
            return result if self.bias is None else result + self.bias
        pairs = grids.kernel_map(self._side, self._source, self._target)
        return convolve(features, self.kernel, pairs, len(grids.keys(self._target)))


class Norm(nn.Module):
    """Batch normalisation over voxels; a module of its own, so that its weights have the official names.

    Parameters
    ----------
    channels
        Of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(channels, momentum=MOMENTUM)

    def forward(self, features: Tensor) -> Tensor:
        """Features (v, channels), standardised: in training by their own statistics, else by the running ones."""
        return self.bn(features)


class Block(nn.Module):
    """Residual block: two convolutions of side 3 at one stride.

    Parameters
    ----------
    channels
        Of the features.
    stride
        Of the voxels, in finest voxels: 1, 2, 4 or 8.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = Convolution(channels, channels, 3, stride, stride), Norm(channels)
        self.conv2, self.norm2 = Convolution(channels, channels, 3, stride, stride), Norm(channels)

    def forward(self, features: Tensor, grids: Grids) -> Tensor:
        """Features (v, channels) float32 of the v voxels at the block's stride to the same shape."""
        inner = self.norm1(self.conv1(features, grids)).relu()
        return (self.norm2(self.conv2(inner, grids)) + features).relu()


class FCGF(nn.Module):
    """ResUNetBN2C: a descriptor per voxel.

    Parameters
    ----------
    voxel
        Side of a voxel, in the points' unit.
    width
        Descriptor dimension.
    conv1_kernel
        Side of the first convolution's kernel, odd.
    normalised
        Whether descriptors have length 1; those of the authors' KITTI networks do not.
    """

    def __init__(self, voxel: float, width: int = 32, conv1_kernel: int = 5, normalised: bool = True) -> None:
        super().__init__()
        self.voxel, self.width, self.normalised = voxel, width, normalised
        inputs = 1
        for level, channels in enumerate(CHANNELS, start=1):
            stride = 2 ** (level - 1)
            kernel, source = (conv1_kernel, 1) if level == 1 else (3, stride // 2)
            self.add_module(f"conv{level}", Convolution(inputs, channels, kernel, source, stride))
            self.add_module(f"norm{level}", Norm(channels))
            self.add_module(f"block{level}", Block(channels, stride))
            inputs = channels
        for level in (4, 3, 2):
            stride, channels = 2 ** (level - 2), UP_CHANNELS[level - 1]
            self.add_module(f"conv{level}_tr", Convolution(inputs, channels, 3, 2 * stride, stride))
            self.add_module(f"norm{level}_tr", Norm(channels))
            self.add_module(f"block{level}_tr", Block(channels, stride))
            inputs = channels + CHANNELS[level - 2]
        self.conv1_tr = Convolution(inputs, UP_CHANNELS[0], 1)
        self.final = Convolution(UP_CHANNELS[0], width, 1, bias=True)

    def forward(self, points: Tensor) -> Tensor:
        """Descriptors of points; each point gets its voxel's.

        A translation of the cloud by whole voxels changes nothing: voxels are counted from its lowest one along each
        axis.

        Parameters
        ----------
        points
            (n, 3) float, in the unit of `voxel`.

        Returns
        -------
        (n, width) float32, of length 1 if normalised

        Raises
        ------
        ValueError
            If there is no point, a coordinate is not finite, or the cloud spans more than two million voxels.
        """
        keys, place = voxelise(points, self.voxel)
        return self.extract(keys).index_select(0, place)

    def extract(self, keys: Tensor) -> Tensor:
        """Descriptors of voxels.

        Parameters
        ----------
        keys
            (v,) int64, sorted, as `st3d.kernels.sparse.voxelise` gives them.

        Returns
        -------
        (v, width) float32, of length 1 if normalised
        """
        grids = Grids(keys)
        features = self.final.kernel.new_ones(len(keys), 1)
        skipped = []
        for level in (1, 2, 3, 4):
            features = self._level(features, grids, str(level))
            skipped.append(features)
        skipped.pop()
        for level in (4, 3, 2):
            features = torch.cat([self._level(features, grids, f"{level}_tr"), skipped.pop()], dim=1)
        result = self.final(self.conv1_tr(features, grids).relu(), grids)
        if not self.normalised:
            return result
        return result / (result.square().sum(dim=1, keepdim=True).sqrt() + SHORTEST)

    def _level(self, features: Tensor, grids: Grids, name: str) -> Tensor:
        features = self.get_submodule(f"conv{name}")(features, grids)
        return self.get_submodule(f"block{name}")(self.get_submodule(f"norm{name}")(features), grids)


def official_weights(state: Mapping[str, Tensor]) -> tuple[dict[str, int], dict[str, Tensor]]:
    """The dimensions of an official network and its weights as `FCGF` takes them.

    Parameters
    ----------
    state
        Names to tensors; kernels of one voxel may be (1, inputs, outputs), the last bias (outputs,).

    Returns
    -------
    `width` and `conv1_kernel`, and the state with all its names

    Raises
    ------
    ValueError
        One line with the tensor, if a name is missing, unknown or of another shape: another architecture.
    """
    width = _dimension(state, "final.kernel", -1)
    volume = _dimension(state, "conv1.kernel", 0)
    kernel = round(volume ** (1 / 3))
    if kernel**3 != volume or kernel % 2 == 0:
        raise ValueError(f"expected conv1.kernel of an odd number's cube of offsets, found {volume}")
    dimensions = {"width": width, "conv1_kernel": kernel}
    with torch.device("meta"):
        expected = FCGF(1.0, **dimensions).state_dict()
    weights = {}
    for name in sorted(expected.keys() | state.keys()):
        wanted, found = (tuple(side[name].shape) if name in side else None for side in (expected, state))
        if wanted is None or found is None or not _alike(name, found, wanted):
            raise ValueError(f"expected {name} of shape {wanted or 'none'}, found {found or 'none'}")
        weights[name] = state[name].to(expected[name].dtype).reshape(wanted).clone()
    return dimensions, weights


def _alike(name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether MinkowskiEngine, in one of its versions, gives a tensor of shape `wanted` the shape `found`."""
    flat_bias = name == "final.bias" and found == wanted[1:]
    return found == wanted or flat_bias or (name in ONE_VOXEL and found == (1, *wanted))


def _dimension(state: Mapping[str, Tensor], name: str, axis: int) -> int:
    if name not in state or state[name].ndim < 2:
        found = tuple(state[name].shape) if name in state else "none"
        raise ValueError(f"expected {name}, the kernel of an FCGF network, found {found}")
    return state[name].shape[axis]
