"""Triangle surfaces to be scanned: grids, random relief, local refinement. Lengths in metres.

Letters: v vertices, t triangles.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class Body:
    """A surface in its own frame.

    Attributes
    ----------
    vertices
        (v, 3) float64, metres.
    triangles
        (t, 3) int64, indices of vertices.
    colour
        (v, 3) float64, albedo in red, green, blue, 0 to 1.
    region
        (v,) int64, which part of the object a vertex belongs to; each shape has numbers of its own.
    rest
        Rotation that lays the object down on the plane z = 0.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    colour: np.ndarray
    region: np.ndarray
    rest: Rotation = field(default_factory=Rotation.identity)


def grid(points: np.ndarray, closed_rows: bool, closed_columns: bool) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (a * b, 3) and triangles of a grid of points (a, b, 3); a closed direction wraps around."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed_rows:
        index = np.concatenate([index, index[:1]])
    if closed_columns:
        index = np.concatenate([index, index[:, :1]], axis=1)
    a, b, c, d = index[:-1, :-1].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel(), index[:-1, 1:].ravel()
    return points.reshape(-1, 3), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def swept(axis: np.ndarray, across: np.ndarray, up: np.ndarray, *, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    """A surface around a curve in a horizontal plane.

    Parameters
    ----------
    axis
        (a, 3) float, the curve.
    across, up
        (a, b) float, a cross-section's points, to the right of the curve and upwards, counter-clockwise.
    closed
        Whether the curve's end meets its start; an open curve's ends are closed by a lid.
    """
    if not closed:  # a lid: both ends shrink onto the curve
        axis = np.concatenate([axis[:1], axis, axis[-1:]])
        across = np.concatenate([across[:1] * 0 + across[:1].mean(), across, across[-1:] * 0 + across[-1:].mean()])
        up = np.concatenate([up[:1] * 0 + up[:1].mean(), up, up[-1:] * 0 + up[-1:].mean()])
    before = np.roll(axis, 1, axis=0) if closed else np.concatenate([axis[:1], axis[:-1]])
    after = np.roll(axis, -1, axis=0) if closed else np.concatenate([axis[1:], axis[-1:]])
    along = after - before
    side = np.stack([along[:, 1], -along[:, 0], np.zeros(len(axis))], axis=1)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)
    points = axis[:, None] + across[..., None] * side[:, None] + up[..., None] * np.array([0.0, 0.0, 1.0])
    return grid(points, closed_rows=closed, closed_columns=True)


