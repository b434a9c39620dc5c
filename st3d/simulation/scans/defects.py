"""Defects: each takes an anomaly-free body and gives one that differs around a site, in shape or in colour.

Each function of the type `Defect` takes the body, the site, a random generator, `size` and `inside`, the albedo (3,) in
[0, 1] of the object's inside where the defect exposes it; it returns the changed body and leaves the given one as it
is. Lengths in metres; `size` scales a defect to its object (1 suits an object photographed on 150 mm x 150 mm).
Measures in docstrings are those of size 1. Letters: v vertices.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from st3d.simulation.scans.shapes_manufactured import FINGER_COUNT, FINGERS, THREAD
from st3d.simulation.scans.shapes_natural import MM
from st3d.simulation.surfaces import Body, Noise, joined, normals, pebble, refined, thread


@dataclass(frozen=True)
class Site:
    """Where a defect goes.

    Attributes
    ----------
    centre
        (3,) float64, position of a vertex in the body's frame, metres.
    normal
        (3,) float64, unit normal there, outwards.
    region
        The vertex's region.
    """

    centre: np.ndarray
    normal: np.ndarray
    region: int


@dataclass(frozen=True)
class Chart:
    """A body around a site in flat coordinates.

    Attributes
    ----------
    body
        Refined around the site.
    flat
        (v, 2) float64, coordinates across the site's normal, metres.
    height
        (v,) float64, along the site's normal, metres.
    near
        (v,) bool, vertices that count: within the radius, on the site's side of the object.
    """

    body: Body
    flat: np.ndarray
    height: np.ndarray
    near: np.ndarray

    @classmethod
    def around(cls, body: Body, site: Site, radius: float, edge: float, angle: float) -> "Chart":
        """The chart of a body around a site.

        Parameters
        ----------
        body, site
            The body, and the place on it.
        radius
            Distance from the site up to which vertices count, metres.
        edge
            Longest side of a triangle wanted there, to which the body is refined, metres.
        angle
            Rotation of the flat axes about the normal, radians.

        Returns
        -------
        Chart
        """
        body = refined(body, site.centre, 1.4 * radius, edge)
        helper = np.eye(3)[np.argmin(np.abs(site.normal))]
        first = np.cross(site.normal, helper)
        first /= np.linalg.norm(first)
        second = np.cross(site.normal, first)
        cosine, sine = np.cos(angle), np.sin(angle)
        axes = np.stack([cosine * first + sine * second, cosine * second - sine * first])
        away = body.vertices - site.centre
        facing = normals(body.vertices, body.triangles) @ site.normal > 0.1  # not the object's far side
        near = facing & (np.linalg.norm(away, axis=1) < radius)
        return cls(body, away @ axes.T, away @ site.normal, near)

    def sunk(self, depth: np.ndarray, normal: np.ndarray, inside: np.ndarray, stain: np.ndarray) -> Body:
        """The body with vertices pushed in and coloured; those that are not `near` stay as they are.

        Parameters
        ----------
        depth
            (v,) float, how far, metres.
        normal
            (3,) float, unit vector against which they are pushed.
        inside
            (3,) float in [0, 1], albedo to mix in.
        stain
            (v,) float, its weight, clipped to [0, 1].

        Returns
        -------
        Body of the same triangles
        """
        fraction = np.where(self.near, np.clip(stain, 0, 1), 0.0)[:, None]
        return replace(
            self.body,
            vertices=self.body.vertices - np.where(self.near, depth, 0.0)[:, None] * normal,
            colour=self.body.colour * (1 - fraction) + fraction * inside,
        )


def _distance(points: np.ndarray, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance (v,) of flat points to a polyline (p, 2), and where along it (v,), 0 to 1."""
    best, position = np.full(len(points), np.inf), np.zeros(len(points))
    for index, (start, end) in enumerate(itertools.pairwise(path)):
        along = end - start
        fraction = np.clip((points - start) @ along / max(along @ along, 1e-18), 0, 1)
        off = np.linalg.norm(points - start - fraction[:, None] * along, axis=1)
        position = np.where(off < best, (index + fraction) / (len(path) - 1), position)
        best = np.minimum(best, off)
    return best, position


