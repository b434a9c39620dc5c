"""Shape-Guided's patches, its training queries and its network."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from st3d.memory_banks.patches import cut, normalised, queries
from st3d.memory_banks.sdf_network import NormedLinear, ShapeExpert, pull_loss, pulled, read_official


@pytest.fixture
def points(rng):
    return rng.random((700, 3)).astype(np.float32)


def test_a_patch_is_the_points_nearest_to_its_centre_and_every_point_is_in_overlap_of_them(points):
    patches = cut(points, 50, 10, seed=3)
    assert patches.shape == (140, 50)
    for rows in patches:
        distance = np.linalg.norm(points.astype(float) - points[rows[0]], axis=1)
        assert set(rows) == set(np.argsort(distance)[:50])
    assert len(set(patches[:, 0])) == 140
    assert len(np.unique(patches)) > 690
    assert np.array_equal(cut(points, 50, 10, seed=3), patches)
    assert not np.array_equal(cut(points, 50, 10, seed=4), patches)


@pytest.mark.parametrize("n", [1, 2, 49, 50])
def test_a_scan_of_few_points_has_patches_of_them_all(points, n):
    patches = cut(points[:n], 50, 1, seed=0)
    assert len(patches) == 1 and sorted(patches[0]) == list(range(n))
    assert np.isfinite(normalised(points[:n][patches])).all()


def test_a_normalised_patch_is_the_same_anywhere_and_at_any_scale_but_not_rotated(points):
    patches = points[cut(points, 50, 5, seed=0)].astype(np.float64)
    found = normalised(patches)
    assert np.allclose(np.ptp(found, axis=1).max(axis=1), 1) and np.abs(found.mean(axis=1)).max() < 1e-6
    assert np.allclose(normalised(3e-3 * patches + [1, -2, 0.5]), found, atol=1e-6)
    assert not np.allclose(
        normalised(patches @ Rotation.from_euler("x", 30, degrees=True).as_matrix()), found, atol=0.1
    )


def seeds(p, draw):
    return np.stack([np.full(p, 7), np.arange(p), np.full(p, draw)], axis=1)


def test_a_target_is_the_patchs_point_nearest_to_its_query(points):
    patches = normalised(points[cut(points, 50, 5, seed=0)])
    found = queries(torch.from_numpy(patches), 5, 20, seeds(len(patches), 3))
    for patch, place, target in zip(patches, found.place.numpy(), found.target.numpy(), strict=True):
        assert np.array_equal(patch[cKDTree(patch).query(place)[1]], target)
    again = queries(torch.from_numpy(patches[4:6]), 5, 20, seeds(len(patches), 3)[4:6])
    assert torch.allclose(again.place, found.place[4:6])


def test_thirteen_of_twenty_sets_lie_half_as_far_from_their_points(rng):
    patches = rng.random((40, 100, 3)).astype(np.float32)
    spread = np.stack([cKDTree(each).query(each, 6)[0][:, 5] for each in patches])  # to the fifth other
    for draw in range(20):
        place = queries(torch.from_numpy(patches), 5, 20, seeds(40, draw)).place.numpy()
        variance = np.square((place - patches) / spread[..., None]).mean()
        assert variance == pytest.approx(0.25 if draw < 13 else 1, rel=0.06)


def test_the_networks_have_the_papers_parameters_and_read_its_checkpoint(tmp_path):
    torch.manual_seed(0)
    expert = ShapeExpert()
    counts = [sum(each.numel() for each in part.parameters()) for part in (expert.encoder, expert.NIF)]
    assert counts == [734_848, 2_435_585]
    theirs = {name: each[..., None] if "conv" in name and each.ndim == 2 else each
              for name, each in expert.state_dict().items()}  # fmt: skip
    torch.save({"sdf_model": theirs, "epoch": 601}, tmp_path / "ckpt.pth")
    found = read_official(tmp_path / "ckpt.pth")
    assert all(torch.equal(each, expert.state_dict()[name]) for name, each in found.items())
    torch.save({"sdf_model": {"encoder.conv1.weight": torch.zeros(2)}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="other.pth: expected NIF.fc1.bias of shape .512,., found none"):
        read_official(tmp_path / "other.pth")
    torch.save({"model": 1}, tmp_path / "none.pth")
    with pytest.raises(ValueError, match="none.pth: expected a checkpoint of Shape-Guided's authors with sdf_model"):
        read_official(tmp_path / "none.pth")


def plain_distances(expert, features, places):
    """The decoder as the paper draws it: both inputs joined, torch's own weight normalisation."""
    state = expert.NIF.state_dict()

    def dense(name, rows):
        weight = state[f"{name}.weight"] if f"{name}.weight" in state else torch._weight_norm(
            state[f"{name}.weight_v"], state[f"{name}.weight_g"], 0)  # fmt: skip
        return rows @ weight.T + state[f"{name}.bias"]

    feature = dense("fc1", features).relu()[:, None].expand(-1, places.shape[1], -1)
    rows = dense("fc3", torch.cat([dense("fc2", places).relu(), feature], dim=2)).relu()
    for index in range(7):
        rows = dense(f"fc4{index}", rows).relu()
    return dense("fc5", rows)[..., 0]


