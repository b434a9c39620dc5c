"""Parts that furniture is put together from; z is up, lengths in centimetres."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from st3d.simulation.surfaces import grid, revolved, tube

Mesh = tuple[np.ndarray, np.ndarray]  # vertices (v, 3) float64, triangles (t, 3) int64


def arc(start: float, end: float, count: int = 16) -> np.ndarray:
    """(count,) angles in radians, evenly from `start` to `end` degrees."""
    return np.linspace(np.radians(start), np.radians(end), count)


def merged(parts: Sequence[Mesh]) -> Mesh:
    """All parts as one mesh; where they touch they stay separate surfaces, as in most hand-made models."""
    starts = np.cumsum([0] + [len(vertices) for vertices, _ in parts])
    return (
        np.concatenate([vertices for vertices, _ in parts]),
        np.concatenate([triangles + start for (_, triangles), start in zip(parts, starts, strict=False)]),
    )


def moved(part: Mesh, place: ArrayLike, rotation: Rotation | None = None) -> Mesh:
    """The part rotated about its origin, then moved by `place` (3,), in the part's unit."""
    vertices = part[0] if rotation is None else rotation.apply(part[0])
    return vertices + np.asarray(place, float), part[1]


def box(low: ArrayLike, high: ArrayLike) -> Mesh:
    """An upright box between two corners."""
    corner = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(-1, 3)
    vertices = np.asarray(low, float) + corner * (np.asarray(high, float) - np.asarray(low, float))
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return vertices, np.array([triangle for a, b, c, d in sides for triangle in ((a, b, c), (a, c, d))])


def cushion(centre: ArrayLike, half: ArrayLike, sharpness: float, count: int = 20) -> Mesh:
    """A superquadric: `sharpness` 1 is an ellipsoid, towards 0 a box with ever sharper edges."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, count)[:, None]
    longitude = np.linspace(0, 2 * np.pi, 2 * count, endpoint=False)[None]

    def power(value: np.ndarray) -> np.ndarray:
        return np.sign(value) * np.abs(value) ** sharpness

    x = power(np.cos(latitude)) * power(np.cos(longitude))
    y = power(np.cos(latitude)) * power(np.sin(longitude))
    z = np.broadcast_to(power(np.sin(latitude)), x.shape)
    vertices, triangles = grid(np.stack([x, y, z], axis=-1), closed_rows=False, closed_columns=True)
    return vertices * np.asarray(half, float) + np.asarray(centre, float), triangles[:, ::-1]


def lathe(profile: ArrayLike, centre: ArrayLike, squash: float = 1.0, count: int = 28) -> Mesh:
    """A profile of (radius, height) rotated about the vertical; `squash` scales its y."""
    radius, height = np.asarray(profile, float).T
    vertices, triangles = revolved(height, np.repeat(radius[:, None], count, axis=1))
    return vertices[:, [1, 2, 0]] * [1, squash, 1] + np.asarray(centre, float), triangles


def rod(start: ArrayLike, end: ArrayLike, radii: ArrayLike, count: int = 14) -> Mesh:
    """A straight round bar with lids; its radius runs through `radii` at equal distances."""
    foot, size = np.asarray(start, float), np.asarray(radii, float)
    way = np.asarray(end, float) - foot
    length = float(np.linalg.norm(way))
    along = np.concatenate([[0], np.linspace(0, length, len(size)), [length]])
    size = np.concatenate([[0], size, [0]])
    vertices, triangles = revolved(along, np.repeat(size[:, None], count, axis=1))
    rotation, _ = Rotation.align_vectors([way / length], [[1.0, 0, 0]])
    return rotation.apply(vertices) + foot, triangles


def pipe(path: np.ndarray, radius: float, count: int = 10) -> Mesh:
    """A bent round tube along `path` (n, 3)."""
    return tube(path, radius, count, [0.21, 0.43, 0.87])


def bent_sheet(width: float, path: np.ndarray, thick: float) -> Mesh:
    """A board of `width` along x whose section follows `path` (n, 2) in y and z: seats and curved backs."""
    along = np.gradient(path, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    loop = np.concatenate([path + normal * thick / 2, (path - normal * thick / 2)[::-1]])
    rows = [np.column_stack([np.full(len(loop), x), loop]) for x in (-width / 2, width / 2)]
    middle = [np.column_stack([[x] * len(loop), np.tile(path, (2, 1))]) for x in (-width / 2, width / 2)]
    middle = [np.concatenate([half[: len(path)], half[: len(path)][::-1]]) for half in middle]
    return grid(np.stack([middle[0], *rows, middle[1]]), closed_rows=False, closed_columns=True)


def legs(half_x: float, half_y: float, height: float, rng: np.random.Generator, style: int | None = None) -> list[Mesh]:
    """Four legs: square, tapering, turned on a lathe, or splayed."""
    style = int(rng.integers(4)) if style is None else style
    thick, splay = rng.uniform(1.5, 3.5), rng.uniform(2, 8)
    square = np.array([thick, thick, 0])
    knobs = np.concatenate([[1.0], rng.uniform(0.45, 1.25, 9), [0.7]])
    result = []
    for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        top = np.array([x * half_x, y * half_y, height])
        foot, outward = top * [1, 1, 0], np.array([x * splay, y * splay, 0])
        if style == 0:
            result.append(box(foot - square, top + square))
        elif style == 1:
            result.append(rod(foot, top, [0.6 * thick, thick]))
        elif style == 2:
            result.append(rod(foot, top, list(thick * knobs[::-1])))
        else:
            result.append(rod(foot + outward, top, [0.55 * thick, 0.9 * thick, thick]))
    return result
