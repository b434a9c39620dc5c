"""A synthetic street, for a LiDAR on a car's roof: ground, houses, cars, trees, poles, fences, people. Metres; z is up.

In the street's own frame x runs along it, y across it, and the road's surface is near z = 0. What stands in it, a
`WorldObject`, is a list of meshes in a frame of its own and their albedos in [0, 1]; its measures are drawn from `rng`.
"""

import numpy as np

from st3d.kernels.geometry.rotation import euler_rotation
from st3d.simulation.furniture.parts import Mesh, box, cushion, rod
from st3d.simulation.range_sensors.world import World, WorldObject, build_world, placed, prism
from st3d.simulation.surfaces import grid

LENGTH = 120.0  # of the street ahead and behind
WIDTH = 60.0  # of the ground to the left and right
MOUNT = 1.73  # height of KITTI's LiDAR above the road
KERB = 0.12
_NEAR = 55.0  # fronts further away have no windows


class Ground:
    """The road's height along the street: a slope and a long wave.

    Parameters
    ----------
    rng
        Of both.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.slope, self.wave = rng.uniform(-0.02, 0.02), rng.uniform(0, 0.25)
        self.length, self.phase = rng.uniform(25, 45), rng.uniform(0, 2 * np.pi)

    def profile(self, x: np.ndarray) -> np.ndarray:
        """Heights (...) of the road, metres, at places `x` (...) along the street, metres."""
        return self.slope * x + self.wave * np.sin(x / self.length + self.phase)

    def height(self, x: float) -> float:
        """Height of the road at one place, metres."""
        return float(self.profile(np.array(x)))

    def strip(self, left: tuple[float, float], right: tuple[float, float]) -> Mesh:
        """The surface between two lines along the street.

        Parameters
        ----------
        left, right
            Each line's y and its height above the road, metres.

        Returns
        -------
        Mesh, metres; x from -LENGTH to LENGTH in steps of 2 m
        """
        x = np.arange(-LENGTH, LENGTH + 1, 2.0)
        rows = [np.column_stack([x, np.full(len(x), y), self.profile(x) + z]) for y, z in (left, right)]
        return grid(np.stack(rows), closed_rows=False, closed_columns=False)


def street(rng: np.random.Generator) -> World:
    """A street in the frame of a LiDAR that drives along it: x forward, y left, z up, the sensor in the origin.

    All vertices are less than 200 m from the sensor.

    Parameters
    ----------
    rng
        Of the street and of the sensor's place in it.

    Returns
    -------
    World
    """
    ground = Ground(rng)
    road, pavement = rng.uniform(4.5, 6.0), rng.uniform(1.5, 3.5)  # half the road's width
    edges = [(0, 0.05), (road, 0), (road + 0.02, KERB), (road + pavement, KERB + 0.03), (WIDTH, KERB + 0.2)]
    objects: WorldObject = []
    for side in (-1, 1):
        lines = [(side * y, z) for y, z in edges]
        albedos = (0.22, 0.35, 0.30, 0.40)
        objects += [(ground.strip(a, b), albedo) for a, b, albedo in zip(lines, lines[1:], albedos)]
        objects += _houses(rng, ground, side, road + pavement)
        objects += _pavement(rng, ground, side, road, pavement)
    objects += _traffic(rng, ground, road)
    lane = rng.uniform(0.2, 0.35) * road * rng.choice([-1, 1])
    heading = rng.normal(0, 0.05) + (np.pi if lane > 0 else 0.0)  # on the right
    place = np.array([rng.uniform(-20, 20), lane, 0.0])
    place[2] = ground.height(place[0]) + MOUNT
    return build_world(objects).seen_from(euler_rotation("z", heading), place)


def _houses(rng: np.random.Generator, ground: Ground, side: int, border: float) -> WorldObject:
    """One side's houses, or gaps between them with fence or hedge and trees."""
    objects: WorldObject = []
    garden, x = rng.choice([0.0, rng.uniform(2, 6)]), -LENGTH + rng.uniform(0, 8)
    while x < LENGTH - 16:
        width = rng.uniform(7, 15)
        middle = np.array([x + width / 2, side * (border + garden), ground.height(x + width / 2) + KERB])
        angle = 0.0 if side > 0 else np.pi  # fronts look to the road
        if rng.random() < 0.78:
            objects += placed(house(rng, width, abs(middle[0]) < _NEAR), middle, angle)
        else:
            objects += placed(tree(rng), middle + np.array([0, side * rng.uniform(2, 8), 0]))
        if garden or rng.random() < 0.2:
            edge = middle * [1, 0, 1] + [0, side * (border + 0.15), 0]
            objects += placed(fence(rng, width - 1.2), edge, angle)
        x += width + rng.choice([0.0, rng.uniform(0.5, 9)])
    return objects


