"""The Triton search for nearest points against plain torch in float64: on a GPU, else in Triton's interpreter."""

from itertools import pairwise

import pytest
import torch
from triton_modules import DEVICE, triton_module

SIZES = [1, 33, 64, 200, 7]


@pytest.fixture(scope="module")
def kernels():
    with triton_module("st3d.kernels.nearest_triton") as module:
        yield module


def pairs(seed, m, sizes=SIZES, *, whole=False):
    """Sets of m points, sets of `sizes` points, and where each of these begins; whole numbers have many ties."""
    generator = torch.Generator().manual_seed(seed)
    offsets = [sum(sizes[:number]) for number in range(len(sizes) + 1)]
    first, second = (torch.randn(*shape, 3, generator=generator) for shape in ((len(sizes), m), (offsets[-1],)))
    if whole:
        first, second = (each.mul(2).round() for each in (first, second))
    return first, second, offsets


def found_by(kernels, first, second, offsets):
    starts = torch.tensor(offsets, device=DEVICE)
    return [each.cpu() for each in kernels.nearest(first.to(DEVICE), second.to(DEVICE), starts, offsets)]


@pytest.mark.parametrize("m", [1, 31, 130])
def test_each_point_finds_a_nearest_one_of_its_sets_partner(kernels, m):
    first, second, offsets = pairs(m, m)
    to_second, to_first = found_by(kernels, first, second, offsets)
    flat = first.flatten(0, 1)
    for number, (start, stop) in enumerate(pairwise(offsets)):
        own = slice(number * m, (number + 1) * m)
        distance = (first[number].double()[:, None] - second[start:stop].double()).square().sum(dim=2)
        assert ((start <= to_second[own]) & (to_second[own] < stop)).all()
        assert ((number * m <= to_first[start:stop]) & (to_first[start:stop] < (number + 1) * m)).all()
        for found, least in (
            ((flat[own] - second[to_second[own]]), distance.amin(dim=1)),
            ((second[start:stop] - flat[to_first[start:stop]]), distance.amin(dim=0)),
        ):
            assert torch.allclose(found.double().square().sum(dim=1), least, rtol=1e-6)


def test_of_equally_near_points_the_first_is_found(kernels):
    first, second, offsets = pairs(0, 70, whole=True)
    to_second, to_first = found_by(kernels, first, second, offsets)
    for number, (start, stop) in enumerate(pairwise(offsets)):
        distance = (first[number][:, None] - second[start:stop]).square().sum(dim=2)
        assert torch.equal(to_second[number * 70 : (number + 1) * 70], start + distance.argmin(dim=1))
        assert torch.equal(to_first[start:stop], number * 70 + distance.argmin(dim=0))


def test_points_that_are_no_numbers_find_one_inside_their_partner(kernels):
    first, second, offsets = pairs(0, 40, [50, 60])
    second[10], first[0, 3] = float("nan"), float("nan")
    to_second, to_first = found_by(kernels, first, second, offsets)
    assert (to_second[:40] < 50).all() and (to_second[40:] >= 50).all() and (to_second < 110).all()
    assert (to_first[:50] < 40).all() and (to_first[50:] >= 40).all() and (to_first >= 0).all()
