"""A synthetic room for a depth camera that is carried around: walls, furniture, small objects. Metres; z is up."""

from dataclasses import dataclass

import numpy as np

from st3d.kernels.geometry.rotation import euler_rotation
from st3d.simulation.furniture import cases, shells
from st3d.simulation.furniture.parts import Mesh, box, lathe, merged
from st3d.simulation.range_sensors.world import Pose, World, WorldObject, build_world, camera_axes, placed

AT_WALLS = (cases.bed, cases.desk, cases.dresser, cases.night_stand, shells.bathtub, shells.sofa, shells.toilet)
FREE = (cases.table, shells.chair, shells.chair)
_CM = 0.01
_APART = 0.08  # between pieces of furniture
_ATTEMPTS = 12


@dataclass(frozen=True)
class Room:
    """A room with a corner in the origin.

    Attributes
    ----------
    world
        All its triangles.
    size
        (3,) width, depth, height, metres.
    pieces
        (p, 2, 3) the furniture's bounding boxes, low and high corner, metres.
    """

    world: World
    size: np.ndarray
    pieces: np.ndarray


def room(rng: np.random.Generator) -> Room:
    """A random room, 3.4 to 5.5 m by 3.0 to 4.8 m: walls with door and window, furniture, small objects on it.

    Parameters
    ----------
    rng
        Of all measures and places; six to ten pieces of furniture are tried, one that finds no place is left out.

    Returns
    -------
    Room
    """
    size = np.array([rng.uniform(3.4, 5.5), rng.uniform(3.0, 4.8), rng.uniform(2.3, 2.8)])
    objects: WorldObject = [(box([0, 0, 0], size), 0.7), *_on_walls(rng, size)]
    boxes: list[np.ndarray] = []
    for number in range(rng.integers(6, 11)):
        at_wall = number < 5
        makers = AT_WALLS if at_wall else FREE
        chosen = int(rng.integers(len(makers) + at_wall))
        part = shelf(rng) if chosen == len(makers) else _metres(makers[chosen](rng))
        for _ in range(_ATTEMPTS):
            stood = _stood(rng, part, size, at_wall)
            piece = np.stack([stood[0].min(axis=0), stood[0].max(axis=0)])
            if all(_apart(piece, other) for other in boxes) and (piece[0] > -1e-6).all() and (piece[1] < size).all():
                boxes.append(piece)
                objects.append((stood, 0.5))
                objects += _small_objects(rng, piece, size)
                break
    return Room(build_world(objects), size, np.stack(boxes))


def camera_path(rng: np.random.Generator, room: Room, frames: int) -> list[Pose]:
    """Poses of a camera that looks at a piece of furniture, from where none is, and moves by some decimetres.

    Parameters
    ----------
    rng
        Of the place, the piece and the movement.
    room
        Where the camera is.
    frames
        How many poses.

    Returns
    -------
    `frames` pairs of axes (3, 3) and place (3,), metres, in the room's frame
    """
    middles = room.pieces.mean(axis=1)
    best, eye, target = float("inf"), room.size / 2, middles[0]
    for _ in range(_ATTEMPTS):
        start = np.append(rng.uniform(0.4, 1, 2) * (room.size[:2] - 0.4), rng.uniform(1.1, 1.7))
        end = middles[rng.integers(len(middles))]
        inside = ((start > room.pieces[:, 0] - 0.35) & (start < room.pieces[:, 1] + 0.35)).all(axis=1).any()
        amiss = abs(float(np.linalg.norm(end - start)) - 2.3) + 10 * inside
        if amiss < best:
            best, eye, target = amiss, start, end
    across = np.cross(target - eye, [0, 0, 1.0])
    across /= np.linalg.norm(across)
    poses: list[Pose] = []
    for fraction in np.linspace(-1, 1, frames):
        step = 0.18 * fraction * across + rng.normal(0, 0.03, 3)
        aim = target + 0.55 * fraction * across + rng.normal(0, 0.08, 3)
        place = np.clip(eye + step, 0.15, room.size - 0.15)
        poses.append((camera_axes(place, aim, rng.normal(0, 0.05)), place))
    return poses


