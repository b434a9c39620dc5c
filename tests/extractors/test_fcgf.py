"""FCGF: the authors' architecture and names, its descriptors, and the weights that it takes."""

import numpy as np
import pytest
import torch
from reference_sparse import coarser, convolved, spread

from st3d.evaluation.peak_memory import PeakMemory
from st3d.extractors.fcgf.network import FCGF, official_weights
from st3d.kernels.sparse import positions, voxelise
from st3d.training.device import set_threads

# ResUNetBN2C of chrischoy/FCGF at 32 numbers and a first kernel of 7, as its model/resunet.py defines it
CONVOLUTIONS = {
    "conv1": (343, 1, 32),
    "conv2": (27, 32, 64),
    "conv3": (27, 64, 128),
    "conv4": (27, 128, 256),
    "conv4_tr": (27, 256, 128),
    "conv3_tr": (27, 128 + 128, 64),
    "conv2_tr": (27, 64 + 64, 64),
    "conv1_tr": (32 + 64, 64),
    "final": (64, 32),
}
BLOCKS = {"block1": 32, "block2": 64, "block3": 128, "block4": 256, "block4_tr": 128, "block3_tr": 64, "block2_tr": 64}


def official_shapes():
    """Names and shapes of the authors' state_dict."""
    norms = {block.replace("block", "norm"): channels for block, channels in BLOCKS.items()}
    shapes = {f"{name}.kernel": shape for name, shape in CONVOLUTIONS.items()} | {"final.bias": (1, 32)}
    for block, channels in BLOCKS.items():
        for number in (1, 2):
            shapes[f"{block}.conv{number}.kernel"] = (27, channels, channels)
            norms[f"{block}.norm{number}"] = channels
    for norm, channels in norms.items():
        shapes |= {f"{norm}.bn.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{norm}.bn.num_batches_tracked"] = ()
    return shapes


@pytest.fixture(autouse=True)
def deterministic():
    set_threads(1)


@pytest.fixture(scope="module")
def network():
    """Random weights, and running statistics as after some training."""
    torch.manual_seed(0)
    network = FCGF(0.25)
    rng = np.random.default_rng(0)
    for name, value in network.state_dict().items():
        if "bn" in name and "num" not in name:
            value.copy_(torch.from_numpy(rng.uniform(0.5, 1.5, value.shape)))
    return network.requires_grad_(False).eval()


def cloud(rng, count=300):
    points = rng.uniform(-2, 2, (count, 2))
    return torch.from_numpy(np.column_stack([points, np.sin(points[:, 0])]).astype(np.float32))


def test_names_and_shapes_are_the_authors(network):
    found = {name: tuple(value.shape) for name, value in FCGF(1.0, 32, 7).state_dict().items()}
    assert found == official_shapes()


