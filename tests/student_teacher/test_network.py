import copy
from itertools import pairwise

import numpy as np
import pytest
import reference_network as reference
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from st3d.kernels import native
from st3d.kernels.graph import Graph
from st3d.kernels.points import neighbours, receptive_field
from st3d.student_teacher.network import Decoder, DescriptorNetwork


def cloud(rng, n, k):
    points = rng.normal(size=(n, 3)) * [3, 3, 0.3]
    return torch.from_numpy(points.astype(np.float32)), torch.from_numpy(neighbours(points, k))


def network(width, blocks=2, coordinates="relative", seed=0):
    torch.manual_seed(seed)
    return DescriptorNetwork(width, blocks, coordinates)


@pytest.mark.parametrize("coordinates", ["relative", "absolute"])
def test_descriptors_are_those_of_figure_4(rng, coordinates):
    points, near = cloud(rng, 40, 5)
    ours = network(16, 4, coordinates)
    parameters = {name: value.detach().double().numpy() for name, value in ours.named_parameters()}
    expected = reference.descriptors(
        parameters, points.double().numpy(), near.numpy(), 16, 4, coordinates == "absolute"
    )
    found = ours(points, near).detach().numpy()
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@given(
    st.sampled_from([16, 32, 48, 64, 128]),
    st.integers(1, 20),
    st.sampled_from(["relative", "absolute", "normalised"]),
    st.integers(0, 10**6),
)
@settings(max_examples=25, deadline=None)
def test_descriptors_and_gradients_are_those_of_plain_torch_in_float64(width, k, coordinates, seed):
    rng = np.random.default_rng(seed)
    points, near = cloud(rng, 60, k)
    ours, double = network(width, 2, coordinates, seed), network(width, 2, coordinates, seed).double()
    towards = torch.from_numpy(rng.normal(size=(60, width)))

    given_to_leaky = []
    found, expected = ours(points, near), reference.descriptors_by_torch(double, points.double(), near, given_to_leaky)
    # LeakyReLU has no gradient at 0: where float32's rounding decides on which side an input lies, it decides on the
    # gradient. Inputs that are exactly 0 (of features that begin at 0) are so in both.
    assume(all(each[each != 0].abs().min() > 1e-6 * each.abs().mean() for each in given_to_leaky if each.any()))
    (found * towards.float()).sum().backward()
    (expected * towards).sum().backward()

    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    for (name, ours_p), reference_p in zip(ours.named_parameters(), double.parameters(), strict=True):
        assert (ours_p.grad - reference_p.grad).norm() <= 1e-3 * reference_p.grad.norm() + 1e-6, name


@given(
    st.integers(1, 6),
    st.integers(1, 20),
    st.integers(1, 3),
    st.sampled_from(["relative", "absolute", "normalised"]),
    st.integers(0, 10**6),
)
@settings(max_examples=25, deadline=None)
def test_a_graph_around_some_points_gives_their_descriptors_and_gradients(k, q, blocks, coordinates, seed):
    rng = np.random.default_rng(seed)
    points, near = cloud(rng, 200, k)
    at = rng.choice(200, q, replace=False)
    whole, part = (network(32, blocks, coordinates, seed) for _ in range(2))
    towards = torch.from_numpy(rng.normal(size=(q, 32)).astype(np.float32))

    expected = whole(points, near)[at]
    found = part.extract(Graph(points, near).subgraph(at, part.hops))
    (found * towards).sum().backward()
    (expected * towards).sum().backward()

    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    for (name, ours), double in zip(part.named_parameters(), whole.parameters(), strict=True):
        assert (ours.grad - double.grad).norm() <= 1e-4 * double.grad.norm() + 1e-6, name


def test_a_graph_around_some_points_holds_their_receptive_fields_and_no_more(rng):
    points, near = cloud(rng, 500, 4)
    part = Graph(points, near).subgraph(np.array([3, 77, 250]), 4)
    fields = [receptive_field(near.numpy(), index, 4) for index in (3, 77, 250)]
    found, offsets = part.receptive_fields(3, 4)
    for (start, stop), field in zip(pairwise(offsets), fields, strict=True):
        assert sorted(found[start:stop].tolist()) == sorted(points[field].tolist())
    assert offsets[0] == 0 and offsets[-1] == len(found)
    everything = points[sorted(set(np.concatenate(fields).tolist()))]
    assert len(everything) < 400 and sorted(part.points.tolist()) == sorted(everything.tolist())


def test_a_point_given_twice_is_refused(rng):
    with pytest.raises(ValueError, match="expected distinct points"):
        Graph(*cloud(rng, 20, 3)).subgraph(np.array([4, 4]), 2)


def test_a_rotated_graph_is_that_of_the_rotated_points(rng):
    points, near = cloud(rng, 80, 6)
    rotation = Rotation.random(rng=rng).as_matrix()
    rotated = torch.from_numpy((points.double().numpy() @ rotation.T).astype(np.float32))
    assert torch.equal(network(32).extract(Graph(points, near).rotated(rotation)), network(32)(rotated, near))


def test_results_and_gradients_have_the_same_bits_for_any_number_of_kernel_threads(rng):
    points, near = cloud(rng, 3000, 8)
    bits = []
    for threads in (1, 2, 3):
        native.set_threads(threads)
        ours = network(32)
        out = ours(points, near)
        out.square().sum().backward()
        bits.append([out.detach()] + [p.grad for p in ours.parameters()])
    native.set_threads(1)
    assert all(torch.equal(a, b) for other in bits[1:] for a, b in zip(bits[0], other, strict=True))


