"""The values of ground truth images: which are normal, and which images JPEG or resampling have spoilt."""

from pathlib import Path

import numpy as np

from st3d.formats.errors import sides_text

MOST = 8  # values of a mask: 0 and the classes of defects; MVTec 3D-AD has 0 and 252 to 255
CLOSE = 16  # numbers of classes are at most so far apart; grey levels between two classes farther
INVERTED = 0.5  # of the image; MVTec 3D-AD's defects cover a hundredth
NAMED = 4  # values in an error
MEND = "make it anew from its original as PNG, resized by nearest neighbour, or set it to 0 and 255 at a threshold"


def anomalous_pixels(path: Path, mask: np.ndarray, palette: np.ndarray | None = None) -> np.ndarray:
    """Which pixels of a ground truth image are anomalous.

    Parameters
    ----------
    path
        Its file, for the error.
    mask
        (h, w) values, or with a palette their numbers in it.
    palette
        (k, 3) colours, of which black is normal; else 0 is.

    Returns
    -------
    (h, w) bool

    Raises
    ------
    ValueError
        One line: more than a few values, grey levels between two, several values and none of them normal, or all of
        the image anomalous but a minor part inside.
    """
    anomalous = _by_values(path, mask, palette)
    _refuse_inverted(path, anomalous)
    return anomalous


def _by_values(path: Path, mask: np.ndarray, palette: np.ndarray | None) -> np.ndarray:
    levels = _levels(mask)
    if len(levels) > MOST:
        raise ValueError(
            f"{path}: expected a mask of 0 and a few other values, found {len(levels)} grey levels; {MEND}"
        )
    named = ", ".join(f"{level:g}" for level in levels[:NAMED].tolist())
    if palette is not None:
        if int(levels[-1]) >= len(palette):
            found = f"number {levels[-1]} of {len(palette)}"
            raise ValueError(f"{path}: expected numbers of the mask's palette, found {found}; write it as 8-bit grey")
        coloured = np.asarray(palette.any(axis=1))
        if coloured[levels].all():
            colours = ", ".join(sides_text(colour) for colour in palette[levels[:NAMED]].tolist()).replace(" x ", "/")
            raise ValueError(f"{path}: expected black where the mask's sample is normal, found the colours {colours}")
        return coloured[mask]
    if len(levels) > 1 and levels[0] > 0:
        raise ValueError(f"{path}: expected 0 where the mask's sample is normal, found only the values {named}")
    if len(levels) > 2 and float(levels[-1]) - float(levels[1]) > CLOSE and not _have_insides(mask, levels[1:-1]):
        raise ValueError(f"{path}: expected a mask of 0 and a few classes, found grey levels between ({named}); {MEND}")
    return mask > 0


def _refuse_inverted(path: Path, anomalous: np.ndarray) -> None:
    """A defect does not fill the edges of a scan and leave an island; the surroundings of an inverted mask do."""
    edges = (anomalous[0], anomalous[-1], anomalous[:, 0], anomalous[:, -1])
    share = float(anomalous.mean())
    if INVERTED < share < 1 and all(each.all() for each in edges):
        raise ValueError(
            f"{path}: expected 0 (of a palette black) where the mask's sample is normal, found {share:.0%} of it"
            " anomalous and all of its edges; it seems to be inverted"
        )


def _levels(mask: np.ndarray) -> np.ndarray:
    """The values of an image, sorted; of 8 bits by counting, which is ten times as fast."""
    if mask.dtype == np.uint8:
        return np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).astype(np.uint8)
    return np.unique(mask)


def _have_insides(mask: np.ndarray, levels: np.ndarray) -> bool:
    """Whether one of these values has a pixel whose eight neighbours have it too, as no edge of two classes has."""
    if min(mask.shape) < 3:
        return True
    inner = mask[1:-1, 1:-1]
    alike = np.isin(inner, levels)
    for down in range(3):
        for right in range(3):
            alike &= mask[down : down + inner.shape[0], right : right + inner.shape[1]] == inner
    return bool(alike.any())