def shelf(rng: np.random.Generator) -> Mesh:
    """A book case with books, 0.6 to 1.2 m wide, 1.2 to 2.0 m high, its back at the largest y; one part, metres."""
    width, depth, height = rng.uniform(0.6, 1.2), rng.uniform(0.25, 0.35), rng.uniform(1.2, 2.0)
    board, floors = 0.02, int(rng.integers(3, 6))
    boxes = [box([x, 0, 0], [x + board, depth, height]) for x in (0, width - board)]
    boxes.append(box([0, depth - 0.01, 0], [width, depth, height]))
    for z in np.linspace(0.04, height - board, floors + 1):
        boxes.append(box([0, 0, z], [width, depth, z + board]))
        x = board + rng.uniform(0, 0.2)
        while x < width - 0.08 and z < height - 0.3:
            thick = rng.uniform(0.015, 0.05)
            top = z + board + rng.uniform(0.5, 0.9) * (height / floors - 0.05)
            boxes.append(box([x, rng.uniform(0.02, 0.08), z + board], [x + thick, depth - 0.03, top]))
            x += thick + (rng.uniform(0.05, 0.3) if rng.random() < 0.12 else 0.001)
    return merged(boxes)


def _metres(part: Mesh) -> Mesh:
    return part[0] * _CM, part[1]


def _stood(rng: np.random.Generator, part: Mesh, size: np.ndarray, at_wall: bool) -> Mesh:
    """A piece of furniture with its back, the largest y, at a wall, or anywhere and rotated by any angle."""
    side = int(rng.integers(4))
    rotation = euler_rotation("z", side * np.pi / 2 if at_wall else rng.uniform(0, 2 * np.pi))
    vertices = part[0] @ rotation.T
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    free = np.maximum(size - (high - low), 0)
    place = rng.uniform(0, 1, 3) * free
    if at_wall:
        gap = rng.uniform(0.01, 0.06)
        axis, end = ((1, 1), (0, 0), (1, 0), (0, 1))[side]  # where a rotation by 90 degrees puts the back
        place[axis] = free[axis] - gap if end else gap
    place[2] = 0.0
    return vertices - low + place, part[1]


def _apart(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two boxes, low and high corners, do not overlap, seen from above."""
    return bool(((a[0] > b[1] + _APART) | (b[0] > a[1] + _APART))[:2].any())


def _small_objects(rng: np.random.Generator, piece: np.ndarray, size: np.ndarray) -> WorldObject:
    """Boxes and vases on a piece of table height, none elsewhere, and none that would stick into a wall."""
    low, high = piece
    if not 0.4 < high[2] < 1.1:
        return []
    objects: WorldObject = []
    for _ in range(rng.integers(0, 6)):
        half = rng.uniform(0.03, 0.13, 3)
        place = rng.uniform(low + 0.12, np.maximum(high - 0.12, low + 0.13))
        place[2] = high[2]
        if rng.random() < 0.6:
            item: Mesh = box(-half * [1, 1, 0], half * [1, 1, 2])
        else:
            rings = zip(half[0] * rng.uniform(0.4, 1, 5), half[2] * np.arange(5))
            item = lathe([(0, 0), *rings], [0, 0, 0])
        ((vertices, triangles), shade), *_ = placed([(item, rng.uniform(0.2, 0.8))], place, rng.uniform(0, np.pi))
        if (vertices[:, :2] >= 0).all() and (vertices[:, :2] <= size[:2]).all():
            objects.append(((vertices, triangles), shade))
    return objects


def _on_walls(rng: np.random.Generator, size: np.ndarray) -> WorldObject:
    """Skirting, a door, a window with a sill and framed boards, on the walls y = 0 and x = 0 and their opposites."""
    width, depth, _ = size
    objects: WorldObject = [(box([0, 0, 0], [width, 0.015, 0.08]), 0.6), (box([0, 0, 0], [0.015, depth, 0.08]), 0.6)]
    x = rng.uniform(0.2, width - 1.2)
    objects += [(box([x, 0, 0], [x + 0.95, 0.03, 2.05]), 0.6), (box([x + 0.08, 0, 0.02], [x + 0.87, 0.05, 1.98]), 0.5)]
    y = rng.uniform(0.3, depth - 1.6)
    objects.append((box([0, y, 0.85], [0.2, y + 1.3, 0.88]), 0.7))  # the sill
    for a, b in (((y, 0.9), (y + 0.07, 2.1)), ((y + 1.2, 0.9), (y + 1.27, 2.1)), ((y, 2.03), (y + 1.27, 2.1))):
        objects.append((box([0, *a], [0.06, *b]), 0.7))
    for _ in range(rng.integers(1, 5)):
        left, bottom = rng.uniform(0.2, width - 0.9), rng.uniform(1.2, 1.5)
        right, top = left + rng.uniform(0.25, 0.7), bottom + rng.uniform(0.25, 0.6)
        objects.append((box([left, depth - 0.03, bottom], [right, depth, top]), 0.5))
        low, high = sorted(rng.uniform(0.2, depth - 0.2, 2))
        objects.append((box([width - 0.03, low, bottom], [width, min(high, low + 0.7), top]), 0.5))
    return objects