def test_a_feature_is_that_of_the_set_of_points_and_distances_are_those_of_the_plain_decoder(rng):
    torch.manual_seed(0)
    expert = ShapeExpert().eval()
    patches = torch.from_numpy(rng.random((20, 30, 3)).astype(np.float32) - 0.5)
    features = expert.encoded(patches)
    assert features.shape == (20, 128) and features.min() >= 0
    assert torch.allclose(expert.encoded(patches.flip(1)), features, atol=1e-6)
    found = expert.distances(features, patches)
    assert torch.allclose(found, plain_distances(expert, features, patches), rtol=1e-4, atol=1e-4)


def sphere(features, places):
    """The true field of a sphere of radius features[:, 0]."""
    return torch.linalg.vector_norm(places, dim=2) - features[:, :1]


def test_in_the_true_field_of_a_sphere_a_pulled_place_lies_on_it(rng):
    radius = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    places = torch.from_numpy(rng.standard_normal((2, 50, 3)))
    moved = pulled(sphere, radius, places, training=False)
    assert torch.allclose(torch.linalg.vector_norm(moved, dim=2), radius.expand(-1, 50), atol=1e-9)
    assert torch.allclose(torch.cross(moved, places, dim=2), torch.zeros(2, 50, 3, dtype=torch.float64), atol=1e-9)
    on_it = radius[:, :, None] * places / torch.linalg.vector_norm(places, dim=2, keepdim=True)
    assert pull_loss(sphere, radius, places, on_it, training=False) < 1e-9


def test_a_field_that_is_too_steep_moves_places_too_far_for_its_slope_is_not_divided_out(rng):
    places = torch.from_numpy(rng.standard_normal((1, 20, 3)))
    moved = pulled(lambda _, at: 3 * (at[..., 2] - 0.5), torch.zeros(1, 1), places, training=False)
    assert torch.allclose(moved[..., 2] - 0.5, -2 * (places[..., 2] - 0.5), atol=1e-9)


def test_the_losss_gradient_is_right_through_the_weight_normalisation_and_the_inner_gradient(rng):
    torch.manual_seed(1)
    layer = NormedLinear(3, 16).double()
    last = torch.nn.Linear(16, 1).double()
    places = torch.from_numpy(rng.standard_normal((1, 5, 3)))
    targets = torch.from_numpy(rng.standard_normal((1, 5, 3)))
    given = [layer.weight_v, layer.weight_g, layer.bias, last.weight]

    def loss(weight_v, weight_g, bias, weight):
        def decoder(_, at):
            named = {"weight_v": weight_v, "weight_g": weight_g, "bias": bias}
            hidden = torch.func.functional_call(layer, named, (at,))
            # a smooth rectifier: no kink that a difference could step over
            return (torch.nn.functional.softplus(hidden) @ weight.T)[..., 0]

        return pull_loss(decoder, torch.zeros(1, 1), places, targets, training=True)

    assert torch.autograd.gradcheck(loss, given)
