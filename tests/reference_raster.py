"""Reference implementations of st3d.kernels.raster, from the definitions; the hull is the union of all triangles."""

from itertools import combinations
from math import isnan

import numpy as np


def splat(pixels, depth, size):
    found = np.full(size, -1)
    for r in range(size[0]):
        for c in range(size[1]):
            inside = [
                (depth[i], i)
                for i, (row, column) in enumerate(pixels)
                if r <= row + 0.5 < r + 1 and c <= column + 0.5 < c + 1 and not isnan(depth[i])
            ]
            if inside:
                found[r, c] = min(inside)[1]
    return found


def spread_cells(scores, corners, size):
    image = np.full(size, -np.inf, np.float32)
    for i, j, k in np.ndindex(scores.shape):
        places = corners[i : i + 2, j : j + 2, k : k + 2].reshape(8, 2).tolist()
        if np.isfinite(places).all():
            for pixel in np.ndindex(size):
                if in_hull(pixel, places):
                    image[pixel] = max(image[pixel], scores[i, j, k])
    return np.where(np.isneginf(image), 0, image)


def in_hull(p, places):
    """By Caratheodory's theorem a closed hull in the plane is the union of its points' closed triangles."""
    return any(in_triangle(p, *three) for three in combinations(places, 3))


def in_triangle(p, a, b, c):
    areas = [(q[0] - o[0]) * (p[1] - o[1]) - (q[1] - o[1]) * (p[0] - o[0]) for o, q in ((a, b), (b, c), (c, a))]
    if min(areas) < 0 < max(areas):
        return False
    # on the line of a triangle without area all areas are 0: the box tells what lies between its ends
    return all(min(a[x], b[x], c[x]) <= p[x] <= max(a[x], b[x], c[x]) for x in (0, 1))
