"""Triangle surfaces: orientation, refinement, noise."""

import numpy as np
import pytest

from st3d.simulation.scans import shapes_manufactured as shapes_made
from st3d.simulation.scans import shapes_natural
from st3d.simulation.surfaces import Body, Noise, normals, pebble, refined, revolved

SHAPES = [
    *(getattr(shapes_natural, name) for name in ("bagel", "carrot", "cookie", "peach", "potato")),
    *(getattr(shapes_made, name) for name in ("cable_gland", "dowel", "foam", "rope", "tire")),
]


def volume(vertices, triangles):
    """Enclosed volume, positive if the triangles face outwards."""
    a, b, c = np.moveaxis(vertices[triangles], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6


def ball(count=40):
    arc = np.linspace(0, np.pi, count)
    vertices, triangles = revolved(-np.cos(arc), np.repeat(np.sin(arc)[:, None], count, axis=1))
    colour = np.zeros((len(vertices), 3))
    return Body(vertices, triangles, colour, np.zeros(len(vertices), int))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_shape_faces_outwards_and_varies_in_volume(shape):
    volumes = []
    for seed in range(2):
        body = shape(np.random.default_rng(seed), 1.5e-3)
        assert np.isfinite(body.vertices).all()
        assert body.triangles.min() >= 0 and body.triangles.max() < len(body.vertices)
        assert body.colour.min() > 0 and body.colour.max() <= 1
        volumes.append(volume(body.vertices, body.triangles))
    assert volumes[0] > 1e-6  # cubic metres: more than a cubic centimetre
    assert volumes[0] != volumes[1]


def test_normals_of_a_ball_point_away_from_its_centre():
    body = ball()
    outward = np.einsum("ij,ij->i", normals(body.vertices, body.triangles), body.vertices)
    assert outward[np.abs(body.vertices[:, 0]) < 0.99].min() > 0.99


def test_refining_keeps_the_surface_and_shortens_sides_near_the_centre():
    body = ball()
    fine = refined(body, np.array([0.0, 1, 0]), 0.3, 0.03)
    assert volume(fine.vertices, fine.triangles) == pytest.approx(volume(body.vertices, body.triangles), rel=1e-12)
    corners = fine.vertices[fine.triangles]
    near = (np.linalg.norm(corners - [0, 1, 0], axis=2) < 0.3).any(axis=1)
    assert np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)[near].max() < 0.03
    assert len(fine.colour) == len(fine.region) == len(fine.vertices)


def test_noise_has_mean_zero_deviation_one_and_the_wanted_width():
    rng = np.random.default_rng(0)
    noise = Noise(rng)
    points = rng.uniform(0, 0.2, (20000, 3))
    values = noise(points, 0.01)
    assert abs(values.mean()) < 0.1
    assert 0.8 < values.std() < 1.1
    assert np.corrcoef(values, values)[0, 1] == pytest.approx(1)
    first, second = noise(points, 0.01), noise(points, 0.01)  # each call is a new field
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.2


def test_a_pebble_is_as_large_as_its_radii():
    body = pebble(np.random.default_rng(0), np.zeros(3), np.array([2e-3, 2e-3, 2e-3]), np.ones(3) * 0.5, 3e-4)
    assert volume(body.vertices, body.triangles) == pytest.approx(4 / 3 * np.pi * 8e-9, rel=0.3)
