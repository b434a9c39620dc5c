"""PPF-FoldNet: the public network's tensors and numbers, patches in bounded memory, the Chamfer distance."""

import numpy as np
import pytest
import reference_point_features as reference
import torch
from test_point_features import rotation, surface
from torch.nn import functional

from st3d.extractors.ppf_foldnet import network as ppf_foldnet
from st3d.extractors.ppf_foldnet.network import (
    PPFFoldNet,
    chamfer_of_features,
    graph_features,
    layers_of,
    patch_features,
    patch_radius,
)
from st3d.kernels.graph import Graph

NORMALISED = {"weight": 1, "bias": 1, "running_mean": 1, "running_var": 1, "num_batches_tracked": 0}
FOLDING = [(514, 256), (256, 128), (128, 64), (64, 32), (32, 4)]


def official_shapes():
    """Names and dimensions in the public checkpoint (github.com/XuyangBai/PPF-FoldNet, models/model_conv1d.py)."""
    shapes = {}
    for number, (inputs, outputs) in enumerate([(4, 64), (64, 128), (128, 256)], start=1):
        shapes[f"encoder.conv{number}.weight"] = (outputs, inputs, 1)
        shapes[f"encoder.conv{number}.bias"] = (outputs,)
        shapes |= {f"encoder.bn{number}.{name}": (outputs,) * rank for name, rank in NORMALISED.items()}
    shapes |= {"encoder.fc1.weight": (1024, 704), "encoder.fc1.bias": (1024,)}
    shapes |= {"encoder.fc2.weight": (512, 1024), "encoder.fc2.bias": (512,)}
    for mlp, extra in (("mlp1", 0), ("mlp2", 2)):
        for number, (inputs, outputs) in enumerate(FOLDING):
            shapes[f"decoder.{mlp}.{2 * number}.weight"] = (outputs, inputs + (extra if number == 0 else 0), 1)
            shapes[f"decoder.{mlp}.{2 * number}.bias"] = (outputs,)
    return shapes


