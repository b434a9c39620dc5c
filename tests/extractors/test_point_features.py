"""Normals, point pair features and histograms against their reference implementations."""

import subprocess
import sys

import numpy as np
import pytest
import reference_point_features as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.extractors.point_features import fpfh, neighbourhoods, normals, point_pair_features
from st3d.extractors.ppf_foldnet.network import patch_features
from st3d.kernels import native, points

K = 8


def surface(rng, n):
    """Points of a wavy sheet before the camera, in units of the mean neighbour distance, and their neighbours."""
    plane = rng.uniform(-1, 1, (n, 2))
    cloud = np.column_stack([plane, 0.3 * np.sin(4 * plane[:, 0]) * np.cos(3 * plane[:, 1]) + 2])
    near = points.neighbours(cloud, K)
    return cloud / points.neighbour_distance(cloud, near).mean(), near


def rotation(seed):
    """A random rotation: an orthonormal basis, its last axis flipped so that the determinant is 1."""
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    basis[:, 2] *= np.linalg.det(basis)
    return basis


def unequal(rng, looking):
    """Normals no two of which are equal: of a pair with equal ones, rounding decides whose frame Rusu's angles take."""
    looking = looking + rng.normal(scale=0.05, size=looking.shape)
    return looking / np.linalg.norm(looking, axis=1, keepdims=True)


@pytest.fixture
def two_threads():
    native.set_threads(2)
    yield
    native.set_threads(1)


def test_normals_are_those_of_the_reference_implementation(rng):
    cloud, near = surface(rng, 150)
    expected = [reference.normal(cloud, index, near[index]) for index in range(len(cloud))]
    assert np.allclose(normals(cloud, near), expected, rtol=0, atol=1e-9)
    some = np.array([7, 3, 149])
    assert np.array_equal(normals(cloud, near[some], some), normals(cloud, near)[some])


def test_normals_are_unit_vectors_that_look_at_the_origin(rng):
    cloud, near = surface(rng, 500)
    looking = normals(cloud, near)
    assert np.allclose(np.linalg.norm(looking, axis=1), 1)
    assert ((looking * cloud).sum(axis=1) < 0).all()
    assert np.allclose(normals(-cloud, near), -looking)  # seen from the other side they are the opposite


@pytest.mark.parametrize(
    "cloud", [np.ones((20, 3)), np.zeros((20, 3)), np.linspace(1, 2, 20)[:, None] * [1.0, 2.0, 3.0]]
)
def test_neighbourhoods_without_a_surface_have_finite_features(cloud):
    near = points.neighbours(cloud, K)
    looking = normals(cloud, near)
    assert np.allclose(np.linalg.norm(looking, axis=1), 1)
    assert patch_features(cloud, near, np.arange(20), 30).isfinite().all()
    assert np.isfinite(fpfh(cloud, K, looking)).all()


def test_other_shapes_are_refused_in_one_line(rng):
    cloud, near = surface(rng, 20)
    with pytest.raises(ValueError, match=r"^normals: expected points \(n, 3\) and neighbours \(20, k\), found"):
        normals(cloud, near[:19])
    with pytest.raises(ValueError, match=r"^fpfh: expected 1 or more neighbours .* found 0, points"):
        fpfh(cloud, 0, cloud)
    with pytest.raises(ValueError, match=r"^fpfh: expected .* normals \(19, 3\)$"):
        fpfh(cloud, 3, cloud[1:])


def test_neighbourhoods_are_the_nearest_points_and_begin_with_the_point_itself(rng):
    cloud, _ = surface(rng, 80)
    at = np.array([5, 79, 0])
    near = neighbourhoods(cloud, at, 12)
    assert near.shape == (3, 12) and (near[:, 0] == at).all()
    for row, index in zip(near, at, strict=True):
        assert np.allclose(np.linalg.norm(cloud[row] - cloud[index], axis=1), reference.nearest(cloud, index, 12))


def test_a_cloud_smaller_than_a_neighbourhood_is_repeated(rng):
    cloud, _ = surface(rng, 10)
    near = neighbourhoods(cloud, np.arange(10), 25)
    assert near.shape == (10, 25) and np.array_equal(near[:, :10], near[:, 10:20])
    assert np.array_equal(near[:, :5], near[:, 20:]) and (np.sort(near[:, :10]) == np.arange(10)).all()
    assert neighbourhoods(cloud[:1], np.array([0]), 3).tolist() == [[0, 0, 0]]


