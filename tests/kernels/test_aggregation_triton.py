"""The Triton kernels against plain torch in float64: on a GPU where there is one, else in Triton's interpreter."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import leaky_relu
from triton_modules import DEVICE, triton_module

from st3d.kernels import aggregation, aggregation_cpu
from st3d.kernels.graph import Graph

SLOPE = 0.2
POINTS, NEIGHBOURS, ROWS = 45, 7, 37  # odd, no powers of 2, and more than one tile of each kernel
SHAPES = [(g, c) for g in (4, 10) for c in (4, 8, 16, 24, 32)]


@pytest.fixture(scope="module")
def kernels():
    with triton_module("st3d.kernels.aggregation_triton") as module:
        yield module


def cloud(rng, g, c, *, n=POINTS, k=NEIGHBOURS, rows=ROWS, one_row=False):
    """A problem with random neighbours and a random gradient of its result."""
    near = rng.integers(0, n, (n, k))
    return problem(rng, rng.normal(size=(n, 3)), near, g, c, rows=rows, one_row=one_row)


def problem(rng, points, near, g, c, *, rows, one_row=False):
    def normal(*shape):
        return torch.from_numpy(rng.normal(size=shape).astype(np.float32)).to(DEVICE)

    return SimpleNamespace(
        points=torch.from_numpy(points.astype(np.float32)).to(DEVICE),
        near=torch.from_numpy(near.astype(np.int32)).to(DEVICE),
        weight=normal(g, c),
        bias=normal(c),
        features=normal(1 if one_row else len(points), c),
        gradient=normal(rows, 2 * c),
        rows=rows,
    )


def forward(kernels, given):
    return kernels.aggregate(
        given.points, given.near, given.weight, given.bias, given.features, given.rows, SLOPE
    )  # (rows, 2 c)


def to_weights(kernels, given):
    return kernels.aggregate_weights(given.points, given.near, given.weight, given.bias, given.gradient, SLOPE)


def to_features(kernels, given):
    targets, near = len(given.features), given.near.cpu().numpy()
    offsets = np.concatenate([[0], np.bincount(near.ravel(), minlength=targets).cumsum()])
    sources = np.argsort(near.ravel(), kind="stable") // near.shape[1]
    return kernels.aggregate_features(
        torch.from_numpy(offsets).to(DEVICE),
        torch.from_numpy(sources.astype(np.int32)).to(DEVICE),
        given.gradient,
        near.shape[1],
        targets,
    )


def reference(given):
    """Result, and gradients of weight and bias together and of the features, of (rows, k, c) tensors in float64."""
    near, points = given.near[: given.rows].long(), given.points.double()
    weight, bias, features = (x.double().requires_grad_() for x in (given.weight, given.bias, given.features))
    p, q = points[: given.rows, None].expand(-1, near.shape[1], -1), points[near]
    edges = torch.cat([p - q, (p - q).norm(dim=2, keepdim=True)], dim=2)
    if len(weight) == 10:
        edges = torch.cat([edges, p, q], dim=2)
    geometry = leaky_relu(edges @ weight + bias, SLOPE).mean(dim=1)
    result = torch.cat([geometry, features.expand(len(points), -1)[near].mean(dim=1)], dim=1)
    (result * given.gradient).sum().backward()
    return result.detach(), torch.cat([weight.grad, bias.grad[None]]), features.grad


def assert_close(found, expected):
    assert found.dtype == torch.float32
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("one_row", [False, True])
@pytest.mark.parametrize("g, c", SHAPES)
def test_the_fused_kernel_computes_what_plain_torch_does_in_float64(rng, kernels, g, c, one_row):
    given = cloud(rng, g, c, one_row=one_row)
    assert_close(forward(kernels, given), reference(given)[0])


@pytest.mark.parametrize("g, c", SHAPES)
def test_the_gradients_of_weight_and_bias_are_those_of_autograd_in_float64(rng, kernels, g, c):
    given = cloud(rng, g, c)
    found, (_, expected, _) = to_weights(kernels, given), reference(given)
    for row, truth in zip(found, expected, strict=True):
        assert_close(row, truth)


@pytest.mark.parametrize("c", [4, 8, 16, 24, 32])
def test_the_gradient_of_the_features_is_that_of_autograd_in_float64(rng, kernels, c):
    given = cloud(rng, 4, c)
    assert_close(to_features(kernels, given), reference(given)[2])


@pytest.mark.parametrize("n, k, rows", [(1, 1, 1), (33, 1, 33), (40, 20, 3), (70, 3, 65)])
@pytest.mark.parametrize("c", [16, 128])
def test_any_number_of_points_neighbours_and_rows_is_computed(rng, kernels, c, n, k, rows):
    given = cloud(rng, 10, c, n=n, k=k, rows=rows)
    result, weights, features = reference(given)
    assert_close(forward(kernels, given), result)
    assert_close(to_weights(kernels, given), weights)
    if n > 1:
        assert_close(to_features(kernels, given), features)


@pytest.mark.parametrize("g", [4, 10])
def test_edges_of_length_zero_are_computed_like_others(rng, kernels, g):
    points = np.repeat(rng.normal(size=(15, 3)), 3, axis=0)  # three at each place
    near = np.arange(45)[:, None] // 3 * 3 + [0, 1, 2, 3, 4]
    given = problem(rng, points, near % 45, g, 8, rows=45)
    result, weights, _ = reference(given)
    assert_close(forward(kernels, given), result)
    assert_close(to_weights(kernels, given), weights)


def test_the_derivative_of_leaky_relu_at_zero_is_the_slope_as_in_torch(rng, kernels):
    given = problem(rng, np.ones((9, 3)), rng.integers(0, 9, (9, 5)), 4, 8, rows=9)
    given.bias.zero_()
    result, weights, _ = reference(given)
    assert torch.equal(forward(kernels, given)[:, :8], result[:, :8].float())  # zeros
    assert_close(to_weights(kernels, given)[4], weights[4])
    assert_close(to_weights(kernels, given)[4], SLOPE * given.gradient[:, :8].double().sum(dim=0))


def test_everyones_neighbour_gets_a_gradient_from_all_and_nobodys_gets_zero(rng, kernels):
    near = rng.integers(0, 60, (67, 5))  # the last seven are nobody's neighbours
    near[:, 2] = 11
    given = problem(rng, rng.normal(size=(67, 3)), near, 4, 16, rows=61)
    found = to_features(kernels, given)
    assert_close(found, reference(given)[2])
    assert found[11].abs().min() > 0
    assert not found[60:].any()


@pytest.mark.parametrize("g, c", [(4, 16), (10, 24)])
def test_two_runs_give_equal_bits(rng, kernels, g, c):
    given = cloud(rng, g, c, n=101, rows=97)
    for kernel in (forward, to_weights, to_features):
        assert torch.equal(kernel(kernels, given), kernel(kernels, given))


@pytest.mark.parametrize("g", [4, 10])
def test_a_channel_does_not_depend_on_how_many_others_there_are(rng, kernels, g):
    wide = cloud(rng, g, 32)
    halves = [slice(0, 24), slice(32, 56)]
    narrow = SimpleNamespace(**vars(wide))
    narrow.weight, narrow.bias, narrow.features = (
        x[..., :24].contiguous() for x in (wide.weight, wide.bias, wide.features)
    )
    narrow.gradient = torch.cat([wide.gradient[:, half] for half in halves], dim=1)
    expected = torch.cat([forward(kernels, wide)[:, half] for half in halves], dim=1)
    assert (forward(kernels, narrow) - expected).abs().max() < 1e-6
    assert (to_weights(kernels, narrow) - to_weights(kernels, wide)[:, :24]).abs().max() < 1e-5
    assert torch.equal(to_features(kernels, narrow), to_features(kernels, wide)[:, :24])


def test_the_first_rows_do_not_depend_on_how_many_follow(rng, kernels):
    given = cloud(rng, 4, 16)
    all_rows = forward(kernels, given)
    for rows in (1, 31, 32, 33):
        given.rows = rows
        assert torch.equal(forward(kernels, given), all_rows[:rows])


def test_points_and_features_that_no_row_names_are_never_used(rng, kernels):
    points, near = rng.normal(size=(POINTS, 3)), rng.integers(0, 40, (POINTS, NEIGHBOURS))
    given = problem(rng, points, near, 10, 24, rows=ROWS)
    expected = forward(kernels, given), to_weights(kernels, given)
    given.points[40:], given.features[40:] = torch.nan, torch.nan
    assert torch.equal(forward(kernels, given), expected[0])
    assert torch.equal(to_weights(kernels, given), expected[1])


def test_the_gpus_aggregation_and_its_gradients_are_the_cpus(rng, kernels, monkeypatch):
    points, near = torch.from_numpy(rng.normal(size=(60, 3))), torch.from_numpy(rng.integers(0, 60, (60, 5)))
    found = []
    for module, device in ((aggregation_cpu, "cpu"), (kernels, DEVICE)):
        monkeypatch.setattr(aggregation, "_kernels", lambda _, module=module: module)
        generator = torch.Generator().manual_seed(1)
        graph = Graph(points.to(device), near.to(device)).subgraph(np.array([3, 17, 40]), 2)
        weight, bias = torch.randn(4, 8, generator=generator), torch.randn(8, generator=generator)
        features = torch.randn(graph.num_needed(2), 8, generator=generator)
        given = [each.to(device).requires_grad_() for each in (weight, bias, features)]
        out = aggregation.aggregate(graph, 1, *given, SLOPE)
        towards = torch.randn(out.shape, generator=generator).to(device)
        found.append([out, *torch.autograd.grad((out * towards).sum(), given)])
    for cpu, gpu in zip(*found, strict=True):
        assert (cpu - gpu.cpu()).abs().max() < 1e-4 * cpu.abs().max()