def test_descriptors_depend_on_differences_only(rng):
    points, near = cloud(rng, 80, 6)
    shift = torch.tensor([64.0, -32.0, 16.0])  # exact in float32 for the rounded points
    rounded = (points * 1024).round() / 1024
    assert torch.allclose(network(32)(rounded, near), network(32)(rounded + shift, near), atol=1e-5)
    absolute = network(32, coordinates="absolute")  # coordinates from the cloud's centroid
    assert torch.allclose(absolute(rounded, near), absolute(rounded + shift, near), atol=1e-5)
    apart = near % 40 + 40 * (torch.arange(80) >= 40)[:, None]  # no edge between the halves
    spread = torch.cat([rounded[:40], rounded[40:] + shift])  # another place within the cloud
    assert torch.allclose(network(32)(rounded, apart), network(32)(spread, apart), atol=1e-5)
    assert not torch.allclose(absolute(rounded, apart), absolute(spread, apart), atol=1e-2)


def test_normalised_coordinates_are_one_where_the_clouds_points_lie_one_root_mean_square_apart_from_its_centroid(rng):
    points, near = cloud(rng, 80, 6)
    points = points - points.mean(dim=0)
    normalised, absolute = (network(32, coordinates=each) for each in ("normalised", "absolute"))
    normalised.load_state_dict(absolute.state_dict())
    unit = points.square().sum(dim=1).mean().sqrt()
    assert torch.allclose(normalised(points / unit, near), absolute(points / unit, near), atol=1e-5)
    assert not torch.allclose(normalised(points, near), absolute(points, near), atol=1e-2)


def test_descriptors_are_not_invariant_to_rotation(rng):
    points, near = cloud(rng, 80, 6)
    rotated = points @ torch.from_numpy(Rotation.random(rng=rng).as_matrix().astype(np.float32))
    assert not torch.allclose(network(32)(points, near), network(32)(rotated, near), atol=1e-2)


def test_a_descriptor_changes_with_its_receptive_field_and_with_nothing_else(rng):
    points, near = cloud(rng, 600, 4)
    ours = network(16, 2)
    field = receptive_field(near.numpy(), 17, ours.hops)
    outside = np.setdiff1d(np.arange(600), field)
    before = ours(points, near)[17]
    moved = points.clone()
    moved[outside] += 1.0
    assert len(outside) > 100 and torch.equal(ours(moved, near)[17], before)
    moved = points.clone()
    moved[field[field != 17]] += 1.0
    assert not torch.equal(ours(moved, near)[17], before)


def test_blocks_have_their_own_weights():
    first, second = network(16, 2).blocks
    assert not torch.equal(first.expand.weight, second.expand.weight)
    assert first.expand.weight.data_ptr() != second.expand.weight.data_ptr()


def test_the_parameters_are_as_many_as_counted_by_hand():
    # docs/method.md: a block has 1,040 + 80 + 160 + 4,160 + 4,160; four of these and twice 4,160
    assert sum(p.numel() for p in DescriptorNetwork(64).parameters()) == 46_720


def test_inputs_that_do_not_fit_are_refused():
    points, near = torch.zeros(5, 3), torch.zeros(5, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match="multiple of 16, found 20"):
        DescriptorNetwork(20)
    with pytest.raises(ValueError, match="an index outside"):
        network(16)(points, near + 5)
    with pytest.raises(ValueError, match=r"expected neighbours of shape \(5, 1 to 1024\)"):
        network(16)(points, near[:4])
    with pytest.raises(ValueError, match=r"expected points of shape \(n, 3\)"):
        network(16)(points[:, :2], near)


def test_the_decoder_makes_m_points_of_each_descriptor():
    decoder = Decoder(32, points=10)
    features = torch.randn(4, 32)
    layers = copy.deepcopy(decoder.layers).double()
    expected = features.double()
    for index in (0, 2):
        expected = layers[index](expected)
        expected = torch.where(expected > 0, expected, 0.05 * expected)
    expected = layers[4](expected).view(4, 10, 3)
    assert decoder(features).shape == (4, 10, 3)
    assert torch.allclose(decoder(features).double(), expected, atol=1e-5)
    assert [layer.out_features for layer in layers if hasattr(layer, "out_features")] == [128, 128, 30]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("coordinates", ["relative", "absolute", "normalised"])
def test_descriptors_and_gradients_on_a_gpu_are_those_of_float64_and_repeat_bit_for_bit(rng, coordinates):
    points, near = cloud(rng, 2000, 16)
    double = network(64, 4, coordinates).double()
    towards = torch.from_numpy(rng.normal(size=(2000, 64)))
    expected = reference.descriptors_by_torch(double, points.double(), near)
    (expected * towards).sum().backward()
    runs = []
    for _ in range(2):
        ours = network(64, 4, coordinates).cuda()
        found = ours(points.cuda(), near.cuda())
        (found * towards.float().cuda()).sum().backward()
        runs.append([found.detach()] + [p.grad for p in ours.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
    expected_all = [expected.detach()] + [p.grad for p in double.parameters()]
    for ours, expected in zip(runs[0], expected_all, strict=True):
        assert (ours.cpu() - expected).norm() <= 1e-4 * expected.norm() + 1e-6
