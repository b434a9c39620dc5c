"""A category's test scans with what a method made of them: maps, masks, image scores."""

import contextlib
import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from st3d.evaluation.protocol import Protocol
from st3d.formats.scans import Sample, list_samples, read_map, read_mask


class ScoredScans:
    """The maps of a category's test scans beside their ground truth.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout, with the ground truth.
    category
        Name of a folder in it.
    maps
        Folder of maps, <category>/test/<defect>/<id>.tiff.
    manifest
        CSV that lists the maps and the image scores, as stage `maps` writes it.
    protocol
        How maps and masks are compared at the size of object images; None: at the scans' own size.

    Attributes
    ----------
    samples
        The test samples, in order.
    image_scores
        One each, larger where more anomalous.
    anomalous
        Whether each has a defect.

    Raises
    ------
    ValueError
        If the manifest lists other samples than the data set has, or is none.
    """

    def __init__(
        self, dataset: Path, category: str, maps: Path, manifest: Path, protocol: Protocol | None = None
    ) -> None:
        self.samples = list_samples(dataset, category, "test")
        listed = _image_scores(manifest, self.samples)
        self.image_scores = [listed[sample.name] for sample in self.samples]
        self.anomalous = [sample.defect != "good" for sample in self.samples]
        self.protocol = protocol
        self._folder, self._name = maps / category / "test", dataset / category
        self._sizes: list[tuple[int, int]] = []

    def maps(self) -> Iterator[np.ndarray]:
        """The maps, (h, w) floats, in the samples' order."""
        self._sizes.clear()
        for sample in self.samples:
            scores = read_map(self._folder / f"{sample.name}.tiff")
            self._sizes.append(scores.shape)
            yield self.protocol.map(sample, scores) if self.protocol else scores

    def masks(self) -> Iterator[np.ndarray]:
        """The masks, (h, w) bool, in the same order; each is asked for after its map."""
        for index, sample in enumerate(self.samples):
            assert sample.mask is not None  # list_samples refuses a test sample without one
            mask = read_mask(sample.mask, self._sizes[index])
            yield self.protocol.mask(mask) if self.protocol else mask

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Name the category in errors that are about all of its maps; others name their file."""
        try:
            yield
        except ValueError as error:
            if str(error).startswith(("no ", "map ", "auroc")):
                raise ValueError(f"{self._name}: {error}") from None
            raise


def _image_scores(manifest: Path, samples: list[Sample]) -> dict[str, float]:
    """The image score of each sample; the maps must be those of exactly the data set's test samples."""
    try:
        with manifest.open(newline="") as file:
            rows = [(row["sample"], float(row["score"])) for row in csv.DictReader(file)]
    except (FileNotFoundError, UnicodeDecodeError, KeyError, TypeError, ValueError, csv.Error):
        raise ValueError(f"{manifest}: expected the list of maps, found none; make the maps again") from None
    wanted, found = Counter(sample.name for sample in samples), Counter(name for name, _ in rows)
    differing = sorted((wanted - found) | (found - wanted))
    if differing:
        raise ValueError(
            f"{manifest}: expected the data set's {len(samples)} test samples, found a difference in {differing[0]};"
            " make the maps again"
        )
    return dict(rows)
