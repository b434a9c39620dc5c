"""Scans for the page's 3D view: thinned, and packed as small integers."""

import base64
from typing import Any

import numpy as np

from st3d.evaluation.report.scan_pictures import Layers

VERTICES = 6000  # of one scan, about


def packed(drawn: Layers, scale: tuple[float, float], vertices: int = VERTICES) -> dict[str, Any]:
    """A scan as a grid of vertices, each the upper left valid pixel of a block.

    Parameters
    ----------
    drawn
        The scan.
    scale
        Ends of the category's colour scale.
    vertices
        About how many to keep.

    Returns
    -------
    rows, columns; in base64 xyz (int16, millimetres times `per_mm` about the scan's centre, -32768 where invalid),
    score (uint8, 0 to 255 between the scale's ends: a block's largest), mask (uint8, 1 where a pixel of the block is
    anomalous) and rgb (uint8), which is empty without colours
    """
    valid = (drawn.xyz != 0).any(axis=2)
    step = max(1, round(float(np.sqrt(valid.sum() / vertices))))
    xyz, colours = _first_valid(drawn.xyz, valid, step), drawn.colours
    inside = (xyz != 0).any(axis=2)
    millimetres = (xyz - np.median(xyz[inside], axis=0)) * 1000
    per_mm = 32000 / max(float(np.abs(millimetres[inside]).max()), 1e-6)
    places = np.where(inside[..., None], (millimetres * per_mm).round(), -32768).astype("<i2")
    unit = np.clip((_largest(drawn.scores, step) - scale[0]) / (scale[1] - scale[0]), 0, 1)
    rgb = b"" if colours is None else (_first_valid(colours, valid, step) * 255).round().astype(np.uint8).tobytes()
    return {
        "rows": len(xyz),
        "columns": xyz.shape[1],
        "per_mm": per_mm,
        "xyz": _text(places.tobytes()),
        "score": _text((unit * 255).round().astype(np.uint8).tobytes()),
        "mask": _text(_largest(drawn.mask, step).astype(np.uint8).tobytes()),
        "rgb": _text(rgb),
    }


def _blocks(image: np.ndarray, step: int) -> np.ndarray:
    """(rows, columns, step * step, ...) with zeros beyond the image's end."""
    h, w = image.shape[:2]
    beyond = [(0, -h % step), (0, -w % step), *([(0, 0)] * (image.ndim - 2))]
    padded = np.pad(image, beyond)
    rows, columns = len(padded) // step, padded.shape[1] // step
    blocks = padded.reshape(rows, step, columns, step, *image.shape[2:])
    return np.moveaxis(blocks, 2, 1).reshape(rows, columns, step * step, *image.shape[2:])


def _largest(image: np.ndarray, step: int) -> np.ndarray:
    return _blocks(image, step).max(axis=2)


def _first_valid(image: np.ndarray, valid: np.ndarray, step: int) -> np.ndarray:
    """Of each block the value at its first valid pixel; at its first one where none is."""
    first = _blocks(valid, step).argmax(axis=2)
    return np.take_along_axis(_blocks(image, step), first[..., None, None], axis=2)[:, :, 0]


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