def _pavement(rng: np.random.Generator, ground: Ground, side: int, road: float, pavement: float) -> WorldObject:
    """Parked cars at the kerb; lamps, trees and people behind it."""
    objects: WorldObject = []
    x, crowd = -70.0 + rng.uniform(0, 10), rng.uniform(0.2, 0.9)
    while x < 70:
        if rng.random() < crowd:
            place = [x, side * (road - rng.uniform(0.95, 1.2)), ground.height(x)]
            objects += placed(car(rng), place, rng.normal(0, 0.02) + np.pi * rng.integers(2))
        x += rng.uniform(5.2, 8)
    step, makers = rng.uniform(18, 35), [lamp, tree] if rng.random() < 0.7 else [lamp]
    for x in np.arange(-90, 90, step):
        made = makers[rng.integers(len(makers))](rng)
        place = [x, side * (road + 0.5), ground.height(x) + KERB]
        objects += placed(made, place, 0.0 if side < 0 else np.pi)
    for _ in range(rng.integers(1, 7)):
        x = rng.uniform(-45, 45)
        place = [x, side * (road + rng.uniform(0.9, max(1.0, pavement))), ground.height(x) + KERB]
        objects += placed(pedestrian(rng), place, rng.uniform(0, 2 * np.pi))
    return objects


def _traffic(rng: np.random.Generator, ground: Ground, road: float) -> WorldObject:
    """Cars on the road, all at least 10 m ahead of or behind the sensor."""
    objects: WorldObject = []
    for _ in range(rng.integers(1, 4)):
        x = rng.choice([-1, 1]) * rng.uniform(30, 70)
        objects += placed(car(rng), [x, rng.choice([-1, 1]) * 0.3 * road, ground.height(x)], np.pi * rng.integers(2))
    return objects


def house(rng: np.random.Generator, width: float, detailed: bool) -> WorldObject:
    """A house whose front lies in y = 0, its body, 8 to 12 m deep and of 1 to 4 storeys, at y > 0.

    Parameters
    ----------
    rng
        Of the measures.
    width
        Along x, around 0, metres.
    detailed
        Whether the front has windows and a door.

    Returns
    -------
    Parts, metres, and their albedos
    """
    depth, storeys, storey = rng.uniform(8, 12), int(rng.integers(1, 5)), rng.uniform(2.7, 3.4)
    top, rise, wall = storeys * storey + 0.6, rng.uniform(0, 4.5), rng.uniform(0.25, 0.7)
    half = width / 2
    over = 0.4  # the eaves
    corners = [[x, y, top + z] for x in (-half, half) for y, z in ((-over, 0), (depth / 2, rise), (depth + over, 0))]
    roof = np.array(corners), np.array([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4], [0, 2, 1], [3, 4, 5]])
    objects: WorldObject = [(box([-half, 0, -1], [half, depth, top]), wall), (roof, 0.3)]
    if not detailed:
        return objects
    columns = max(1, int(width / rng.uniform(2.2, 3.2)))
    pane, balcony = rng.uniform(0.45, 0.65), rng.random() < 0.3
    door = int(rng.integers(columns))
    for row in range(storeys):
        for column in range(columns):
            x, z = -half + (column + 0.5) * width / columns, row * storey + 0.95
            if row == 0 and column == door:
                objects += [(box([x - 0.55, -0.04, 0.1], [x + 0.55, 0, 2.3]), 0.15)]
                objects += [(box([x - 0.9, -0.6, -0.2], [x + 0.9, 0, 0.15]), 0.4)]
                continue
            objects.append((box([x - pane, -0.03, z], [x + pane, 0, z + 1.4]), 0.04))  # glass gives little back
            objects.append((box([x - pane - 0.1, -0.18, z - 0.08], [x + pane + 0.1, 0, z]), 0.5))
            if balcony and row > 0 and column % 2 == 0:
                objects.append((box([x - 1.0, -1.1, z - 1.1], [x + 1.0, 0, z - 0.95]), 0.45))
                objects.append((box([x - 1.0, -1.1, z - 0.95], [x + 1.0, -1.05, z - 0.05]), 0.35))
    return [*objects, (rod([half - 0.2, -0.08, 0], [half - 0.2, -0.08, top], [0.05, 0.05], 8), 0.4)]