def revolved(along: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A surface around the x axis.

    `along` (a,) is the profile's x, `radius` (a, b) its distance from the axis at b angles from +y towards -z. The
    outside is to the left of a profile that is walked towards +x.
    """
    angle = np.linspace(0, 2 * np.pi, radius.shape[1], endpoint=False)
    x = np.broadcast_to(along[:, None], radius.shape)
    points = np.stack([x, radius * np.cos(angle), -radius * np.sin(angle)], axis=-1)
    return grid(points, closed_rows=False, closed_columns=True)


def normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(v, 3) unit normals, the area-weighted mean of the triangles' ones."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    face = np.cross(b - a, c - a)  # twice the area long
    total = np.zeros_like(vertices)
    for corner in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(triangles[:, corner], face[:, axis], minlength=len(vertices))
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-300)


class Noise:
    """Smooth random fields in space: mean 0, standard deviation 1, one volume of random numbers for all of them."""

    CELLS = 40

    def __init__(self, rng: np.random.Generator) -> None:
        volume = ndimage.gaussian_filter(rng.standard_normal((self.CELLS,) * 3), 1.0, mode="wrap")
        self.volume = np.float32(volume / volume.std())
        self.rng = rng

    def __call__(self, points: np.ndarray, length: float) -> np.ndarray:
        """(n,) a new field at `points` (n, 3), with bumps about `length` metres wide."""
        rotation = Rotation.random(rng=self.rng).as_matrix()
        start = self.rng.uniform(0, self.CELLS, 3)
        position = points @ rotation.T * (3.5 / length) + start
        return ndimage.map_coordinates(self.volume, position.T, order=1, mode="grid-wrap").astype(np.float64)


def refined(body: Body, centre: np.ndarray, radius: float, edge: float) -> Body:
    """The same surface with triangles around `centre` split until their sides are shorter than `edge`.

    Splitting leaves the surface where it is; whoever moves vertices afterwards must leave those near `radius` in place.
    """
    for _ in range(4):
        near = np.linalg.norm(body.vertices - centre, axis=1) < radius
        corners = body.vertices[body.triangles]
        longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
        split = near[body.triangles].any(axis=1) & (longest > edge)
        if not split.any():
            break
        body = _split(body, split)
    return body


def _split(body: Body, chosen: np.ndarray) -> Body:
    old = body.triangles[chosen]
    sides = np.sort(np.concatenate([old[:, [0, 1]], old[:, [1, 2]], old[:, [2, 0]]]), axis=1)
    unique, inverse = np.unique(sides, axis=0, return_inverse=True)
    middle = (inverse.reshape(3, -1) + len(body.vertices)).T
    a, b, c = old.T
    ab, bc, ca = middle.T
    parts = [np.stack(corner, axis=1) for corner in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    first, second = unique.T
    return replace(
        body,
        vertices=np.concatenate([body.vertices, (body.vertices[first] + body.vertices[second]) / 2]),
        triangles=np.concatenate([body.triangles[~chosen], *parts]),
        colour=np.concatenate([body.colour, (body.colour[first] + body.colour[second]) / 2]),
        region=np.concatenate([body.region, body.region[first]]),
    )


def joined(first: Body, second: Body) -> Body:
    """Both surfaces as one, in the first one's frame."""
    return replace(
        first,
        vertices=np.concatenate([first.vertices, second.vertices]),
        triangles=np.concatenate([first.triangles, second.triangles + len(first.vertices)]),
        colour=np.concatenate([first.colour, second.colour]),
        region=np.concatenate([first.region, second.region]),
    )


def pebble(rng: np.random.Generator, centre: np.ndarray, radii: np.ndarray, colour: np.ndarray, step: float) -> Body:
    """A bumpy ellipsoid, rotated at random; `radii` (3,) in metres."""
    around = max(12, int(2 * np.pi * float(np.max(radii)) / step))
    latitude = np.linspace(0, np.pi, max(7, around // 2))[:, None]
    longitude = np.linspace(0, 2 * np.pi, around, endpoint=False)[None]
    height = np.broadcast_to(np.cos(latitude), (latitude.size, around))
    unit = np.stack([np.sin(latitude) * np.cos(longitude), np.sin(latitude) * np.sin(longitude), height], axis=-1)
    vertices, triangles = grid(unit, closed_rows=False, closed_columns=True)
    bumps = sum(0.06 * np.cos(vertices @ wave + phase) for wave, phase in _waves(rng))
    vertices = vertices * (1 + bumps[:, None]) * radii
    vertices = Rotation.random(rng=rng).apply(vertices) + centre
    tint = np.broadcast_to(colour, vertices.shape) * (1 + 0.15 * bumps[:, None] / 0.1)
    return Body(vertices, triangles, np.clip(tint, 0, 1), np.zeros(len(vertices), np.int64))


def tube(path: np.ndarray, radius: float, count: int, aside: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """A round tube along `path` (n, 3) of `count` vertices around it; `aside` (3,) is not parallel to the path."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, aside)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(side, along)
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)[None, :, None]
    ring = path[:, None] + radius * (np.cos(angle) * side[:, None] + np.sin(angle) * other[:, None])
    return grid(ring, closed_rows=False, closed_columns=True)


def thread(points: np.ndarray, radius: float, colour: np.ndarray) -> Body:
    """A thin round fibre along `points` (n, 3)."""
    vertices, triangles = tube(points, radius, 8, [0.31, 0.53, 0.79])
    tint = np.broadcast_to(colour, vertices.shape).copy()
    return Body(vertices, triangles, tint, np.zeros(len(vertices), np.int64))


def _waves(rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    return [(rng.normal(0, 2.5, 3), rng.uniform(0, 2 * np.pi)) for _ in range(4)]
