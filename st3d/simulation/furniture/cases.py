"""Furniture of boards: bed, desk, dresser, night stand, table.

Each function takes a random generator, which all measures are drawn from, and returns a mesh: vertices (v, 3) float64,
centimetres, and triangles (t, 3) int64. z is up, and fronts look towards -y.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from st3d.simulation.furniture.parts import Mesh, arc, bent_sheet, box, cushion, lathe, legs, merged, moved, pipe, rod


def _handle(rng: np.random.Generator, place: np.ndarray, width: float) -> Mesh:
    """A drawer's handle in front (towards -y): knob, bar or bow."""
    style = rng.integers(3)
    across, front = np.array([width / 2, 0, 0]), np.array([0, 1.8, 0])
    if style == 0:
        return cushion(place - np.array([0, 1.5, 0]), [1.6, 1.6, 1.6], 1.0, 8)
    if style == 1:
        return rod(place - across - front, place + across - front, [0.6, 0.6], 8)
    bow = arc(0, 180, 10)
    return pipe(place + np.stack([np.cos(bow) * width / 2, -2.5 * np.sin(bow), 0 * bow], axis=1), 0.5, 8)


def _drawers(rng: np.random.Generator, low: np.ndarray, high: np.ndarray, rows: int, columns: int) -> list[Mesh]:
    """Fronts of drawers on the side at y = low[1]."""
    gap, depth = rng.uniform(0.6, 1.5), rng.uniform(0.8, 2.0)
    size = (high - low)[[0, 2]] / [columns, rows]
    parts = []
    for row in range(rows):
        for column in range(columns):
            corner = low[[0, 2]] + size * [column, row]
            a = np.array([corner[0] + gap, low[1] - depth, corner[1] + gap])
            b = np.array([corner[0] + size[0] - gap, low[1], corner[1] + size[1] - gap])
            middle = np.array([(a[0] + b[0]) / 2, a[1], (a[2] + b[2]) / 2])
            parts += [box(a, b), _handle(rng, middle, 0.35 * size[0])]
    return parts


def bed(rng: np.random.Generator) -> Mesh:
    """A bed, 190 to 220 cm long and 90 to 190 cm wide, with mattress, pillows and a headboard at y = its length."""
    length, width, height = rng.uniform(190, 220), rng.uniform(90, 190), rng.uniform(22, 40)
    thick, head = rng.uniform(14, 26), rng.uniform(30, 75)
    parts = [box([-width / 2, 0, height - 9], [width / 2, length, height])]
    half = [width / 2 - 1, length / 2 - 1, thick / 2]
    parts.append(cushion([0, length / 2, height + thick / 2], half, rng.uniform(0.1, 0.35)))
    parts += [moved(leg, [0, length / 2, 0]) for leg in legs(width / 2 - 6, length / 2 - 6, height - 9, rng)]
    count = 1 if width < 120 else 2
    for index in range(count):
        x = (index - (count - 1) / 2) * width / 2
        size = [min(width / count, 80) * 0.42, rng.uniform(16, 24), rng.uniform(6, 10)]
        tilt = Rotation.from_euler("x", -rng.uniform(0, 30), degrees=True)
        pillow = cushion([0, 0, 0], size, rng.uniform(0.45, 0.8))
        parts.append(moved(pillow, [x, length - 28, height + thick + 6], tilt))
    if rng.random() < 0.5:
        bow = np.linspace(0, np.pi, 24)
        for size in np.linspace(0.15, 1, 5):
            arch = [np.cos(bow) * width / 2 * size, 0 * bow + length, height + np.sin(bow) * head * size]
            parts.append(pipe(np.stack(arch, axis=1), 1.8))
    else:
        rise = np.linspace(0, 1, 14)
        path = np.stack([length + rng.uniform(0, 14) * rise**2, height - 10 + (thick + head) * rise], axis=1)
        parts.append(bent_sheet(width, path, rng.uniform(3, 8)))
    return merged(parts)


def desk(rng: np.random.Generator) -> Mesh:
    """A desk, 110 to 180 cm wide, 55 to 85 cm deep, 70 to 78 cm high, with drawers; some with a lamp."""
    width, depth, height = rng.uniform(110, 180), rng.uniform(55, 85), rng.uniform(70, 78)
    thick = rng.uniform(2, 4)
    parts = [box([-width / 2, -depth / 2, height - thick], [width / 2, depth / 2, height])]
    sides = [(-1,), (1,), (-1, 1)][rng.integers(3)]
    for side in sides:
        inner, outer = sorted((side * (width / 2 - rng.uniform(32, 45)), side * (width / 2 - 2)))
        low, high = np.array([inner, -depth / 2 + 3, 8.0]), np.array([outer, depth / 2 - 3, height - thick])
        parts += [box(low, high), *_drawers(rng, low, high, int(rng.integers(2, 5)), 1)]
    parts += legs(width / 2 - 5, depth / 2 - 5, height - thick, rng)
    if rng.random() < 0.5:
        parts.append(box([-width / 2 + 4, depth / 2 - 4, height * 0.4], [width / 2 - 4, depth / 2 - 2, height - thick]))
    if rng.random() < 0.4:
        foot = [-0.3 * width, 0.2 * depth, height]
        neck = np.array([[0, 0, 0], [3, 0, 14], [1, 0, 26], [12, 0, 34], [18, 0, 33]]) + foot
        knots = np.linspace(0, 4, 24)
        path = np.stack([np.interp(knots, range(5), neck[:, axis]) for axis in range(3)], axis=1)
        shade = lathe([(3, 2.5), (8.6, -6), (9, -6), (4, 3), (2, 5)], path[-1])
        parts += [lathe([(0, 0), (8, 0), (8, 1), (2, 2), (0, 2.5)], foot), pipe(path, 0.8), shade]
    return merged(parts)


