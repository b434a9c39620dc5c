"""Anomaly-free natural and baked objects: bagel, carrot, cookie, peach, potato. Lengths in metres.

The functions of these names take a random generator, which all measures are drawn from, and `step`, about the distance
between vertices, metres; they return a body of one region in a frame of its own, whose `rest` lays it down.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from st3d.simulation.surfaces import Body, Noise, normals, revolved, swept

MM = 1e-3
Relief = list[tuple[float, float]]  # height's standard deviation and bump width, metres


def relief(vertices: np.ndarray, triangles: np.ndarray, noise: Noise, bumps: Relief) -> np.ndarray:
    """Vertices moved along their normals by smooth random heights.

    Parameters
    ----------
    vertices, triangles
        (v, 3) float64, metres, and (t, 3) int64.
    noise
        Its fields are the heights.
    bumps
        Standard deviation and width of each kind of bumps, metres.

    Returns
    -------
    (v, 3) float64, metres
    """
    height = sum(deviation * noise(vertices, width) for deviation, width in bumps)
    return vertices + np.asarray(height)[:, None] * normals(vertices, triangles)


def tinted(colour: tuple[float, float, float], *changes: tuple[np.ndarray, tuple[float, float, float]]) -> np.ndarray:
    """Albedo of vertices: a colour with others mixed in, one after the other.

    Parameters
    ----------
    colour
        Red, green, blue in [0, 1].
    changes
        One or more of a weight (v,), clipped to [0, 1], and the colour that it mixes in.

    Returns
    -------
    (v, 3) float64 in [0.01, 1]
    """
    first = changes[0][0]
    result = np.broadcast_to(np.array(colour), (len(first), 3))
    for weight, other in changes:
        fraction = np.clip(weight, 0, 1)[:, None]
        result = result * (1 - fraction) + np.array(other) * fraction
    return np.clip(result, 0.01, 1)


def plain(vertices: np.ndarray, triangles: np.ndarray, colour: np.ndarray, rest: Rotation | None = None) -> Body:
    """A body of one region.

    Parameters
    ----------
    vertices, triangles
        (v, 3) float64, metres, and (t, 3) int64.
    colour
        (v, 3) float64 in [0, 1], albedo.
    rest
        Rotation that lays it down; None: none.

    Returns
    -------
    Body, its regions 0
    """
    regions = np.zeros(len(vertices), np.int64)
    return Body(vertices, triangles, colour, regions, rest or Rotation.identity())


def waves(rng: np.random.Generator, angle: np.ndarray, orders: range, deviation: float) -> np.ndarray:
    """A random periodic function of an angle.

    Parameters
    ----------
    rng
        Of amplitudes and phases.
    angle
        Radians, of any shape.
    orders
        Numbers of periods of its terms in a full turn, each 1 or more.
    deviation
        Standard deviation of the amplitude at order 1; at order j it is a j-th of it.

    Returns
    -------
    Values of the shape of `angle`, in the unit of `deviation`
    """
    terms = [(rng.normal() / order, rng.uniform(0, 2 * np.pi), order) for order in orders]
    total = np.zeros(np.shape(angle))
    for strength, phase, order in terms:
        total = total + strength * np.cos(order * angle + phase)
    return deviation * total


def circle_angles(circumference: float, step: float) -> np.ndarray:
    """Angles of a full circle in equal steps.

    Parameters
    ----------
    circumference
        Of the circle.
    step
        Distance between neighbours on it, about, in the same unit.

    Returns
    -------
    (c,) float64, radians in [0, 2 pi), c of 16 or more
    """
    return np.linspace(0, 2 * np.pi, max(16, int(circumference / step)), endpoint=False)


def bagel(rng: np.random.Generator, step: float) -> Body:
    """A bagel, flat below: a tube 17.5 to 20.5 mm in radius around a circle 31 to 36 mm in radius."""
    noise = Noise(rng)
    ring, tube = rng.uniform(31, 36) * MM, rng.uniform(17.5, 20.5) * MM
    around = circle_angles(2 * np.pi * ring * 1.3, step)
    angle = circle_angles(2 * np.pi * tube, step)[None]
    radius = (ring * (1 + waves(rng, around, range(2, 5), 0.035)))[:, None]
    thick = (tube * (1 + waves(rng, around, range(1, 5), 0.06)))[:, None]
    axis = np.stack([radius[:, 0] * np.cos(around), radius[:, 0] * np.sin(around), 0 * around], axis=1)
    up = np.maximum(0.86 * np.sin(angle), -0.62)  # the underside is flat: it lay on the tray
    vertices, triangles = swept(axis, thick * np.cos(angle), thick * up, closed=True)
    bumps = [(0.9 * MM, 35 * MM), (0.3 * MM, 10 * MM), (0.1 * MM, 3 * MM)]
    vertices = relief(vertices, triangles, noise, bumps)
    baked = 0.35 + 0.9 * (vertices[:, 2] / tube) + 0.16 * noise(vertices, 18 * MM)
    spots = 0.5 * (noise(vertices, 5 * MM) - 1.3) + 0.09 * noise(vertices, 2 * MM)
    colour = tinted((0.80, 0.60, 0.34), (baked, (0.58, 0.30, 0.10)), (spots, (0.36, 0.17, 0.06)))
    return plain(vertices, triangles, colour)


def carrot(rng: np.random.Generator, step: float) -> Body:
    """A carrot along x, 125 to 155 mm long, 13 to 17 mm in radius at its thick end."""
    noise = Noise(rng)
    length, thick = rng.uniform(125, 155) * MM, rng.uniform(13, 17) * MM
    along = np.linspace(0, 1, int(length / step))
    angle = circle_angles(2 * np.pi * thick, step)[None]
    bend = waves(rng, 2.5 * along, range(1, 4), 0.035) * length * along
    axis = np.stack([(along - 0.5) * length, bend, 0 * along], axis=1)
    taper = 1 - rng.uniform(0.55, 0.72) * along ** rng.uniform(0.9, 1.5)
    ends = np.minimum(1 - np.clip(1 - along / 0.07, 0, 1) ** 2.5, np.sqrt(np.clip((1 - along) / 0.06, 0, 1)))
    oval = 1 + waves(rng, angle, range(2, 4), 0.02) + 0.015 * waves(rng, 9 * along, range(1, 6), 1.0)[:, None]
    radius = thick * (taper * ends)[:, None] * oval
    # creases run across: fine rings that fade in and out around the root
    rings = np.zeros(len(along))
    for _ in range(12):
        rings = rings + rng.normal() * np.cos(2 * np.pi * along * rng.uniform(15, 60) + rng.uniform(0, 6))
    fade = waves(rng, angle + 3 * along[:, None], range(1, 4), 0.5)
    radius = radius + 0.11 * MM * rings[:, None] * fade * ends[:, None]
    vertices, triangles = swept(axis, radius * np.cos(angle), radius * np.sin(angle), closed=False)
    vertices = relief(vertices, triangles, noise, [(0.35 * MM, 22 * MM), (0.06 * MM, 4 * MM)])
    place = vertices[:, 0] / length + 0.5
    stretched = vertices * np.array([3.0, 1.0, 1.0])
    pale = 0.25 + 0.22 * noise(stretched, 14 * MM)
    stalk = 2.2 * (0.035 - place) / 0.035 + 0.3 * noise(vertices, 4 * MM)
    colour = tinted((0.88, 0.36, 0.06), (pale, (0.93, 0.52, 0.16)), (stalk, (0.34, 0.36, 0.12)))
    return plain(vertices, triangles, colour, Rotation.from_euler("x", rng.uniform(0, 360), degrees=True))


def cookie(rng: np.random.Generator, step: float) -> Body:
    """A cookie with 9 to 15 chocolate chips on its upper face, 31 to 35 mm in radius, 8 to 10 mm high."""
    noise = Noise(rng)
    radius, height = rng.uniform(31, 35) * MM, rng.uniform(8, 10) * MM
    angle = circle_angles(2 * np.pi * radius, step)
    outline = 1 + waves(rng, angle, range(2, 8), 0.02)
    arc = np.linspace(0, np.pi, int(2.2 * radius / step))
    across, up = np.sin(arc) ** 0.55, -np.cos(arc)  # a flattened ball: round rim, nearly flat faces
    up = np.sign(up) * np.abs(up) ** 0.8
    vertices, triangles = revolved(up * height / 2, radius * across[:, None] * outline[None])
    vertices = vertices[:, [1, 2, 0]]
    bumps = [(0.5 * MM, 20 * MM), (0.4 * MM, 7 * MM), (0.18 * MM, 3 * MM)]
    vertices = relief(vertices, triangles, noise, bumps)
    spread = radius * np.sqrt(rng.uniform(0, 0.8, rng.integers(9, 16)))
    direction = rng.uniform(0, 2 * np.pi, len(spread))
    chips = np.zeros(len(vertices))
    sizes = rng.uniform(2.5, 4.5, len(spread)) * MM
    for x, y, size in zip(spread * np.cos(direction), spread * np.sin(direction), sizes):
        wobble = 1 + 0.25 * noise(vertices, 5 * MM)
        inside = 1 - np.hypot(vertices[:, 0] - x, vertices[:, 1] - y) / (size * wobble)
        chips = np.maximum(chips, np.where(vertices[:, 2] > 0, inside, 0))
    vertices = vertices + np.array([0, 0, 1.1 * MM]) * np.sqrt(np.clip(chips, 0, 1))[:, None]
    brown = 0.35 + 0.28 * noise(vertices, 12 * MM) + 0.1 * noise(vertices, 2 * MM)
    colour = tinted((0.80, 0.58, 0.32), (brown, (0.60, 0.36, 0.15)), (6 * chips, (0.15, 0.075, 0.04)))
    return plain(vertices, triangles, colour, Rotation.from_euler("z", rng.uniform(0, 360), degrees=True))


def peach(rng: np.random.Generator, step: float) -> Body:
    """A peach with suture and stem cavity, 31 to 36 mm in radius."""
    noise = Noise(rng)
    radius = rng.uniform(31, 36) * MM
    arc = np.linspace(0, np.pi, int(np.pi * radius / step))
    angle = circle_angles(2 * np.pi * radius, step)
    off = (angle + np.pi) % (2 * np.pi) - np.pi
    size = 1 + waves(rng, angle, range(2, 4), 0.02)[None] - 0.045 * np.exp(-np.abs(off) / 0.14)[None]  # the suture
    stem = np.exp(-(((np.pi - arc) / 0.28) ** 2))[:, None]
    height = -np.cos(arc)[:, None] * rng.uniform(0.90, 1.0) - 0.24 * stem
    # along is per row only, so that the cavity is round; the outline carries the suture
    vertices, triangles = revolved(radius * height[:, 0], radius * np.sin(arc)[:, None] * size)
    vertices = relief(vertices[:, [1, 2, 0]], triangles, noise, [(0.5 * MM, 30 * MM), (0.05 * MM, 2.5 * MM)])
    facing = vertices @ Rotation.random(rng=rng).as_matrix()[0] / radius
    blush = 0.45 + 0.7 * facing + 0.2 * noise(vertices * np.array([2.0, 2.0, 0.7]), 12 * MM)
    cavity = 1.6 * np.exp(-((np.hypot(vertices[:, 0], vertices[:, 1]) / (5 * MM)) ** 2)) * (vertices[:, 2] > 0)
    colour = tinted((0.92, 0.66, 0.28), (blush, (0.70, 0.16, 0.12)), (cavity, (0.42, 0.28, 0.10)))
    tilt = Rotation.from_euler("xyz", [rng.uniform(-50, 50), rng.uniform(-50, 50), rng.uniform(0, 360)], degrees=True)
    return plain(vertices, triangles, colour, tilt)


def potato(rng: np.random.Generator, step: float) -> Body:
    """A potato with 6 to 11 eyes, its semi-axes 42 to 52 mm, 29 to 35 mm and 24 to 29 mm."""
    noise = Noise(rng)
    long, wide, high = rng.uniform(42, 52) * MM, rng.uniform(29, 35) * MM, rng.uniform(24, 29) * MM
    arc = np.linspace(0, np.pi, int(1.25 * np.pi * long / step))
    angle = circle_angles(2 * np.pi * wide, step)[None]
    end = (np.sin(arc) ** 0.85)[:, None]
    axis = np.stack([-long * np.cos(arc), 0 * arc, 0 * arc], axis=1)
    vertices, triangles = swept(axis, wide * end * np.cos(angle), high * end * np.sin(angle), closed=False)
    vertices[:, 1] += 0.10 * wide * waves(rng, vertices[:, 0] / long * 2, range(1, 4), 1.0)
    bumps = [(1.6 * MM, 45 * MM), (0.5 * MM, 16 * MM), (0.05 * MM, 3 * MM)]
    vertices = relief(vertices, triangles, noise, bumps)
    outward = normals(vertices, triangles)
    eyes = np.zeros(len(vertices))
    for index in rng.choice(len(vertices), rng.integers(6, 12)):
        near = np.linalg.norm(vertices - vertices[index], axis=1) / (rng.uniform(1.5, 3.0) * MM)
        eyes = np.maximum(eyes, np.exp(-(near**2)))
    vertices = vertices - 1.1 * MM * eyes[:, None] * outward
    patchy = 0.4 + 0.35 * noise(vertices, 18 * MM) + 0.1 * noise(vertices, 2.5 * MM)
    specks = 0.8 * (noise(vertices, 2.5 * MM) - 1.6)
    earth = np.maximum(specks, 0.8 * eyes)
    colour = tinted((0.78, 0.60, 0.36), (patchy, (0.60, 0.41, 0.21)), (earth, (0.27, 0.17, 0.09)))
    return plain(vertices, triangles, colour, Rotation.from_euler("x", rng.uniform(-25, 25), degrees=True))
