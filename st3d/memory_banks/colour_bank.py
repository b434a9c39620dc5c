"""Shape-Guided's colour expert: a bank of colour features of cells, of which its shape expert names those to compare.

Letters: p patches, k points of a patch; c x c cells of an image; d numbers of a colour feature.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from st3d.kernels.matching_pursuit import matching_pursuit
from st3d.kernels.nearest_rows import nearest_rows
from st3d.memory_banks.colour_networks import CELLS

REACH = 2  # cells


class ColourBank(NamedTuple):
    """Colour features of anomaly-free cells.

    Attributes
    ----------
    features
        (rows, d) float32.
    start
        (patches of the shape bank + 1,) int64: patch i has the rows `row[start[i] : start[i + 1]]`.
    row
        int32, rows of `features`, those of the patch's scan.
    """

    features: Tensor
    start: Tensor
    row: Tensor

    def check(self, patches: int) -> None:
        """Refuse a damaged bank.

        Parameters
        ----------
        patches
            Rows of the shape bank.

        Raises
        ------
        ValueError
            If a row or a start is out of range, or features are not finite.
        """
        fits = self.features.ndim == 2 and self.start.ndim == self.row.ndim == 1 and len(self.start) > patches
        whole = not (self.start.is_floating_point() or self.row.is_floating_point())
        if not (fits and whole and bool(torch.isfinite(self.features).all())):
            raise ValueError(f"expected finite colour features and a start of each of {patches} patches, found others")
        inside = len(self.row) == 0 or 0 <= int(self.row.min()) <= int(self.row.max()) < len(self.features)
        if not inside or bool((self.start.diff() < 0).any()) or self.start[[0, -1]].tolist() != [0, len(self.row)]:
            raise ValueError("expected rows of the colour bank for each patch, found some out of range")

    def rows_of(self, patches: Tensor) -> Tensor:
        """The rows of some patches of the shape bank together, each once, rising.

        Parameters
        ----------
        patches
            Integers, any shape.

        Returns
        -------
        (rows,) int64, on the CPU
        """
        named = torch.zeros(len(self.features), dtype=torch.bool)
        for patch in torch.unique(patches.cpu()).tolist():
            named[self.row[self.start[patch] : self.start[patch + 1]].long()] = True
        return named.nonzero()[:, 0]


class ScanColours(NamedTuple):
    """What one scan gives to the bank.

    Attributes
    ----------
    features
        (q, d) float32, of the cells that its patches have.
    rows
        Of each patch, its cells' rows of `features`.
    """

    features: Tensor
    rows: list[np.ndarray]


def scan_colours(features: Tensor, patches: Sequence[np.ndarray]) -> ScanColours:
    """The colours of one scan's patches.

    Parameters
    ----------
    features
        (784, d) float32, of all cells.
    patches
        Of each patch its cells, as `cells_of` finds them.

    Returns
    -------
    ScanColours on the CPU
    """
    every = np.unique(np.concatenate(patches))
    return ScanColours(features.cpu()[torch.from_numpy(every)], [np.searchsorted(every, cells) for cells in patches])


def joined(scans: Sequence[ScanColours]) -> ColourBank:
    """The bank of some scans, in their order.

    Parameters
    ----------
    scans
        One or more.

    Returns
    -------
    ColourBank
    """
    before = np.cumsum([0, *(len(scan.features) for scan in scans)])
    rows = [start + each for start, scan in zip(before, scans, strict=False) for each in scan.rows]
    return ColourBank(
        torch.cat([scan.features for scan in scans]),
        torch.from_numpy(np.cumsum([0, *map(len, rows)], dtype=np.int64)),
        torch.from_numpy(np.concatenate(rows).astype(np.int32)),
    )


def cells_of(pixel: np.ndarray, size: int) -> list[np.ndarray]:
    """The cells whose colours go with patches: two cells up, down, left and right of those with the patch's points.

    Parameters
    ----------
    pixel
        (p, k) integer, places in the flattened object image.
    size
        Its rows and columns, 28 or more.

    Returns
    -------
    p arrays of cells in [0, 784), each once, rising; what is beyond the image's edge counts as the cell at the edge
    """
    row, column = (each * CELLS // size for each in np.divmod(pixel, size))
    found = []
    for cells in np.stack([row, column], axis=2):
        near = (cells + shift for shift in ((-REACH, 0), (REACH, 0), (0, -REACH), (0, REACH)))
        found.append(np.unique(np.concatenate([each.clip(0, CELLS - 1) @ (CELLS, 1) for each in near])))
    return found


def residuals(features: Tensor, cells: np.ndarray, bank: Tensor, atoms: int, nonzero: int) -> np.ndarray:
    """How far cells' features are from what a bank makes of them.

    Parameters
    ----------
    features
        (784, d) float32, of all cells.
    cells
        (q,) integer, those to compare.
    bank
        (rows, d) float32, on the same device.
    atoms
        Nearest rows that a feature is put together from; all if there are fewer.
    nonzero
        Of these, those that it takes.

    Returns
    -------
    (28, 28) float32, NaN where a cell is not compared
    """
    own = features[torch.from_numpy(cells).to(features.device)]
    near = nearest_rows(own, bank, min(atoms, len(bank))).row
    left = torch.linalg.vector_norm(own - matching_pursuit(own, bank[near], nonzero), dim=1)
    found = np.full(CELLS * CELLS, np.nan, np.float32)
    found[cells] = left.cpu().numpy()
    return found.reshape(CELLS, CELLS)