def written_out(network, voxels):
    """The authors' forward pass by reference convolutions, in float64."""
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    grid = {1: voxels}
    for stride in (2, 4, 8):
        grid[stride] = coarser(voxels, stride)

    def norm(x, name):
        mean, var, weight, bias = (state[f"{name}.bn.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
        return (x - mean) / np.sqrt(var + 1e-5) * weight + bias

    def block(x, name, stride):
        kernels = state[f"{name}.conv1.kernel"], state[f"{name}.conv2.kernel"]
        y = np.maximum(norm(convolved(x, kernels[0], grid[stride], grid[stride], 3, stride), f"{name}.norm1"), 0)
        return np.maximum(x + norm(convolved(y, kernels[1], grid[stride], grid[stride], 3, stride), f"{name}.norm2"), 0)

    x, skipped = np.ones((len(voxels), 1)), {}
    for level, stride in ((1, 1), (2, 2), (3, 4), (4, 8)):
        source, kernel = (1, 5) if level == 1 else (stride // 2, 3)
        x = convolved(x, state[f"conv{level}.kernel"], grid[source], grid[stride], kernel, source)
        x = skipped[level] = block(norm(x, f"norm{level}"), f"block{level}", stride)
    for level, stride in ((4, 4), (3, 2), (2, 1)):
        x = spread(x, state[f"conv{level}_tr.kernel"], grid[2 * stride], grid[stride], 3, stride)
        x = block(norm(x, f"norm{level}_tr"), f"block{level}_tr", stride)
        x = np.concatenate([x, skipped[level - 1]], axis=1)
    x = np.maximum(x @ state["conv1_tr.kernel"], 0) @ state["final.kernel"] + state["final.bias"]
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_descriptors_are_those_of_the_authors_forward_pass_written_out(network, rng):
    keys, _ = voxelise(cloud(rng, 60), network.voxel)
    expected = written_out(network, [tuple(voxel) for voxel in positions(keys).tolist()])
    assert np.abs(network.extract(keys).numpy() - expected).max() < 1e-4


def test_each_point_gets_its_voxels_descriptor_of_length_1(network, rng):
    points = cloud(rng)
    found = network(points)
    assert found.shape == (300, 32)
    assert torch.allclose(found.norm(dim=1), torch.ones(300), atol=1e-5)
    keys, place = voxelise(points, network.voxel)
    assert len(keys) < 300 and torch.equal(found, network.extract(keys)[place])


def test_descriptors_do_not_depend_on_the_order_of_points(network, rng):
    points = cloud(rng)
    order = torch.from_numpy(rng.permutation(300))
    assert torch.equal(network(points[order]), network(points)[order])


@pytest.mark.parametrize("voxels", [(1, 0, 0), (0, -3, 0), (5, 8, -13)])
def test_translation_by_whole_voxels_changes_no_bit(network, rng, voxels):
    # coordinates in 256ths: the translated ones are exact in float32
    points = (cloud(rng) * 256).round() / 256
    assert torch.equal(network(points + torch.tensor(voxels) * network.voxel), network(points))


def test_a_far_part_of_the_cloud_changes_nothing(network, rng):
    """Descriptors are local: the receptive field ends."""
    points = cloud(rng)
    far = torch.tensor([[400.0, 400, 400], [400.3, 400, 400]])
    assert torch.allclose(network(torch.cat([points, far]))[:300], network(points), atol=1e-6)


def test_descriptors_are_not_alike_everywhere(network, rng):
    assert (network(cloud(rng)).std(dim=0) > 1e-3).sum() > 8


def test_many_points_in_voxels_of_their_own_take_little_memory():
    torch.manual_seed(0)
    network = FCGF(1.0).requires_grad_(False).eval()
    side = torch.arange(20.0)
    points = torch.cartesian_prod(side, side, side) + 0.5  # 8,000 voxels, all neighbours there
    memory = PeakMemory(torch.device("cpu"))
    assert network(points).isfinite().all()
    assert memory.grown_gb() < 0.5  # an eighth of the 64,000 points that 4 GB must do for


def test_a_lone_point_is_described(network):
    assert network(torch.zeros(1, 3)).isfinite().all()


@pytest.mark.parametrize("spelling", [lambda s: s, lambda s: {k: _older(k, v) for k, v in s.items()}])
def test_official_weights_load_by_name_in_both_spellings(network, spelling):
    dimensions, weights = official_weights(spelling(network.state_dict()))
    assert dimensions == {"width": 32, "conv1_kernel": 5}
    other = FCGF(network.voxel, **dimensions)
    other.load_state_dict(weights)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in other.state_dict().items())


def _older(name, value):
    if name in ("final.kernel", "conv1_tr.kernel"):
        return value[None]
    return value[0] if name == "final.bias" else value


def test_width_and_first_kernel_follow_the_weights():
    dimensions, _ = official_weights(FCGF(1.0, width=16, conv1_kernel=7).state_dict())
    assert dimensions == {"width": 16, "conv1_kernel": 7}


def test_weights_of_another_architecture_are_refused_by_tensor(network):
    state = network.state_dict()
    wrong = {
        "conv1.kernel": (state | {"conv1.kernel": torch.zeros(64, 1, 32)}, "expected conv1.kernel of an odd"),
        "final.kernel": ({"encoder.weight": torch.zeros(3, 3)}, "expected final.kernel, the kernel of an FCGF network"),
        "block2": (state | {"block2.conv1.kernel": torch.zeros(27, 64, 32)}, r"expected block2.conv1.kernel of shape"),
        "extra": (state | {"block5.conv1.kernel": torch.zeros(2)}, r"block5.conv1.kernel of shape none, found \(2,\)"),
        "missing": ({k: v for k, v in state.items() if k != "norm3_tr.bn.bias"}, r"norm3_tr.bn.bias .*found none"),
    }
    for content, message in wrong.values():
        with pytest.raises(ValueError, match=message) as caught:
            official_weights(content)
        assert "\n" not in str(caught.value)


def test_a_network_that_does_not_normalise_gives_what_is_normalised_elsewhere(network, rng):
    other = FCGF(network.voxel, normalised=False).eval().requires_grad_(False)
    other.load_state_dict(network.state_dict())
    points = cloud(rng)
    raw = other(points)
    assert not torch.allclose(raw.norm(dim=1), torch.ones(300), atol=1e-2)
    assert torch.allclose(raw / raw.norm(dim=1, keepdim=True), network(points), atol=1e-6)


def test_a_real_scan_is_described(network, shared_data):
    from st3d.formats.scans import read_scan

    path = next((shared_data / "mvtec_3d_ad_sample/cable_gland/train/good/xyz").glob("*.tiff"))
    points = read_scan(path).reshape(-1, 3)
    points = torch.from_numpy(points[(points != 0).any(axis=1)][::20].copy())
    other = FCGF(0.0035).eval().requires_grad_(False)
    found = other(points)
    assert found.shape == (len(points), 32) and found.isfinite().all()
