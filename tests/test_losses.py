import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.losses import chamfer


def naive(first, second):
    return sum(
        sum(min(((p - q) ** 2).sum() for q in other) for p in one) / len(one)
        for one, other in ((first, second), (second, first))
    )


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10**6))
@settings(deadline=None)
def test_chamfer_and_its_gradients_are_those_of_the_double_loop(a, b, seed):
    generator = torch.Generator().manual_seed(seed)
    sets = [torch.randn(size, 3, generator=generator, requires_grad=True) for size in (a, b)]
    doubles = [points.detach().double().requires_grad_() for points in sets]
    found, expected = chamfer(*sets), naive(*doubles)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for ours, judge in zip(torch.autograd.grad(found, sets), torch.autograd.grad(expected, doubles), strict=True):
        assert torch.allclose(ours.double(), judge, atol=1e-5)


def test_chamfer_is_symmetric_and_zero_for_equal_sets():
    first, second = torch.randn(20, 3), torch.randn(30, 3)
    assert chamfer(first, second).item() == pytest.approx(chamfer(second, first).item())
    assert chamfer(first, first[torch.randperm(20)]).item() == 0


def test_a_nearest_point_far_from_the_origin_is_still_the_nearest():
    far = torch.tensor([[4096.0, 0, 0]])
    assert chamfer(far, far + torch.tensor([[0.25, 0, 0], [0.5, 0, 0]])).item() == pytest.approx(0.0625 + 0.15625)


def test_an_empty_set_is_refused():
    with pytest.raises(ValueError, match=r"expected points of shape \(1 or more, 3\), found \(0, 3\)"):
        chamfer(torch.zeros(0, 3), torch.zeros(1, 3))
