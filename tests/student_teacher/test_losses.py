import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.kernels import native
from st3d.kernels.nearest import _nearest_by_torch, _nearest_on_cpu, chamfer_of_sets
from st3d.student_teacher.losses import chamfer, regression


def reference(first, second):
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
    found, expected = chamfer(*sets), reference(*doubles)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for ours, plain in zip(torch.autograd.grad(found, sets), torch.autograd.grad(expected, doubles), strict=True):
        assert torch.allclose(ours.double(), plain, atol=1e-5)


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


@given(
    st.integers(1, 5), st.integers(1, 40), st.lists(st.integers(1, 90), min_size=5, max_size=5), st.integers(0, 10**6)
)
@settings(deadline=None)
def test_pairs_of_sets_give_each_pairs_own_distance_and_gradient(q, m, sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(-3, 4, (q, m, 3), generator=generator).float().requires_grad_()  # many ties
    second = [torch.randn(size, 3, generator=generator) for size in sizes[:q]]
    offsets = [0]
    for points in second:
        offsets.append(offsets[-1] + len(points))
    found = chamfer_of_sets(first, torch.cat(second), offsets)
    alone = torch.stack([chamfer(a, b) for a, b in zip(first, second, strict=True)])
    expected = torch.stack([nearest_by_torch(a, b) for a, b in zip(first.double(), second, strict=True)])
    assert torch.equal(found, alone) and torch.allclose(found.double(), expected, rtol=1e-5)
    gradients = [torch.autograd.grad(each.sum(), first)[0] for each in (found, alone)]
    assert torch.allclose(*gradients, atol=1e-6)


def nearest_by_torch(first, second):
    distance = torch.cdist(first, second.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return sum(distance.amin(dim=side).square().mean() for side in (0, 1))


def test_the_search_by_torch_finds_what_the_c_kernel_does():
    first, second = torch.randn(3, 40, 3), torch.randn(90, 3)
    for ours, plain in zip(
        *(search(first, second, [0, 20, 21, 90]) for search in (_nearest_by_torch, _nearest_on_cpu))
    ):
        assert torch.equal(ours, plain)


def test_the_regression_loss_is_the_mean_squared_distance_of_points():
    features, target = torch.randn(7, 5), torch.randn(7, 5)
    expected = ((features - target) ** 2).sum(dim=1).mean()
    assert regression(features, target).item() == pytest.approx(expected.item(), rel=1e-6)


def test_chamfer_is_the_same_for_any_number_of_threads():
    first, second = torch.randn(5, 30, 3, requires_grad=True), torch.randn(100, 3)
    found = []
    for threads in (1, 2):
        native.set_threads(threads)
        distance = chamfer_of_sets(first * 1, second, [0, 10, 30, 60, 80, 100])
        found.append((distance, torch.autograd.grad(distance.sum(), first)[0]))
    native.set_threads(1)
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
