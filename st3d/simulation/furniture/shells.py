"""Furniture of curved shells: bathtub, chair, monitor, sofa, toilet.

Each function takes a random generator, which all measures are drawn from, and returns a mesh: vertices (v, 3) float64,
centimetres, and triangles (t, 3) int64. z is up, and fronts look towards -y.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from st3d.simulation.furniture.parts import Mesh, arc, bent_sheet, box, cushion, lathe, legs, merged, moved, pipe, rod


def bathtub(rng: np.random.Generator) -> Mesh:
    """A bathtub with a tap, 140 to 190 cm long (along x), 65 to 90 cm wide, 45 to 65 cm high."""
    length, width, height = rng.uniform(140, 190), rng.uniform(65, 90), rng.uniform(45, 65)
    rim, floor, round_ = rng.uniform(4, 9), rng.uniform(6, 14), rng.uniform(0.35, 1.0)
    quarter = np.linspace(0, np.pi / 2, 12)
    inner = [(np.sin(a) ** 0.6 * (width / 2 - rim), floor + (height - floor) * (1 - np.cos(a))) for a in quarter]
    outside = [(0.0, 0.0), (0.38 * width, 0.0), (0.46 * width, 0.3 * height)]
    outside += [(width / 2, height - 2), (width / 2, height)]
    vertices, triangles = lathe([*outside, *inner[::-1]], [0, 0, 0], count=48)
    angle, radius = np.arctan2(vertices[:, 1], vertices[:, 0]), np.hypot(vertices[:, 0], vertices[:, 1])
    x, y = np.cos(angle), np.sin(angle)  # round becomes oblong with rounded corners
    reach = (np.abs(x) ** (2 / round_) + np.abs(y) ** (2 / round_)) ** (-round_ / 2)
    oblong = np.stack([x * radius * reach * length / width, y * radius * reach, vertices[:, 2]], axis=1)
    parts: list[Mesh] = [(oblong, triangles)]
    if rng.random() < 0.5:
        parts.append(box([-length / 2, -width / 2, 0], [length / 2, width / 2, 0.3 * height]))
    if rng.random() < 0.6:
        corners = [(x, y) for x in (-1, 1) for y in (-1, 1)]
        parts += [cushion([x * 0.36 * length, y * 0.3 * width, -4], [5, 5, 7], 0.9, 10) for x, y in corners]
    bow = arc(0, 160, 12)
    tap = np.stack([0.44 * length - 10 + 9 * np.cos(bow), 0 * bow, height + 5 + 10 * np.sin(bow)], axis=1)
    handle = rod([0.44 * length, -6, height], [0.44 * length, -6, height + 7], [2.5, 1.2])
    return merged([*parts, pipe(tap, 1.6), handle])


def chair(rng: np.random.Generator) -> Mesh:
    """A chair, seat 40 to 52 cm wide and 40 to 48 cm high, back 35 to 58 cm above it; some with arms or on a column."""
    width, depth, seat, back = rng.uniform(40, 52), rng.uniform(38, 50), rng.uniform(40, 48), rng.uniform(35, 58)
    lean, curl = rng.uniform(2, 14), rng.uniform(-4, 5)
    parts: list[Mesh] = []
    style = rng.integers(3)
    if style == 0:  # a shell of bent plywood
        bend = arc(-90, 0, 10)
        path = [(-depth / 2 + s * (depth - 8), seat + 2 * np.sin(3 * s)) for s in np.linspace(0, 1, 10)]
        path += [(depth / 2 - 8 + 8 * np.cos(a), seat + 8 + 8 * np.sin(a)) for a in bend[1:]]
        path += [(depth / 2 + lean * s + curl * s * (1 - s), seat + 8 + back * s) for s in np.linspace(0, 1, 12)[1:]]
        parts.append(bent_sheet(width, np.array(path), rng.uniform(1.5, 3)))
    else:
        round_ = rng.uniform(0.2, 0.9)
        parts.append(cushion([0, 0, seat], [width / 2, depth / 2, rng.uniform(2, 6)], round_))
        rise = np.linspace(0, 1, 12)
        for x in (-0.42, 0.42):
            post = np.stack([0 * rise + x * width, depth / 2 - 3 + lean * rise**1.5, seat + back * rise], axis=1)
            parts.append(pipe(post, rng.uniform(1.2, 2.0)))
        for fraction in np.linspace(0.3, 0.95, rng.integers(2, 5)):
            bow = np.linspace(-1, 1, 12)
            y = depth / 2 - 3 + lean * fraction**1.5 + 4 * (1 - bow**2) * (style - 1)
            slat = np.stack([bow * 0.42 * width, y + 0 * bow, seat + back * fraction + 0 * bow], axis=1)
            parts.append(pipe(slat, rng.uniform(0.9, 2.2)))
    if rng.random() < 0.25:  # an office chair's column and star
        parts.append(rod([0, 0, 8], [0, 0, seat - 2], [3, 3, 2, 2]))
        for angle in np.linspace(0, 2 * np.pi, 5, endpoint=False):
            tip = np.array([30 * np.cos(angle), 30 * np.sin(angle), 6.0])
            parts += [rod([0, 0, 9], tip, [2.5, 1.5]), cushion(tip - [0, 0, 3], [2, 3, 3], 1.0, 8)]
    else:
        parts += legs(width / 2 - 4, depth / 2 - 4, seat, rng)
    if rng.random() < 0.35:
        for x in (-1, 1):
            bow = arc(-90, 90, 14)
            arm = np.stack([0 * bow + x * width / 2, depth / 2 * np.sin(bow), seat + 22 * np.cos(bow) ** 0.5], axis=1)
            parts.append(pipe(arm, 1.7))
    return merged(parts)


def monitor(rng: np.random.Generator) -> Mesh:
    """A monitor on a foot, 38 to 75 cm wide, half to three quarters as high; some with the bulge of a tube."""
    width = rng.uniform(38, 75)
    height, thick, raised = width * rng.uniform(0.5, 0.75), rng.uniform(2, 6), rng.uniform(9, 18)
    bow = np.linspace(-1, 1, 16)
    curve = rng.uniform(0, 0.06) * width
    panel = bent_sheet(height, np.stack([bow * width / 2, -curve * bow**2], axis=1), thick)
    upright = Rotation.from_matrix([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    parts = [moved(panel, [0, 0, raised + height / 2], upright)]
    if rng.random() < 0.4:  # the bulge of a tube
        bulge = [width * 0.36, rng.uniform(12, 24), height * 0.38]
        parts.append(cushion([0, thick + 6, raised + height / 2], bulge, rng.uniform(0.4, 0.9)))
    parts.append(rod([0, thick, 1], [0, thick, raised + height * 0.3], [2.8, 2.2, 2.0]))
    if rng.random() < 0.5:
        profile = [(0, 0), (0.3 * width, 0), (0.3 * width, 1), (4, 2.5), (0, 3)]
        parts.append(lathe(profile, [0, thick, 0], rng.uniform(0.6, 1)))
    else:
        parts.append(cushion([0, thick, 1], [0.26 * width, rng.uniform(8, 14), 1.2], rng.uniform(0.1, 0.6)))
    rim = [(-1, -1, 1, -0.94), (-1, 0.94, 1, 1), (-1, -1, -0.95, 1), (0.95, -1, 1, 1)]
    middle = raised + height / 2
    for left, bottom, right, top in rim if curve < 1 else []:
        a = [left * width / 2, -thick / 2 - 1.2, middle + bottom * height / 2]
        parts.append(box(a, [right * width / 2, -thick / 2, middle + top * height / 2]))
    return merged(parts)


def sofa(rng: np.random.Generator) -> Mesh:
    """A sofa of two or three seats, 140 to 230 cm wide, 75 to 100 cm deep, seats 36 to 46 cm high."""
    width, depth, seat = rng.uniform(140, 230), rng.uniform(75, 100), rng.uniform(36, 46)
    arm, back, soft = rng.uniform(12, 26), rng.uniform(30, 50), rng.uniform(0.2, 0.6)
    feet = rng.uniform(4, 14)
    parts = [box([-width / 2, -depth / 2, feet], [width / 2, depth / 2, seat - 12])]
    count = int(rng.integers(2, 4))
    each = (width - 2 * arm) / count
    tilt = Rotation.from_euler("x", -rng.uniform(5, 18), degrees=True)
    for index in range(count):
        x = -width / 2 + arm + each * (index + 0.5)
        parts.append(cushion([x, -6, seat - 6], [each / 2 - 0.5, depth / 2 - 4, rng.uniform(7, 10)], soft))
        pillow = cushion([0, 0, 0], [each / 2 - 0.5, rng.uniform(7, 11), back / 2], rng.uniform(0.35, 0.8))
        parts.append(moved(pillow, [x, depth / 2 - 20, seat + back / 2], tilt))
    parts.append(cushion([0, depth / 2 - 7, seat], [width / 2, 9, back * 0.8], 0.3))
    round_arm = rng.random() < 0.5
    for side in (-1, 1):
        x = side * (width / 2 - arm / 2)
        parts.append(box([x - arm / 2 + 1, -depth / 2, feet], [x + arm / 2 - 1, depth / 2, seat + 8]))
        if round_arm:
            parts.append(rod([x, -depth / 2 - 2, seat + 10], [x, depth / 2, seat + 10], [arm / 2 + 1, arm / 2 + 1], 24))
        else:
            parts.append(cushion([x, 0, seat + 10], [arm / 2 + 1, depth / 2 + 1, 5], soft))
    return merged([*parts, *legs(width / 2 - 8, depth / 2 - 8, feet, rng, style=1)])


def toilet(rng: np.random.Generator) -> Mesh:
    """A toilet with tank, seat and lid, bowl 34 to 40 cm wide and 36 to 44 cm high."""
    width, height, oval = rng.uniform(34, 40), rng.uniform(36, 44), rng.uniform(1.15, 1.4)
    r = width / 2
    foot, waist = rng.uniform(0.55, 0.75) * r, rng.uniform(0.4, 0.62) * r
    outside = [(0, 0), (foot, 0), (foot, 3), (waist, 0.35 * height), (0.75 * r, 0.65 * height)]
    outside += [(r, height - 4), (r, height)]
    quarter = np.linspace(np.pi / 2, 0, 10)
    bowl = [(0.78 * r * np.sin(a), height - 18 * np.cos(a)) for a in quarter]
    basin = lathe([*outside, *bowl], [0, 0, 0], oval, 36)
    angle = np.linspace(0, 2 * np.pi, 40)
    seat = np.stack([0.88 * r * np.cos(angle), 0.88 * r * oval * np.sin(angle), 0 * angle + height + 1], axis=1)
    deep, tank, soft = rng.uniform(14, 20), rng.uniform(28, 42), rng.uniform(0.1, 0.4)
    y = r * oval + deep / 2 - 3
    parts = [basin, pipe(seat, 2.0), cushion([0, y, height + tank / 2], [width / 2 + 2, deep / 2, tank / 2], soft)]
    parts.append(cushion([0, y, height + tank + 1], [width / 2 + 3, deep / 2 + 1, 2], soft))
    lid = Rotation.from_euler("x", rng.uniform(0, 12) if rng.random() < 0.6 else -82, degrees=True)
    cover = moved(cushion([0, -r * oval, 0], [0.95 * r, r * oval, 1.2], 0.9), [0, r * oval - 2, height + 4], lid)
    x, z = -0.3 * width, height + 0.8 * tank
    parts += [cover, rod([x, y - deep / 2, z], [x, y - deep / 2 - 4, z], [1, 1])]
    if rng.random() < 0.5:
        parts.append(box([-0.3 * width, r * oval * 0.5, 0], [0.3 * width, y + deep / 3, height]))
    return merged(parts)