def _groove(body: Body, site: Site, rng: np.random.Generator, path: np.ndarray, width: float, depth: float,
            inside: np.ndarray, steepness: float) -> Body:  # fmt: skip
    """A furrow along `path` (p, 2) on the surface around `site`."""
    reach = float(np.abs(path).max()) + 3 * width
    chart = Chart.around(body, site, reach, 0.35 * width, rng.uniform(0, 2 * np.pi))
    off, position = _distance(chart.flat, path)
    narrow = width / 2 * np.sqrt(np.clip(4 * position * (1 - position), 0.05, 1))  # it tapers to its ends
    inward = np.clip((1 - off / narrow) * steepness, 0, 1)
    fade = np.clip((reach - np.linalg.norm(chart.flat, axis=1)) / width, 0, 1)
    return chart.sunk(depth * inward * fade, site.normal, inside, 0.9 * np.clip(2 * inward, 0, 1) * fade)


def crack(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """A winding furrow, 14 to 24 mm long, 1 to 1.8 mm wide and 2 to 4 mm deep."""
    length, width = rng.uniform(14, 24) * MM * size, rng.uniform(1.0, 1.8) * MM * size
    nodes = max(6, int(length / (1.5 * MM)))
    heading = np.cumsum(rng.normal(0, 0.45, nodes))
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) * length / nodes
    return _groove(body, site, rng, path - path.mean(axis=0), width, rng.uniform(2.0, 4.0) * MM, 0.45 * inside, 1.6)


