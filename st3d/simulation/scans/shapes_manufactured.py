"""Anomaly-free manufactured objects: cable gland and dowel (rigid), foam, rope and tire (soft). Lengths in metres.

Each function takes a random generator, which all measures are drawn from, and `step`, about the distance between
vertices, metres; it returns a body in a frame of its own, whose `rest` lays it down.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from st3d.simulation.scans.shapes_natural import MM, circle_angles, plain, relief, tinted, waves
from st3d.simulation.surfaces import Body, Noise, revolved, swept

FINGERS, THREAD = 1, 2  # regions of the cable gland
FINGER_COUNT = 14
# the gland's profile, millimetres: x, radius, corners (0 round, else a polygon of the radius as apothem), region
_GLAND = [
    (12.0, 0.01, 0, 0), (12.0, 9.6, 0, 0), (0.0, 10.4, 0, FINGERS), (0.0, 12.4, 0, FINGERS), (11.0, 13.0, 0, FINGERS),
    (11.2, 13.4, 0, 0), (12.2, 13.5, 0, THREAD), (23.4, 13.5, 0, THREAD), (23.6, 13.0, 0, 0), (24.2, 13.0, 0, 0),
    (24.4, 15.6, 6, 0), (25.0, 16.6, 6, 0), (30.6, 16.6, 6, 0), (30.8, 14.4, 0, 0), (32.2, 14.4, 0, 0),
    (32.4, 17.2, 8, 0), (33.4, 18.4, 8, 0), (40.6, 18.4, 8, 0), (42.6, 16.4, 0, 0), (44.6, 16.0, 0, 0),
    (45.4, 14.8, 0, 0), (44.8, 12.8, 0, 0), (22.0, 12.2, 0, 0), (22.0, 0.01, 0, 0),
]  # fmt: skip


def _polygon(angle: np.ndarray, corners: int) -> np.ndarray:
    """How far a regular polygon of apothem 1 reaches; its corners are rounded off."""
    part = np.pi / corners
    return np.minimum(1 / np.cos((angle + part) % (2 * part) - part), 1.10 if corners < 8 else 1.06)


def cable_gland(rng: np.random.Generator, step: float) -> Body:
    """A cable gland along x, 45 mm long, up to 18.4 mm from the axis to a flat; regions 0, FINGERS and THREAD."""
    noise = Noise(rng)
    knots = np.array(_GLAND)
    distance = np.concatenate([[0], np.cumsum(np.hypot(np.diff(knots[:, 0]), np.diff(knots[:, 1])))])
    at = np.unique(np.concatenate([np.arange(0, distance[-1], step / MM), distance]))
    x, radius = (np.interp(at, distance, knots[:, column]) for column in (0, 1))
    piece = np.minimum(np.searchsorted(distance, at, side="right") - 1, len(knots) - 2)
    # a stretch belongs to a polygon or a region if both its ends do
    corners = np.where(knots[piece, 2] == knots[piece + 1, 2], knots[piece, 2], np.maximum(knots[piece, 2], 0))
    region = np.where(knots[piece, 3] == knots[piece + 1, 3], knots[piece, 3], 0).astype(int)
    angle = circle_angles(2 * np.pi * 17 * MM, step)
    grown = np.repeat(radius[:, None], len(angle), axis=1)
    for count, play in ((6, 0.0), (8, rng.uniform(0, 2 * np.pi))):  # the cap nut is screwed on by hand
        grown = np.where((corners == count)[:, None], radius[:, None] * _polygon(angle + play, count), grown)
    pitch, start = 1.6, rng.uniform(0, 2 * np.pi)
    helix = np.abs(((x[:, None] / pitch + (angle + start) / (2 * np.pi)) % 1) - 0.5) * 2
    grown = np.where((region == THREAD)[:, None], grown + 0.9 * helix - 0.2, grown)
    slot = np.abs((angle * FINGER_COUNT / (2 * np.pi)) % 1 - 0.5) * 2 > 0.72
    outside = (region == FINGERS) & (radius > 12)
    grown = np.where(outside[:, None] & slot, 10.9, grown)
    size = 1 + rng.normal(0, 0.002)
    vertices, triangles = revolved(x * MM * size, grown * MM * size)
    vertices = relief(vertices, triangles, noise, [(0.02 * MM, 3 * MM)])
    shade = 0.5 + 0.15 * noise(vertices, 6 * MM)
    colour = tinted((0.46, 0.435, 0.43), (shade, (0.42, 0.395, 0.39)))
    roll = Rotation.from_euler("x", 60 * rng.integers(6) + rng.normal(0, 1), degrees=True)
    lean = Rotation.from_euler("y", -np.arctan2(18.4 - 12.4, 41.0))  # it rests on the cap nut and on the fingers' end
    return Body(vertices, triangles, colour, np.repeat(region, len(angle)), lean * roll)


def dowel(rng: np.random.Generator, step: float) -> Body:
    """A fluted wooden dowel along x, about 40 mm long and 5 mm in radius."""
    noise = Noise(rng)
    length, radius = 40 * MM + rng.normal(0, 0.25 * MM), 5.0 * MM + rng.normal(0, 0.06 * MM)
    along = np.linspace(0, length, int(length / step))
    angle = circle_angles(2 * np.pi * radius, min(step, 0.6 * MM))[None]
    edge = np.clip(np.minimum(along, length - along) / (1.3 * MM), 0, 1)
    flute = 0.14 * MM * np.abs(np.sin(12 * angle + rng.uniform(0, 3)))
    size = radius * (0.80 + 0.20 * edge)[:, None] - flute * (edge >= 1)[:, None]
    axis = np.stack([along - length / 2, 0 * along, 0 * along], axis=1)
    vertices, triangles = swept(axis, size * np.cos(angle), size * np.sin(angle), closed=False)
    stretched = vertices * np.array([0.15, 1.0, 1.0])
    vertices = vertices + 0.03 * MM * noise(stretched, 1.5 * MM)[:, None] * np.array([0.0, 1.0, 1.0])
    grain = 0.4 + 0.3 * noise(stretched, 2.0 * MM) + 0.15 * noise(stretched, 0.7 * MM)
    colour = tinted((0.85, 0.68, 0.44), (grain, (0.68, 0.48, 0.27)))
    return plain(vertices, triangles, colour, Rotation.from_euler("x", rng.uniform(0, 360), degrees=True))


def foam(rng: np.random.Generator, step: float) -> Body:
    """A horseshoe of porous foam: a bow 40 to 44 mm in radius, legs 38 to 46 mm long, its section 34 mm x 28 mm."""
    noise = Noise(rng)
    bow, leg = rng.uniform(40, 44) * MM, rng.uniform(38, 46) * MM
    spread = rng.normal(0, 0.08)  # soft: the legs bend in or out
    total = np.pi * bow + 2 * leg
    path = np.linspace(0, total, int(total / step))
    heading = np.clip((path - leg) / (np.pi * bow), 0, 1) * np.pi - np.pi / 2
    heading = heading + spread * ((path / total) * 2 - 1) + waves(rng, path / total * 4, range(1, 4), 0.02)
    axis = np.cumsum(np.stack([np.cos(heading), np.sin(heading), 0 * path], axis=1), axis=0) * (path[1] - path[0])
    axis -= (axis.max(axis=0) + axis.min(axis=0)) / 2
    angle = circle_angles(2 * (36 + 30) * MM, step)[None]
    reach = (np.abs(np.cos(angle)) ** 7 + np.abs(np.sin(angle)) ** 7) ** (-1 / 7)  # a box with soft edges
    wide = 17 * MM * (1 + waves(rng, path / total * 6, range(1, 4), 0.02))[:, None]
    high = 14 * MM * (1 + waves(rng, path / total * 6, range(1, 4), 0.02))[:, None]
    vertices, triangles = swept(axis, wide * reach * np.cos(angle), high * reach * np.sin(angle), closed=False)
    pores = np.clip(noise(vertices, 3.0 * MM) - 1.0, 0, 1.2)
    vertices = relief(vertices, triangles, noise, [(0.35 * MM, 30 * MM), (0.12 * MM, 3 * MM)])
    middle = np.append(vertices[:, :2].mean(axis=0), vertices[:, 2].mean())
    inward = (vertices - middle) / np.maximum(np.linalg.norm(vertices - middle, axis=1, keepdims=True), 1e-9)
    vertices = vertices - 0.5 * MM * pores[:, None] * inward
    shade = 0.4 + 0.2 * noise(vertices, 4 * MM) + 0.2 * noise(vertices, 40 * MM)
    colour = tinted((0.78, 0.79, 0.76), (shade, (0.66, 0.67, 0.65)), (0.5 * pores, (0.42, 0.42, 0.41)))
    return plain(vertices, triangles, colour)


def rope(rng: np.random.Generator, step: float) -> Body:
    """A rope of three strands along x, 165 to 180 mm long, 5.4 to 5.8 mm in radius; regions 0 to 2 are the strands."""
    noise = Noise(rng)
    strands, length = 3, rng.uniform(165, 180) * MM
    thick = rng.uniform(5.4, 5.8) * MM
    along = np.linspace(0, 1, int(length / step))
    angle = circle_angles(2 * np.pi * thick, min(step, 0.7 * MM))
    bend = waves(rng, 3.5 * along, range(1, 4), 0.03) * length
    axis = np.stack([(along - 0.5) * length, bend - bend.mean(), 0 * along], axis=1)
    pitch = rng.uniform(30, 34) * MM * (1 + waves(rng, 5 * along, range(1, 3), 0.01))
    twist = 2 * np.pi * along * length / pitch + rng.uniform(0, 2 * np.pi)
    part = ((angle[None] - twist[:, None]) * strands / (2 * np.pi)) % strands
    off = (part % 1 - 0.5) * 2 * np.pi / strands  # angle from the strand's middle
    # the strand: a circle of radius b, its centre at distance a from the rope's axis
    a, b = 0.52 * thick, 0.48 * thick
    radius = a * np.cos(off) + np.sqrt(np.maximum(b * b - (a * np.sin(off)) ** 2, 1e-12))
    yarn = 0.10 * MM * np.cos(off * 26 + 2 * np.pi * along[:, None] * length / (7 * MM))
    ends = np.clip(np.minimum(along, 1 - along) * length / (2 * MM), 0, 1)[:, None] ** 0.5
    radius = (radius + yarn) * (0.6 + 0.4 * ends)
    vertices, triangles = swept(axis, radius * np.cos(angle), radius * np.sin(angle), closed=False)
    vertices = relief(vertices, triangles, noise, [(0.12 * MM, 5 * MM)])
    region = np.floor(part).astype(int)
    region = np.concatenate([region[:1], region, region[-1:]]).ravel()
    dirt = 0.4 + 0.25 * noise(vertices, 9 * MM) + 0.2 * noise(vertices, 1.5 * MM)
    colour = tinted((0.80, 0.74, 0.60), (dirt, (0.66, 0.58, 0.43)), (0.9 * (region == 1), (0.16, 0.27, 0.50)))
    return Body(vertices, triangles, colour, region)


def tire(rng: np.random.Generator, step: float) -> Body:
    """A tire about z, about 47 mm in radius and 26 mm wide, with treads and with marks on its sides."""
    noise = Noise(rng)
    ring, blocks = 36 * MM, 40
    around = circle_angles(2 * np.pi * 46 * MM, step)
    angle = circle_angles(2 * np.pi * 14 * MM, min(step, 0.8 * MM))[None]
    oval = 1 + rng.normal(0, 0.02) * np.cos(2 * around) + waves(rng, around, range(2, 4), 0.008)  # soft rubber
    axis = np.stack([ring * oval * np.cos(around), ring * oval * np.sin(around), 0 * around], axis=1)
    reach = (np.abs(np.cos(angle)) ** 3.5 + np.abs(np.sin(angle)) ** 3.5) ** (-1 / 3.5)
    across = np.repeat(11 * MM * reach * np.cos(angle), len(around), axis=0)
    up = np.repeat(13 * MM * reach * np.sin(angle), len(around), axis=0)
    phase = around[:, None] * blocks / (2 * np.pi) + np.sign(up) * 0.25
    groove = (np.abs(phase % 1 - 0.5) > 0.36) & (np.abs(up) > 2.2 * MM)
    groove |= np.abs(np.abs(up) - 3.2 * MM) < 0.8 * MM
    tread = np.clip((across - 7.5 * MM) / (1.2 * MM), 0, 1)
    across = across - 2.0 * MM * groove * tread
    side = np.clip((np.abs(up) - 11 * MM) / MM, 0, 1)  # the sidewall: two raised rings and a row of moulded marks
    rings = np.exp(-(((across - 3.5 * MM) / (0.7 * MM)) ** 2)) + np.exp(-(((across + 6 * MM) / (0.9 * MM)) ** 2))
    marks = (np.sin(around * 30) * np.sin(around * 7 + 1) > 0.25)[:, None] & (np.abs(across + 1.2 * MM) < 1.8 * MM)
    up = up + np.sign(up) * side * (0.8 * MM * rings + 0.5 * MM * marks)
    vertices, triangles = swept(axis, across, up, closed=True)
    vertices = relief(vertices, triangles, noise, [(0.25 * MM, 40 * MM), (0.04 * MM, 3 * MM)])
    dust = 0.3 + 0.25 * noise(vertices, 15 * MM) + 0.1 * noise(vertices, 2 * MM)
    colour = tinted((0.15, 0.15, 0.155), (dust, (0.23, 0.225, 0.22)))
    flip = Rotation.from_euler("x", 180 * rng.integers(2), degrees=True)
    return plain(vertices, triangles, colour, flip)
