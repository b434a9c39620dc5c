"""Synthetic machine parts on a table or in a bin, for an industrial sensor above. Metres; z is up, the table z = 0.

Each function of `KINDS` takes a random generator, which its measures are drawn from, and returns a mesh: vertices
(v, 3) float64, metres, and triangles (t, 3) int64.
"""

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from st3d.simulation.furniture.parts import Mesh, box, lathe, merged, moved, rod
from st3d.simulation.range_sensors.world import (
    Pose,
    World,
    WorldObject,
    bored,
    build_world,
    camera_axes,
    circle,
    prism,
    rectangle,
)

MM = 0.001
HALF = (0.19, 0.14)  # the stretch of the table that holds the parts
DISTANCE = 0.75  # of the sensor from the table


def plate(rng: np.random.Generator) -> Mesh:
    """A plate, 3 to 10 mm thick, of one to three by one to two cells, 18 to 34 mm a side, a hole in each."""
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    cell, thick = rng.uniform(18, 34, 2) * MM, rng.uniform(3, 10) * MM
    hole = rng.uniform(0.15, 0.36) * cell.min()
    one = bored(rectangle(*cell), hole, thick)
    return merged([moved(one, [*(cell * [column, row]), 0]) for column in range(columns) for row in range(rows)])


def bracket(rng: np.random.Generator) -> Mesh:
    """Two plates with holes at a right angle, 25 to 45 mm wide and 3 to 6 mm thick, and a rib between them."""
    width, foot, high, thick = rng.uniform([25, 30, 25, 3], [45, 50, 45, 6]) * MM
    hole = rng.uniform(0.12, 0.25) * width
    lying = moved(bored(rectangle(width, foot), hole, thick), [0, foot / 2, 0])
    up = Rotation.from_euler("x", 90, degrees=True)
    standing = moved(bored(rectangle(width, high), hole, thick), [0, thick, high / 2], up)
    rib = prism(np.array([[0, 0], [0.6 * foot, 0], [0, 0.6 * high]]), [(0, 1), (thick, 1)])
    across = Rotation.from_matrix([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    return merged([lying, standing, moved(rib, [-thick / 2 + 0.4 * width, thick, thick], across)])


def shaft(rng: np.random.Generator) -> Mesh:
    """A turned shaft of three to six steps, 4 to 15 mm in radius and 6 to 24 mm long, with chamfers, lying along x."""
    profile, z = [(0.0, 0.0)], 0.0
    for _ in range(rng.integers(3, 7)):
        radius, length, chamfer = rng.uniform(4, 15) * MM, rng.uniform(6, 24) * MM, 0.8 * MM
        profile += [(radius - chamfer, z), (radius, z + chamfer), (radius, z + length - chamfer)]
        z += length
        profile.append((radius - chamfer, z))
    turned = lathe([*profile, (0.0, z)], [0, 0, 0], count=40)
    lying = Rotation.from_euler("y", 90, degrees=True)
    return moved(turned, [-z / 2, 0, 0], lying)


def ring(rng: np.random.Generator) -> Mesh:
    """A washer, bush or flange, 12 to 30 mm in radius."""
    radius = rng.uniform(12, 30) * MM
    hole, high = rng.uniform(0.3, 0.8) * radius, rng.uniform(4, 22) * MM
    parts = [bored(circle(radius, 48), hole, high, 0.08 * (radius - hole))]
    if rng.random() < 0.5:
        collar = hole + 0.4 * (radius - hole)
        parts.append(moved(bored(circle(collar, 48), hole, rng.uniform(4, 14) * MM, 0.05 * collar), [0, 0, high]))
    return merged(parts)


def gear(rng: np.random.Generator) -> Mesh:
    """A spur gear with straight flanks and a boss: 12 to 25 teeth, module 1.8 to 3 mm, 6 to 14 mm thick."""
    teeth, module = int(rng.integers(12, 26)), rng.uniform(1.8, 3.0) * MM
    pitch = teeth * module / 2
    fractions, radii = np.array([0.0, 0.22, 0.36, 0.64, 0.78]), np.array([-1.25, -1.25, 1, 1, -1.25])
    angle = ((np.arange(teeth)[:, None] + fractions) * 2 * np.pi / teeth).ravel()
    radius = np.tile(pitch + radii * module, teeth)
    outline = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    hole, high = rng.uniform(0.25, 0.5) * (pitch - 2 * module), rng.uniform(6, 14) * MM
    boss = bored(circle(hole + 0.4 * (pitch - 2 * module - hole), 40), hole, rng.uniform(3, 10) * MM, 0.5 * MM)
    return merged([bored(outline, hole, high), moved(boss, [0, 0, high])])


def bolt(rng: np.random.Generator) -> Mesh:
    """A hexagon bolt with a thread, 4 to 9 mm in radius, its shank 25 to 60 mm long, standing on its head."""
    radius = rng.uniform(4, 9) * MM
    shank, head = rng.uniform(25, 60) * MM, 1.3 * radius
    windings = np.arange(0, int(0.6 * shank / (0.35 * radius)))
    pitch, start = 0.35 * radius, head + 0.4 * shank
    zigzag = [
        (radius * fraction, start + (winding + at) * pitch)
        for winding in windings
        for at, fraction in ((0, 1), (0.5, 0.84))
    ]
    profile = [(0, head), (radius, head), *zigzag, (0.8 * radius, head + shank), (0, head + shank)]
    hexagon = prism(circle(1.85 * radius, 6), [(0, 0.93), (0.1 * head, 1), (head, 1)])
    return merged([hexagon, lathe(profile, [0, 0, 0], count=32)])


def block(rng: np.random.Generator) -> Mesh:
    """A box with chamfered edges, 25 to 60 mm wide, 20 to 40 mm deep, with a groove's two rails or a stud on it."""
    width, depth, high = rng.uniform([25, 20, 12], [60, 40, 30]) * MM
    chamfer = rng.uniform(0.02, 0.12)
    inset = 1 - chamfer
    levels = [(0, inset), (chamfer * depth / 2, 1), (high - chamfer * depth / 2, 1), (high, inset)]
    parts = [prism(rectangle(width, depth, 4), levels)]
    if rng.random() < 0.5:
        for side in (-1, 1):
            y = side * 0.3 * depth
            low, top = [-0.4 * width, y - 0.1 * depth, high], [0.4 * width, y + 0.1 * depth, high + 0.3 * depth]
            parts.append(box(low, top))
    else:
        parts.append(rod([0, 0, high], [0, 0, high + 0.5 * depth], [0.25 * depth, 0.22 * depth], 24))
    return merged(parts)


KINDS: tuple[Callable[[np.random.Generator], Mesh], ...] = (plate, bracket, shaft, ring, gear, bolt, block)


def workpieces(rng: np.random.Generator) -> World:
    """Some of one to three kinds of parts, each kind all alike, in rows on a table, or in a pile there or in a bin.

    Parameters
    ----------
    rng
        Of the kinds, measures and places.

    Returns
    -------
    World; z = 0 is the table's surface
    """
    chosen = rng.choice(len(KINDS), rng.integers(1, 4), replace=False)
    models = [(KINDS[kind](rng), float(rng.uniform(0.15, 0.6))) for kind in chosen]
    objects: WorldObject = [(box([-0.5, -0.5, -0.02], [0.5, 0.5, 0]), rng.uniform(0.03, 0.07))]
    if rng.random() < 0.5:
        return build_world([*objects, *_rows(rng, models)])
    return build_world([*objects, *_pile(rng, models), *(_bin(rng) if rng.random() < 0.6 else [])])


def sensor_pose(rng: np.random.Generator) -> Pose:
    """A pose above the table's middle that leans by some degrees.

    Parameters
    ----------
    rng
        Of the place and the viewing direction.

    Returns
    -------
    Axes (3, 3; columns right, down, forward) and place (3,), metres, about DISTANCE from the table
    """
    target = np.append(rng.normal(0, 0.008, 2), 0.02)
    eye = target + DISTANCE * np.append(rng.normal(0, 0.07, 2), 1.0)
    return camera_axes(eye, target, rng.normal(0, 0.05)), eye


def _rows(rng: np.random.Generator, models: WorldObject) -> WorldObject:
    """Parts side by side as they lie, each a bit off its place."""
    step = 1.12 * max(float(np.ptp(part[0][:, :2], axis=0).max()) for part, _ in models)
    x, y = (np.arange(-half + step / 2, half, step) for half in HALF)
    objects: WorldObject = []
    angle = rng.uniform(0, 360)
    for row, place_y in enumerate(y):
        part, albedo = models[row % len(models)]
        for place_x in x:
            if rng.random() < 0.9:
                rotation = Rotation.from_euler("z", angle + rng.normal(0, 4), degrees=True)
                objects.append((_dropped(part, rotation, [place_x, place_y], 0.0), albedo))
    return objects or [(_dropped(models[0][0], Rotation.identity(), [0, 0], 0.0), models[0][1])]


def _pile(rng: np.random.Generator, models: WorldObject) -> WorldObject:
    """Parts rotated at random, the later ones on top of the earlier ones; seen from above, some may intersect."""
    objects: WorldObject = []
    tops: list[tuple[np.ndarray, float, float]] = []  # place, radius, height
    for _ in range(rng.integers(25, 60)):
        part, albedo = models[rng.integers(len(models))]
        place = np.clip(rng.normal(0, 0.5, 2), -1, 1) * (np.array(HALF) - 0.03)
        radius = float(np.ptp(part[0], axis=0).max()) / 2
        under = [top for at, other, top in tops if np.linalg.norm(place - at) < 0.6 * (radius + other)]
        lift = min(0.6 * max(under, default=0.0), 0.06)
        lying = _dropped(part, Rotation.random(rng=rng), place, lift)
        tops.append((place, radius, float(lying[0][:, 2].max())))
        objects.append((lying, albedo))
    return objects


def _dropped(part: Mesh, rotation: Rotation, place: np.ndarray | list, lift: float) -> Mesh:
    """A part rotated, its middle over `place` (2,), its lowest point at `lift`."""
    vertices = rotation.apply(part[0])
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return vertices - [*((low + high) / 2)[:2], low[2]] + [*place, lift], part[1]


def _bin(rng: np.random.Generator) -> WorldObject:
    """The four walls of a bin."""
    (x, y), high, thick = np.array(HALF) + 0.005, rng.uniform(0.04, 0.09), 0.004
    walls = [box([-x, side * y, 0], [x, side * y + thick, high]) for side in (-1, 1)]
    walls += [box([side * x, -y, 0], [side * x + thick, y, high]) for side in (-1, 1)]
    return [(wall, 0.2) for wall in walls]