def dresser(rng: np.random.Generator) -> Mesh:
    """A dresser, 80 to 160 cm wide, 42 to 58 cm deep, 70 to 125 cm high, with drawers; some with a mirror on top."""
    width, depth, height = rng.uniform(80, 160), rng.uniform(42, 58), rng.uniform(70, 125)
    feet = rng.uniform(6, 18)
    low, high = np.array([-width / 2, -depth / 2, feet]), np.array([width / 2, depth / 2, height])
    parts = [box(low, high), *_drawers(rng, low, high, int(rng.integers(3, 6)), int(rng.integers(1, 4)))]
    over = rng.uniform(1, 4)
    parts.append(cushion([0, 0, height + 1], [width / 2 + over, depth / 2 + over, 1.8], rng.uniform(0.05, 0.3)))
    parts += legs(width / 2 - 4, depth / 2 - 4, feet, rng)
    if rng.random() < 0.4:  # a mirror in a round frame
        angle = np.linspace(0, 2 * np.pi, 40)
        half, rise = 0.36 * width, rng.uniform(25, 40)
        ring = np.stack([half * np.cos(angle), 0 * angle + 0.35 * depth, height + rise + rise * np.sin(angle)], axis=1)
        parts += [pipe(ring, 2.0), cushion([0, 0.35 * depth, height + rise], [half, 0.8, rise], 1.0)]
    return merged(parts)


def night_stand(rng: np.random.Generator) -> Mesh:
    """A night stand, 38 to 58 cm wide, 34 to 48 cm deep, 45 to 68 cm high, with drawers; some with a lamp on top."""
    width, depth, height = rng.uniform(38, 58), rng.uniform(34, 48), rng.uniform(45, 68)
    feet = rng.uniform(5, 25)
    low, high = np.array([-width / 2, -depth / 2, feet]), np.array([width / 2, depth / 2, height])
    parts = [box(low, high), *_drawers(rng, low, high, int(rng.integers(1, 4)), 1)]
    parts += legs(width / 2 - 3, depth / 2 - 3, feet, rng)
    edge = rng.uniform(1, 3)
    parts.append(cushion([0, 0, height + 1], [width / 2 + edge, depth / 2 + edge, 1.5], rng.uniform(0.05, 0.4)))
    if rng.random() < 0.4:  # a lamp
        body = rng.uniform(2, 7, 6)
        foot = [(0, 0), (7, 0), (7, 1.5), *[(r, 3 + 4 * i) for i, r in enumerate(body)], (1, 27), (1, 32)]
        shade = [(13, 26), (8, 44), (7.6, 44), (12.6, 26)]
        parts += [lathe(foot, [0, 0, height + 2]), lathe(shade, [0, 0, height + 2])]
    return merged(parts)


def table(rng: np.random.Generator) -> Mesh:
    """A table, 40 to 78 cm high: rectangular, 70 to 200 cm by 60 to 105 cm, or oval, 60 to 105 cm deep."""
    width, depth, height = rng.uniform(70, 200), rng.uniform(60, 105), rng.uniform(40, 78)
    thick = rng.uniform(2, 5)
    if rng.random() < 0.5:
        parts = [box([-width / 2, -depth / 2, height - thick], [width / 2, depth / 2, height])]
        x, y = width / 2 - 6, depth / 2 - 6
        parts.append(box([-x, -y, height - thick - 8], [x, y, height - thick]))
        return merged([*parts, *legs(width / 2 - 7, depth / 2 - 7, height - thick, rng)])
    radius = depth / 2
    edge = [(0, 0), (radius - 2, 0), (radius, thick / 2), (radius - 1, thick), (0, thick)]
    top = lathe(edge, [0, 0, height - thick], count=48)
    stretched = top[0] * [rng.uniform(1, 1.7), 1, 1], top[1]
    if rng.random() < 0.5:
        radii = rng.uniform(2.5, 9, 8)
        rise = np.linspace(6, height - thick, 8)
        profile = [(0, 0), (0.6 * radius, 0), (0.6 * radius, 2), *zip(radii, rise, strict=True)]
        return merged([stretched, lathe(profile, [0, 0, 0])])
    return merged([stretched, *legs(0.6 * radius, 0.6 * radius, height - thick, rng)])