def official_weights(seed=0):
    """A checkpoint as the public code writes it, of random numbers."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in official_shapes().items():
        if name.endswith("tracked"):
            weights[name] = torch.tensor(7)
            continue
        fan = shape[1] if len(shape) > 1 else 4
        weights[name] = torch.randn(shape, generator=generator) * (2 / fan) ** 0.5
        if name.endswith("running_var"):
            weights[name] = weights[name].abs() + 0.5
    return weights


def reference_codewords(weights, features):
    """The public encoder, frozen, written from its description: convolutions, skips, two maxima; float64."""
    w = {name: value.double() for name, value in weights.items()}
    x, skips = features.double().transpose(1, 2), []
    for number in (1, 2, 3):
        layer, norm = f"encoder.conv{number}", f"encoder.bn{number}"
        x = functional.conv1d(x, w[f"{layer}.weight"], w[f"{layer}.bias"])
        x = functional.batch_norm(x, *(w[f"{norm}.{name}"] for name in list(NORMALISED)[2:4]))
        x = functional.relu(x * w[f"{norm}.weight"][:, None] + w[f"{norm}.bias"][:, None])
        skips.append(x)
    skips.append(x.max(dim=2, keepdim=True)[0].expand_as(x))
    x = torch.cat(skips, dim=1).transpose(1, 2)
    for layer in ("encoder.fc1", "encoder.fc2"):
        x = functional.relu(functional.linear(x, w[f"{layer}.weight"], w[f"{layer}.bias"]))
    return x.max(dim=1)[0]


def reference_reconstruction(weights, codewords, m):
    """The public decoder: the codeword beside each point of a grid, folded twice; float64."""
    w = {name: value.double() for name, value in weights.items()}
    side = round(m**0.5)
    grid = torch.tensor([[x, y] for x in np.linspace(0, 1, side) for y in np.linspace(0, 1, side)]).T
    grid = grid.expand(len(codewords), 2, m)
    for mlp in ("decoder.mlp1", "decoder.mlp2"):
        grid = torch.cat([codewords.double()[:, :, None].expand(-1, -1, m), grid], dim=1)
        for number in range(5):
            grid = functional.conv1d(grid, w[f"{mlp}.{2 * number}.weight"], w[f"{mlp}.{2 * number}.bias"])
            grid = functional.relu(grid) if number < 4 else grid
    return grid.transpose(1, 2)


def network(neighbourhood=16, descriptors=10, seed=0):
    made = PPFFoldNet(neighbourhood, descriptors)
    made.load_state_dict(layers_of(official_weights(seed)))
    return made.eval()


@pytest.fixture
def graph(rng):
    cloud, near = surface(rng, 200)
    return Graph(torch.from_numpy(cloud), torch.from_numpy(near))


def test_the_networks_tensors_have_the_public_names_and_dimensions():
    expected = {name: tuple(value.shape) for name, value in layers_of(official_weights()).items()}
    assert {name: tuple(value.shape) for name, value in PPFFoldNet(1024, 1000).state_dict().items()} == expected
    assert all(len(shape) < 3 for shape in expected.values()) and len(expected) == len(official_shapes()) == 45


def test_codewords_and_reconstructed_features_are_those_of_the_public_network():
    features = torch.rand(5, 16, 4)
    made, weights = network(), official_weights()
    with torch.no_grad():
        codewords = made.encoder(features)
        reconstructed = made(features)
    expected = reference_codewords(weights, features)
    assert codewords.shape == (5, PPFFoldNet.width) and (expected > 0).any(dim=0).sum() > 100
    assert torch.allclose(codewords.double(), expected, rtol=1e-4, atol=1e-4)
    folded = reference_reconstruction(weights, expected, 16)
    assert reconstructed.shape == (5, 16, 4) and torch.allclose(reconstructed.double(), folded, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("m", "side"), [(1024, 32), (64, 8), (60, 8), (2, 2)])
def test_as_many_points_are_folded_as_a_neighbourhood_has(m, side):
    made = PPFFoldNet(m, 1)
    assert made.decoder.grid.shape == (m, 2) and len(set(map(tuple, made.decoder.grid.tolist()))) == m
    assert made.decoder.grid[:, 1].unique().numel() == side
    assert made.eval()(torch.rand(3, m, 4)).shape == (3, m, 4)


def test_a_point_is_described_by_the_codeword_of_its_neighbourhood(graph):
    at = np.array([17, 3, 199])
    made = network()
    descriptors = made.extract(graph, at)
    features = patch_features(graph.points.numpy(), graph.neighbours.numpy(), at, 16)
    assert features.shape == (3, 16, 4)
    assert torch.allclose(descriptors.double(), reference_codewords(official_weights(), features), rtol=1e-4, atol=1e-4)
    assert not descriptors.requires_grad and torch.equal(descriptors, made.extract(graph, torch.from_numpy(at)))
    assert torch.equal(descriptors, made.train().extract(graph, at))  # frozen whatever was called before


def test_few_patches_pass_at_once_and_do_not_change_each_other(graph, monkeypatch):
    made, at = network(), np.arange(50)
    whole = made.extract(graph, at)
    sizes = []
    made.encoder.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    monkeypatch.setattr(ppf_foldnet, "ROWS", 5 * 16)
    assert torch.allclose(made.extract(graph, at), whole, rtol=1e-5, atol=1e-5)
    assert sizes == [5] * 10
    monkeypatch.setattr(ppf_foldnet, "ROWS", 1)  # fewer than a patch has
    assert torch.allclose(made.extract(graph, at[:3]), whole[:3], rtol=1e-5, atol=1e-5)


def test_descriptors_do_not_change_when_the_cloud_is_rotated(graph):
    made, at = network(), np.arange(0, 200, 5)
    first, second = made.extract(graph, at), made.extract(graph.rotated(rotation(2)), at)
    assert float((first - second).abs().max()) < 1e-3 * float(first.abs().max())
    assert float(first.std(dim=0).max()) > 0.1  # and they tell points apart


def test_features_are_angles_of_pi_and_distances_of_the_patch_radius(graph):
    at = np.array([0, 100])
    raw = graph_features(graph, at, 32)
    assert raw.dtype == torch.float32 and (raw >= 0).all() and (raw[..., :3] <= 1).all()
    points = graph.points.numpy().astype(np.float64)
    distance = np.stack([reference.nearest(points, index, 32) for index in at]) / patch_radius(32, 8)
    assert np.allclose(np.sort(raw[..., 3].numpy(), axis=1), distance, atol=1e-5)


def test_the_patch_radius_is_that_of_points_spread_evenly_over_a_plane():
    side = np.arange(-40, 41.0)
    distance = np.sort(np.hypot(*np.meshgrid(side, side)).ravel())
    unit = distance[1:33].mean()
    assert distance[1000] / unit == pytest.approx(patch_radius(1000, 32), rel=0.05)


@pytest.mark.parametrize(("m", "q", "name"), [(1, 10, "neighbourhood of 2"), (16, 0, "descriptors of 1")])
def test_a_network_for_nothing_is_refused(m, q, name):
    with pytest.raises(ValueError, match=f"^ppf_foldnet: expected {name} or more, found {min(m, q)}$"):
        PPFFoldNet(m, q)


def test_the_chamfer_distance_is_that_of_the_reference_implementation(rng):
    first, second = rng.random((5, 7, 4)), rng.random((5, 9, 4))
    expected = [reference.chamfer(a, b) for a, b in zip(first, second, strict=True)]
    tensors = torch.from_numpy(first), torch.from_numpy(second)
    assert chamfer_of_features(*tensors).numpy() == pytest.approx(expected)
    assert chamfer_of_features(tensors[1], tensors[0]).numpy() == pytest.approx(expected)


def test_the_chamfer_distances_gradient_is_that_of_small_steps():
    first = torch.rand(2, 5, 4, dtype=torch.float64, requires_grad=True)
    second = torch.rand(2, 6, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda sets: chamfer_of_features(sets, second), first, eps=1e-7, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_descriptors_on_a_gpu_are_those_on_the_cpu(graph):
    made, at = network(), np.arange(200)
    expected = made.extract(graph, at)
    moved = Graph(graph.points.cuda(), graph.neighbours.cuda())
    found = [made.cuda().extract(moved, at) for _ in range(2)]
    assert found[0].is_cuda and torch.equal(*found)
    assert torch.allclose(found[0].cpu(), expected, rtol=1e-4, atol=1e-4)