def car(rng: np.random.Generator) -> WorldObject:
    """A car along x around the origin, 3.6 to 4.9 m long and 1.4 to 1.75 m high, its wheels on z = 0."""
    length, width, height = rng.uniform(3.6, 4.9), rng.uniform(1.65, 1.9), rng.uniform(1.4, 1.75)
    belt, paint = rng.uniform(0.5, 0.58) * height, rng.uniform(0.08, 0.7)
    a, b = -length / 2, length / 2
    bonnet, boot = rng.uniform(0.2, 0.28) * length, rng.uniform(0.03, 0.22) * length
    rear = [(a + boot, belt), (a + 0.05, belt - 0.08), (a, 0.5), (a, 0.28)]
    front = [(b - 0.1, 0.28), (b, 0.55), (b - 0.08, 0.75 * belt + 0.1), (b - bonnet, belt)]
    side = np.array([*front, *rear])
    windscreen, rear_window = [(b - bonnet + 0.05, belt), (b - bonnet - 0.65, height)], [(a + boot + 0.4, height)]
    cabin = np.array([*windscreen, *rear_window, (a + boot, belt)])
    body = _on_its_side(prism(side, [(0, 0.96), (0.06, 1), (width - 0.06, 1), (width, 0.96)]), width)
    glass = _on_its_side(prism(cabin, [(0.06, 0.93), (0.2, 1), (width - 0.2, 1), (width - 0.06, 0.93)]), width)
    roof = box([a + boot + 0.4, -width / 2 + 0.2, height - 0.02], [b - bonnet - 0.65, width / 2 - 0.2, height + 0.02])
    objects: WorldObject = [(body, paint), (glass, 0.05), (roof, paint)]
    for x in (a + 0.18 * length, b - 0.18 * length):
        for y in (-width / 2 + 0.1, width / 2 - 0.1):
            objects.append((rod([x, y - 0.11, 0.31], [x, y + 0.11, 0.31], [0.31, 0.31], 16), 0.1))
    plate = box([a - 0.02, -0.26, 0.45], [a, 0.26, 0.56])
    return [*objects, (plate, 0.95)]


def _on_its_side(part: Mesh, width: float) -> Mesh:
    """A prism over (x, z) whose height becomes y, around 0."""
    vertices, triangles = part
    return vertices[:, [0, 2, 1]] - [0, width / 2, 0], triangles


