"""Synthetic scenes for range sensors: triangles, and how much light they reflect. Metres; z is up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from st3d.kernels.geometry.rotation import euler_rotation
from st3d.simulation.furniture.parts import Mesh, merged
from st3d.simulation.surfaces import grid

WorldObject = list[tuple[Mesh, float]]  # parts and their albedos
Pose = tuple[np.ndarray, np.ndarray]  # a camera's axes (3, 3; columns right, down, forward) and its place (3,)
_LEAST_AREA = 1e-10  # square metres; no ray would hit a smaller triangle


@dataclass(frozen=True)
class World:
    """The scene around a sensor.

    Attributes
    ----------
    vertices
        (v, 3) float64, metres.
    triangles
        (t, 3) int64, indices of vertices; they have no inside or outside.
    albedo
        (t,) float64, fraction of the light that a triangle reflects, in [0, 1].
    """

    vertices: np.ndarray
    triangles: np.ndarray
    albedo: np.ndarray

    def seen_from(self, rotation: np.ndarray, place: ArrayLike) -> "World":
        """The world in a sensor's frame: its axes are the columns of `rotation` (3, 3), its origin is `place` (3,)."""
        return replace(self, vertices=(self.vertices - np.asarray(place, float)) @ rotation)


def build_world(objects: Iterable[tuple[Mesh, float]]) -> World:
    """All parts as one world; triangles without an area are left out."""
    parts, albedos = zip(*objects, strict=True)
    vertices, triangles = merged(parts)
    albedo = np.repeat(albedos, [len(part[1]) for part in parts])
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    kept = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2 > _LEAST_AREA
    return World(vertices, triangles[kept], albedo[kept])


def placed(item: WorldObject, place: ArrayLike, angle: float = 0.0) -> WorldObject:
    """An object rotated about the vertical by `angle`, radians, then moved."""
    rotation = euler_rotation("z", angle).T
    return [
        ((vertices @ rotation + np.asarray(place, float), triangles), albedo) for (vertices, triangles), albedo in item
    ]


def camera_axes(eye: ArrayLike, target: ArrayLike, roll: float = 0.0) -> np.ndarray:
    """Axes (3, 3; columns right, down, forward) of a camera at `eye` (3,) that looks at `target`; `roll` in radians."""
    forward = np.asarray(target, float) - np.asarray(eye, float)
    forward /= np.linalg.norm(forward)
    level = np.array([0, 0, 1.0]) if abs(forward[2]) < 0.95 else np.array([0, 1.0, 0])
    right = np.cross(forward, level)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward], axis=1) @ euler_rotation("z", roll)


def circle(radius: float, count: int = 32) -> np.ndarray:
    """(count, 2) points on a circle, counter-clockwise from +x."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def rectangle(width: float, depth: float, count: int = 8) -> np.ndarray:
    """(4 * count, 2) points on a rectangle around the origin, counter-clockwise, corners among them."""
    corner = np.array([[1, -1], [1, 1], [-1, 1], [-1, -1], [1, -1]]) * [width / 2, depth / 2]
    fraction = np.arange(count)[:, None] / count
    return np.concatenate([a + fraction * (b - a) for a, b in zip(corner[:-1], corner[1:])])


def prism(contour: np.ndarray, levels: Sequence[tuple[float, float]]) -> Mesh:
    """A solid over a contour.

    Parameters
    ----------
    contour
        (n, 2) float, a closed line that can be seen whole from its mean.
    levels
        Heights from the bottom up, and by how much the contour is scaled there; both ends get a lid.
    """
    middle = contour.mean(axis=0)
    ends = [(levels[0][0], 0.0), *levels, (levels[-1][0], 0.0)]
    rings = [np.column_stack([middle + scale * (contour - middle), np.full(len(contour), z)]) for z, scale in ends]
    return grid(np.stack(rings), closed_rows=False, closed_columns=True)


def bored(outer: np.ndarray, radius: float, height: float, chamfer: float = 0.0) -> Mesh:
    """A solid from z = 0 to `height` with a round hole through the origin.

    Parameters
    ----------
    outer
        (n, 2) float, its contour, counter-clockwise around the origin and visible from there.
    radius
        Of the hole, less than the contour's least distance.
    height
        Of the solid.
    chamfer
        Width of the slanted edges of the contour.
    """
    distance = np.linalg.norm(outer, axis=1, keepdims=True)
    hole, inset = outer / distance * radius, outer * (1 - chamfer / distance)
    rings = [(hole, 0.0), (inset, 0.0), (outer, chamfer), (outer, height - chamfer), (inset, height), (hole, height)]
    points = np.stack([np.column_stack([ring, np.full(len(ring), z)]) for ring, z in rings])
    return grid(points, closed_rows=True, closed_columns=True)