def cut(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """A straight furrow, 9 to 18 mm long and 2.5 to 5 mm deep, or a slice removed, 1 to 1.8 mm thick."""
    if rng.random() < 0.6:
        length, width = rng.uniform(9, 18) * MM * size, rng.uniform(1.2, 2.2) * MM * size
        path = np.linspace([-length / 2, 0], [length / 2, rng.normal(0, 0.05) * length], 8)
        return _groove(body, site, rng, path, width, rng.uniform(2.5, 5.0) * MM * size, inside, 2.5)
    depth, reach = rng.uniform(1.0, 1.8) * MM * size, rng.uniform(5, 8) * MM * size
    chart = Chart.around(body, site, 1.3 * reach, 0.6 * MM, 0.0)
    tilt = rng.normal(0, 0.08, 2)
    above = chart.height + depth + chart.flat @ tilt
    fade = np.clip((reach - np.linalg.norm(chart.flat, axis=1)) / (0.6 * MM), 0, 1)
    return chart.sunk(np.maximum(above, 0) * fade, site.normal, inside, (above > 0) * fade)


def hole(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """A pit with an irregular round outline, 1.5 to 3.2 mm in radius and 2.5 to 5.5 mm deep."""
    radius, depth = rng.uniform(1.5, 3.2) * MM * size, rng.uniform(2.5, 5.5) * MM * size
    chart = Chart.around(body, site, 2.5 * radius, 0.25 * radius, 0.0)
    around = np.arctan2(chart.flat[:, 1], chart.flat[:, 0])
    ragged = radius * (1 + sum(rng.normal(0, 0.06) * np.cos(k * around + rng.uniform(0, 6)) for k in (1, 2, 3)))
    inward = np.clip((ragged - np.linalg.norm(chart.flat, axis=1)) / (0.22 * radius), 0, 1)
    return chart.sunk(depth * inward, site.normal, 0.7 * inside, inward)


_DIRT = np.array([[0.55, 0.56, 0.58], [0.08, 0.10, 0.30], [0.10, 0.32, 0.14], [0.12, 0.09, 0.07], [0.62, 0.12, 0.10]])


def contamination(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """One to three crumbs of other material that stick to the surface, the largest 1.3 to 3.4 mm in radius."""
    colour = _DIRT[rng.integers(len(_DIRT))]
    radii = np.sort(rng.uniform(1.3, 3.4, 3)) * MM * size
    result = joined(body, pebble(rng, site.centre + 0.35 * radii[0] * site.normal, radii, colour, 0.35 * MM))
    for _ in range(rng.integers(0, 3)):
        sideways = np.cross(site.normal, rng.normal(0, 1, 3))
        crumb = rng.uniform(0.4, 0.9, 3) * radii[0]
        centre = site.centre + sideways * 1.2 * radii[2] + 0.2 * crumb[0] * site.normal
        result = joined(result, pebble(rng, centre, crumb, colour, 0.35 * MM))
    return result


def color(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """A stain of ink, 5 to 8 mm in radius; the shape stays as it is."""
    radius = rng.uniform(5, 8) * MM * size
    chart = Chart.around(body, site, 1.6 * radius, 0.8 * MM, rng.uniform(0, 2 * np.pi))
    edge = 1 + 0.25 * Noise(rng)(chart.body.vertices, radius)
    off = np.linalg.norm(chart.flat * np.array([1.0, rng.uniform(1.0, 1.6)]), axis=1)
    ink = np.array([[0.10, 0.20, 0.62], [0.12, 0.50, 0.22], [0.70, 0.14, 0.30]])[rng.integers(3)]
    return chart.sunk(np.zeros(len(off)), site.normal, ink, 0.85 * np.clip((radius * edge - off) / (0.8 * MM), 0, 1))


def _finger(body: Body, site: Site) -> tuple[np.ndarray, np.ndarray]:
    """Which vertices belong to the cable gland's finger at `site` (v,), and the outward direction of all (v, 3)."""
    angle = np.arctan2(-body.vertices[:, 2], body.vertices[:, 1])
    width = 2 * np.pi / FINGER_COUNT
    middle = width * np.round(np.arctan2(-site.centre[2], site.centre[1]) / width)
    # fingers lie about whole multiples of their width; the slots between them stay
    off = (angle - middle + np.pi) % (2 * np.pi) - np.pi
    outward = body.vertices * np.array([0.0, 1.0, 1.0])
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    return (body.region == FINGERS) & (np.abs(off) < 0.52 * width), outward


def bent_finger(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """The cable gland's finger at the site, bent inwards or outwards by 3 to 5.5 mm at its end."""
    chosen, outward = _finger(body, site)
    free = np.clip((11 * MM - body.vertices[:, 0]) / (11 * MM), 0, 1)
    reach = rng.choice([-1, 1]) * rng.uniform(3.0, 5.5) * MM
    move = np.where(chosen, reach * free**1.7, 0.0)[:, None] * outward
    aside = np.cross([1.0, 0, 0], outward) * np.where(chosen, rng.normal(0, 1.2) * MM * free**1.7, 0.0)[:, None]
    return replace(body, vertices=body.vertices + move + aside)


def cut_finger(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """The cable gland's finger at the site, cut off 6 to 10.5 mm from its end: its triangles are removed."""
    chosen, _ = _finger(body, site)
    gone = chosen & (body.vertices[:, 0] < rng.uniform(6.0, 10.5) * MM)
    return replace(body, triangles=body.triangles[~gone[body.triangles].all(axis=1)])


def worn_thread(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """The cable gland's thread flattened and brighter around the site, within 3 to 4.5 mm."""
    radius = rng.uniform(3.0, 4.5) * MM
    chart = Chart.around(body, site, 2 * radius, 0.3 * MM, rng.uniform(0, 2 * np.pi))
    body = chart.body
    off = np.linalg.norm(chart.flat * np.array([1.0, 1.6]), axis=1)
    fraction = np.clip((radius - off) / (0.5 * MM), 0, 1) * (chart.near & (body.region == THREAD))
    outward = body.vertices * np.array([0.0, 1.0, 1.0])
    distance = np.linalg.norm(outward, axis=1)
    worn = 13.55 * MM + 0.22 * MM * Noise(rng)(body.vertices, 1.5 * MM)
    move = (fraction * (worn - distance) / np.maximum(distance, 1e-9))[:, None] * outward
    colour = body.colour * (1 + 0.25 * fraction[:, None])
    return replace(body, vertices=body.vertices + move, colour=colour)


def bent_dowel(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """One end bent to the side by 6 to 13 degrees."""
    end = rng.choice([-1, 1])
    start, soft = rng.uniform(5, 12) * MM, 5 * MM
    beyond = np.maximum(end * body.vertices[:, 0] - start, 0)
    angle = np.radians(rng.uniform(6, 13)) * np.clip(beyond / soft, 0, 1)
    up = body.rest.inv().apply([0.0, 0.0, 1.0])
    side = np.cross(up, [1.0, 0, 0]) * rng.choice([-1, 1])
    lift = rng.uniform(0, np.pi / 3)
    toward = np.cos(lift) * side + np.sin(lift) * up  # never down into the plane
    across = body.vertices @ toward
    x = body.vertices[:, 0] - end * (np.sin(angle) * across + (1 - np.cos(angle)) * beyond)
    shift = (np.cos(angle) - 1) * across + np.sin(angle) * (beyond - soft / 2 * np.clip(beyond / soft, 0, 1))
    vertices = body.vertices + shift[:, None] * toward
    vertices[:, 0] = x
    return replace(body, vertices=vertices)


def _fibres(site: Site, rng: np.random.Generator, count: int, size: float, colour: np.ndarray) -> list[Body]:
    """Loose fibres that start at `site` and curve back towards the rope."""
    result = []
    for _ in range(count):
        path, heading = [site.centre - 0.5 * MM * site.normal], site.normal + rng.normal(0, 0.9, 3)
        for _ in range(14):
            heading = heading + rng.normal(0, 0.22, 3) - 0.10 * site.normal
            heading /= np.linalg.norm(heading)
            path.append(path[-1] + heading * rng.uniform(0.55, 0.8) * MM * size)
        result.append(thread(np.array(path), rng.uniform(0.3, 0.5) * MM, colour))
    return result


def cut_rope(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """A strand cut through, 2.2 to 3.5 mm wide and 3 to 4.5 mm deep; its yarns stand out at the cut."""
    length, width = rng.uniform(8, 11) * MM, rng.uniform(2.2, 3.5) * MM
    path = np.linspace([-length / 2, 0], [length / 2, 0], 8)
    result = _groove(body, site, rng, path, width, rng.uniform(3.0, 4.5) * MM, inside, 2.5)
    for fibre in _fibres(site, rng, int(rng.integers(2, 6)), 0.6 * size, inside):
        result = joined(result, fibre)
    return result


def open_rope(body: Body, site: Site, rng: np.random.Generator, size: float, inside: np.ndarray) -> Body:
    """A strand lifted out of the rope by 2 to 4.5 mm, with loose fibres."""
    away = body.vertices - site.centre
    along = np.exp(-(((away[:, 0]) / (rng.uniform(7, 11) * MM * size)) ** 2))
    along = np.clip((along - 0.05) / 0.95, 0, 1) * (body.region == site.region)
    aside = np.cross(site.normal, [1.0, 0.0, 0.0])
    move = rng.uniform(2.0, 4.5) * MM * size * site.normal + rng.normal(0, 1.5) * MM * aside
    near = np.clip(normals(body.vertices, body.triangles) @ site.normal + 0.3, 0, 1)
    result = replace(body, vertices=body.vertices + (along * near)[:, None] * move)
    top = replace(site, centre=site.centre + move)
    for fibre in _fibres(top, rng, int(rng.integers(1, 5)), size, inside):
        result = joined(result, fibre)
    return result


Defect = Callable[[Body, Site, np.random.Generator, float, np.ndarray], Body]