def tree(rng: np.random.Generator) -> WorldObject:
    """A tree, about 4 to 11 m high: trunk, boughs and a crown of 500 to 1,100 leaves, each a triangle."""
    height, thick = rng.uniform(4, 11), rng.uniform(0.1, 0.3)
    base = height * rng.uniform(0.3, 0.45)
    radii = np.array([1, 1, 1.3]) * (height - base) / 2.6 * rng.uniform(0.8, 1.1)
    middle = np.array([0, 0, base + radii[2]])
    objects: WorldObject = [(rod([0, 0, -0.2], [0, 0, middle[2]], [1.4 * thick, thick, 0.6 * thick], 10), 0.3)]
    for _ in range(4):
        tip = middle + rng.uniform(-0.6, 0.6, 3) * radii
        objects.append((rod([0, 0, base], tip, [0.5 * thick, 0.15 * thick], 6), 0.3))
    count = int(rng.uniform(500, 1100))
    where = rng.standard_normal((count, 3))
    where *= (rng.uniform(0.25, 1, count) ** (1 / 3) / np.linalg.norm(where, axis=1))[:, None]
    lumps = 1 + 0.25 * np.sin(where @ rng.normal(0, 3, 3))
    leaves = (middle + where * lumps[:, None] * radii)[:, None] + rng.normal(0, 0.14, (count, 3, 3))
    return [*objects, ((leaves.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)), 0.45)]


def lamp(rng: np.random.Generator) -> WorldObject:
    """A lamp post, 5 to 8 m high, whose arm reaches towards +y, or a pole with a road sign, 2.5 to 3.3 m high."""
    if rng.random() < 0.4:
        high = rng.uniform(2.2, 3)
        sign = prism(np.array([[0.3, 0.3], [-0.3, 0.3], [-0.3, -0.3], [0.3, -0.3]]), [(0, 1), (0.02, 1)])
        upright = sign[0][:, [2, 0, 1]] + [0.05, 0, high], sign[1]
        return [(rod([0, 0, 0], [0, 0, high + 0.3], [0.04, 0.04], 10), 0.5), (upright, 0.98)]
    high, reach = rng.uniform(5, 8), rng.uniform(0.8, 2)
    post = rod([0, 0, 0], [0, 0, high], [0.09, 0.07, 0.05], 12)
    arm = rod([0, 0, high], [0, reach, high + 0.3], [0.04, 0.04], 8)
    return [(part, 0.5) for part in (post, arm, cushion([0, reach, high + 0.3], [0.12, 0.4, 0.07], 0.7, 8))]


def fence(rng: np.random.Generator, width: float) -> WorldObject:
    """Pickets, a wall or a hedge, `width` metres along x around 0, about 0.6 to 1.7 m high."""
    style, high, half = rng.integers(3), rng.uniform(0.8, 1.6), width / 2
    if style == 0:
        x = np.arange(-half, half, rng.uniform(0.14, 0.3))
        rails = [box([-half, -0.02, z], [half, 0.02, z + 0.08]) for z in (0.2, high - 0.25)]
        return [(part, 0.45) for part in [*rails, *(box([a, -0.05, 0], [a + 0.09, -0.02, high]) for a in x)]]
    if style == 1:
        return [(box([-half, -0.1, -0.3], [half, 0.1, 0.7 * high]), 0.4)]
    vertices, triangles = cushion([0, 0.2, 0.45 * high], [half, 0.35, 0.6 * high], 0.25, 24)
    return [((vertices + rng.normal(0, 0.03, vertices.shape), triangles), 0.4)]


def pedestrian(rng: np.random.Generator) -> WorldObject:
    """A person, 1.5 to 1.95 m tall, who walks towards +x, feet on z = 0."""
    high, cloth = rng.uniform(1.5, 1.95), rng.uniform(0.1, 0.7)
    hip, stride = 0.48 * high, rng.uniform(0, 0.3)
    parts = [cushion([0, 0, 0.93 * high], [0.1, 0.085, 0.12], 1.0, 8)]
    parts.append(cushion([0, 0, 0.66 * high], [0.14, 0.2, 0.2 * high], 0.8, 10))
    for side in (-1, 1):
        parts.append(rod([side * stride, 0.1 * side, 0], [0, 0.1 * side, hip], [0.06, 0.09], 8))
        swing = [-side * stride * 0.8, 0.26 * side, hip]
        parts.append(rod([0, 0.21 * side, 0.8 * high], swing, [0.05, 0.04], 8))
    return [(part, cloth) for part in parts]
