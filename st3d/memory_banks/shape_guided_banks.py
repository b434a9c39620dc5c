"""Shape-Guided's two banks of a category, ready to be searched: what each expert makes of a scan.

Letters: p patches, k points of a patch, s rows and columns of an object image.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from st3d.formats.checkpoints import content_of, plain
from st3d.formats.images import Image
from st3d.kernels.matching_pursuit import matching_pursuit
from st3d.kernels.nearest_rows import NearestRows
from st3d.memory_banks.colour_bank import ColourBank, cells_of, residuals
from st3d.memory_banks.colour_networks import colour_features, colour_network
from st3d.memory_banks.fusion import enlarged_there
from st3d.memory_banks.patches import cut_image
from st3d.memory_banks.sdf_network import expert_of


class Shape(NamedTuple):
    """What the shape expert makes of a scan.

    Attributes
    ----------
    scores
        (s, s) float32: the least distance of a pixel's point to the surfaces that its patches are expected to have, in
        the patches' longest sides; NaN where no patch has the pixel.
    score
        The largest distance of a patch's feature to the expected one.
    pixel
        (p, k) integer, the patches' places in the flattened object image.
    atoms
        (p, atoms) int64, the bank's rows that the expected features are put together from.
    """

    scores: np.ndarray
    score: float
    pixel: np.ndarray
    atoms: Tensor


class Colour(NamedTuple):
    """What the colour expert makes of a scan.

    Attributes
    ----------
    scores
        (s, s) float32, distances of colour features to the expected ones; NaN where no cell is compared.
    score
        The largest one of a cell.
    """

    scores: np.ndarray
    score: float


class Banks:
    """A category's banks and the networks that read scans for them.

    Parameters
    ----------
    model
        `bank`, `sizes` and `weights`; with a colour expert `colour`: see docs/files.md.
    path
        Its file, for errors.
    device
        Where networks run and banks are searched.

    Attributes
    ----------
    sizes
        Those of `model`.

    Raises
    ------
    ValueError
        One line with the file if weights are not those of the networks, or the banks do not fit together.
    """

    def __init__(self, model: Mapping[str, Any], path: Path, device: torch.device) -> None:
        self.sizes: Mapping[str, Any] = model["sizes"]
        with content_of(path, "a memory bank of shape_guided"):
            self._device, self._bank = device, model["bank"].to(device)
            self._whole = NearestRows(self._bank)
            self._expert = expert_of(model["weights"], path).to(device)
            if "colour" in model:
                colour = model["colour"]
                self._colours = ColourBank(*(plain(colour[name]) for name in ColourBank._fields))
                self._colours.check(len(self._bank))
                self._network = colour_network(colour["network"], colour["weights"], path).to(device)

    def shape(self, image: Image, left_out: range = range(0)) -> Shape:
        """Compare a scan's patches with the bank.

        Parameters
        ----------
        image
            The scan's object image.
        left_out
            Rows of the bank that do not count: the scan's own, if it is a training scan.

        Returns
        -------
        Shape
        """
        sizes, size = self.sizes, image.values.shape[1]
        pixel, own = cut_image(image.values[:3], sizes["points"], sizes["overlap"], sizes["seed"])
        patches = torch.from_numpy(own).to(self._device)
        features = self._expert.encoded(patches)
        kept = torch.ones(len(self._bank), dtype=torch.bool, device=self._device)
        kept[left_out.start : left_out.stop] = False
        rows = kept.nonzero()[:, 0]
        bank = NearestRows(self._bank[rows]) if left_out else self._whole
        atoms = rows[bank(features, min(sizes["atoms"], len(rows))).row]
        expected = matching_pursuit(features, self._bank[atoms], sizes["nonzero"])
        distance = self._expert.distances(expected, patches).abs().cpu().numpy()
        score = float(torch.linalg.vector_norm(features - expected, dim=1).max())
        return Shape(least_of(pixel, distance, size), score, pixel, atoms)

    def colour(self, image: Image, shape: Shape) -> Colour:
        """Compare the colours of a scan's cells with those that go with its atoms.

        Parameters
        ----------
        image
            The scan's object image, with colours.
        shape
            What `shape` found of it.

        Returns
        -------
        Colour
        """
        size = image.values.shape[1]
        features = colour_features(self._network, torch.from_numpy(image.values[3:]).to(self._device))
        bank = self._colours.features[self._colours.rows_of(shape.atoms)].to(self._device)
        cells = np.unique(np.concatenate(cells_of(shape.pixel, size)))
        found = residuals(features, cells, bank, self.sizes["colour_atoms"], self.sizes["nonzero"])
        return Colour(enlarged_there(found, size), float(np.nanmax(found)))


def least_of(pixel: np.ndarray, distance: np.ndarray, size: int) -> np.ndarray:
    """The least of a pixel's distances in the patches that have it.

    Parameters
    ----------
    pixel
        (p, k) integer, places in the flattened object image.
    distance
        (p, k) float32, finite.
    size
        Rows and columns of the object image.

    Returns
    -------
    (size, size) float32, NaN where no patch has the pixel
    """
    result = np.full(size * size, np.inf, np.float32)
    np.minimum.at(result, pixel.ravel(), distance.ravel())
    return np.where(np.isfinite(result), result, np.float32(np.nan)).reshape(size, size)
