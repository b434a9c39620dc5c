"""Points drawn uniformly by area on the surfaces of triangle meshes."""

import numpy as np


def triangle_areas(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Areas of triangles.

    Parameters
    ----------
    vertices
        (v, 3) float, any one length unit.
    triangles
        (t, 3) integer, rows of `vertices`.

    Returns
    -------
    (t,) float, the vertices' unit squared
    """
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)


def sample_surface(
    vertices: np.ndarray, triangles: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points drawn on the surface, equally likely on every patch of equal area.

    Parameters
    ----------
    vertices
        (v, 3) float, any one length unit.
    triangles
        (t, 3) integer, rows of `vertices`.
    count
        Int, points to draw.
    rng
        Random stream; 3 * count numbers are drawn from it.

    Returns
    -------
    points
        (count, 3) float64, in the vertices' unit.
    faces
        (count,) int64, the triangle that each point lies on.

    Notes
    -----
    Osada et al., "Shape distributions", ACM Transactions on Graphics 2002, section 4.2.
    """
    upto = np.cumsum(triangle_areas(vertices, triangles))
    chosen = np.searchsorted(upto, rng.random(count) * upto[-1], side="right")
    chosen = np.minimum(chosen, len(triangles) - 1)  # rounding may reach the last sum itself
    root, along = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - along), root * along], axis=1)  # (count, 3), each row sums to 1
    points = sum(weights[:, corner, None] * vertices[triangles[chosen, corner]] for corner in range(3))
    return points, chosen
