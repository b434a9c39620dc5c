"""The protocol of the memory banks' papers: maps and masks in small squares, the background without a score."""

from pathlib import Path

import numpy as np

from st3d.formats.images import Images
from st3d.formats.scans import Sample, read_scan
from st3d.kernels.squares import from_scan, to_square
from st3d.memory_banks.object_images import removed_pixels


class Protocol:
    """Maps and masks at the size of object images.

    Parameters
    ----------
    objects
        The category's object images of the test scans.

    Attributes
    ----------
    size
        Their side, pixels.
    masked
        Whether the background was removed from the object images, and so is from the maps.
    name
        Of the protocol, for tables: the size, and "masked" if it is.

    Raises
    ------
    ValueError
        If the file holds no object images.
    """

    def __init__(self, objects: Path) -> None:
        self._images = Images(objects)
        if self._images.kind != "objects":
            raise self._images.bad("object images", self._images.kind)
        self.size = self._images.sides[0]
        names = self._images.read("sample", slice(None))
        self._index = {name.decode(): index for index, name in enumerate(names)}
        self.masked: bool = self._images.attributes["settings"]["mask"] != "none"
        self.name = f"{self.size}_masked" if self.masked else str(self.size)

    def map(self, sample: Sample, scores: np.ndarray) -> np.ndarray:
        """A sample's map as it is compared.

        Parameters
        ----------
        sample
            One of the test samples.
        scores
            (h, w) float32, its map.

        Returns
        -------
        (size, size) float32; where the background was removed, the least of 0 and all scores

        Raises
        ------
        ValueError
            If there is no object image of the sample.
        """
        small = from_scan(scores, self.size)
        if self.masked:
            if sample.name not in self._index:
                raise self._images.bad(f"an object image of {sample.name}", "none")
            image = self._images.image(self._index[sample.name], "3d").values
            scan = to_square(read_scan(sample.scan, "drop"), self.size)
            small = np.where(removed_pixels(scan, image), min(small.min(), np.float32(0)), small)
        return small

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """A mask as it is compared.

        Parameters
        ----------
        mask
            (h, w) bool.

        Returns
        -------
        (size, size) bool, the nearest pixels
        """
        return to_square(mask, self.size)
