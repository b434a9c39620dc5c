import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import leaky_relu, linear

from st3d.kernels import native
from st3d.kernels.dense import dense


def layer(n, i, o, seed):
    """x, weight, bias and a gradient of the result."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((n, i), (o, i), (o,), (n, o))
    *given, towards = (torch.randn(shape, generator=generator) for shape in shapes)
    return [each.requires_grad_() for each in given], towards


@given(
    st.integers(1, 300),
    st.sampled_from([16, 32, 48, 96]),
    st.integers(1, 80),
    st.sampled_from([0.2, 0.0, 1.0]),
    st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_a_dense_layer_and_its_gradients_are_those_of_float64(n, i, o, slope, seed):
    given, towards = layer(n, i, o, seed)
    doubles = [each.detach().double().requires_grad_() for each in given]
    found, expected = dense(*given, slope), leaky_relu(linear(*doubles), slope)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max() + 1e-6
    gradients = (torch.autograd.grad(y, each, towards.to(y)) for y, each in ((found, given), (expected, doubles)))
    for ours, judge in zip(*gradients, strict=True):
        assert (ours - judge).norm() <= 1e-4 * judge.norm() + 1e-5


def test_a_dense_layers_gradients_have_the_same_bits_for_any_number_of_threads():
    given, towards = layer(5000, 64, 64, 0)
    bits = []
    for threads in (1, 2, 3):
        native.set_threads(threads)
        bits.append(torch.autograd.grad(dense(*given, 0.2), given, towards))
    native.set_threads(1)
    assert all(torch.equal(a, b) for other in bits[1:] for a, b in zip(bits[0], other, strict=True))


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_a_gradient_that_is_asked_for_alone_is_the_same(wanted):
    given, towards = layer(200, 32, 24, 3)
    together = torch.autograd.grad(dense(*given, 0.2), given, towards)
    alone = torch.autograd.grad(dense(*given, 0.2), given[wanted], towards)[0]
    assert torch.equal(alone, together[wanted])


@given(st.integers(1, 200), st.integers(1, 40), st.booleans(), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_a_layer_added_onto_another_gives_the_sum_and_each_its_gradients(n, o, one_row, seed):
    first, towards = layer(n, 32, o, seed)
    second, _ = layer(1 if one_row else n, 48, o, seed + 1)
    doubles = [each.detach().double().requires_grad_() for each in first + second]
    found = dense(*second, 0.2, onto=dense(*first, 0.2))
    expected = sum(leaky_relu(linear(*part), 0.2) for part in (doubles[:3], doubles[3:]))
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max() + 1e-6
    ours = torch.autograd.grad(found, first + second, towards)
    judged = torch.autograd.grad(expected, doubles, towards.double())
    for our, judge in zip(ours, judged, strict=True):
        assert (our - judge).norm() <= 1e-4 * judge.norm() + 1e-5