def test_point_pair_features_are_those_of_the_reference_implementation(rng):
    cloud, near = surface(rng, 120)
    looking = normals(cloud, near)
    at = np.array([3, 110, 50])
    around = neighbourhoods(cloud, at, 40)
    found = point_pair_features(cloud, looking, at, around)
    expected = [
        [reference.point_pair_feature(cloud, looking, index, other) for other in row]
        for index, row in zip(at, around, strict=True)
    ]
    assert found.shape == (3, 40, 4) and found.dtype == np.float32
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert (found[:, 0] == 0).all()  # each with itself


def test_small_and_flat_angles_keep_their_digits():
    cloud = np.array([[0.0, 0, 0], [0, 0, 1]])
    tilt = 1e-6
    directions = np.array([[0, np.sin(tilt), -np.cos(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    (pair,) = point_pair_features(cloud, directions, np.array([0]), np.array([[1]]))[0]
    assert pair[0] == pytest.approx(tilt, rel=1e-6)  # d looks down
    assert np.pi - 2 * tilt == pytest.approx(float(pair[2]), abs=2e-7) and pair[2] <= np.float32(np.pi)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), scan=st.integers(0, 3))
def test_point_pair_features_do_not_change_when_the_scan_is_rotated_about_the_camera(seed, scan):
    rng = np.random.default_rng(scan)
    cloud, near = surface(rng, 300)
    at = rng.choice(300, 40, replace=False)
    rotated = patch_features(cloud @ rotation(seed).T, near, at, 32)
    assert float((rotated - patch_features(cloud, near, at, 32)).abs().max()) < 1e-5


def test_rounding_the_rotated_points_to_float32_changes_features_little(rng):
    cloud, near = surface(rng, 1000)
    at = rng.choice(1000, 100, replace=False)
    first, second = (patch_features(each.astype(np.float32), near, at, 64) for each in (cloud, cloud @ rotation(5).T))
    difference = (first - second).abs().numpy()
    assert np.quantile(difference, 0.99) < 1e-5 and difference.max() < 1e-3


def test_features_have_the_same_bits_for_two_threads(rng, request):
    cloud, near = surface(rng, 9000)
    at = rng.choice(9000, 300, replace=False)
    looking, features = normals(cloud, near), patch_features(cloud, near, at, 1000)
    request.getfixturevalue("two_threads")
    assert np.array_equal(normals(cloud, near), looking)
    assert np.array_equal(patch_features(cloud, near, at, 1000), features)


def test_histograms_are_those_of_the_reference_implementation(rng):
    cloud, near = surface(rng, 120)
    looking = unequal(rng, normals(cloud, near))
    found = fpfh(cloud, 15, looking)
    assert found.shape == (120, 33) and found.dtype == np.float32
    assert np.allclose(found, reference.fpfh(cloud, looking, 15), rtol=1e-4, atol=1e-3)
    assert np.allclose(found.reshape(120, 3, 11).sum(axis=2), 200, atol=1e-3)


def test_histograms_do_not_depend_on_scale_and_rotation(rng):
    cloud, near = surface(rng, 400)
    looking, matrix = unequal(rng, normals(cloud, near)), rotation(3)
    found = fpfh(cloud, 20, looking)
    assert np.allclose(fpfh(cloud * 0.01, 20, looking), found, atol=0.01)
    other = fpfh(cloud @ matrix.T, 20, looking @ matrix.T)
    assert np.allclose(other, found, atol=0.01)


HISTOGRAMS = """
import sys, hashlib
import numpy as np
from st3d.extractors.point_features import fpfh
rng = np.random.default_rng(1)
cloud, looking = rng.normal(size=(2, 3000, 3))
print(hashlib.sha256(fpfh(cloud, 30, looking / np.linalg.norm(looking, axis=1)[:, None]).tobytes()).hexdigest())
"""


def test_histograms_have_the_same_bits_for_any_number_of_threads(monkeypatch):
    outputs = set()
    for count in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        done = subprocess.run([sys.executable, "-c", HISTOGRAMS], capture_output=True, text=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_a_real_fragment_has_normals_and_features(shared_data, rng):
    with (shared_data / "3dmatch/cloud_bin_0.ply").open("rb") as file:
        while file.readline() != b"end_header\n":
            pass
        cloud = np.fromfile(file, np.float32).reshape(-1, 3)[::20]
    near = points.neighbours(cloud, 17)
    cloud = cloud / points.neighbour_distance(cloud, near).mean()
    features = patch_features(cloud, near, rng.choice(len(cloud), 50, replace=False), 1024)
    assert features.isfinite().all() and (features >= 0).all()
    assert features[..., :3].max() <= 1 and 0.5 < float(features[..., 3].median()) < 1
