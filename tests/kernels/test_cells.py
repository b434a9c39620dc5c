import numpy as np
import pytest
import reference_rows as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.kernels.cells import cell_means


@given(st.integers(3, 20), st.integers(3, 20), st.integers(1, 3), st.integers(1, 25), st.integers(0, 99))
@settings(deadline=None)
def test_cells_are_the_means_of_their_windows(h, w, window, count, seed):
    image = np.random.default_rng(seed).random((2, h, w)).astype(np.float32)
    found = cell_means(torch.from_numpy(image), count, window)
    assert found.shape == (count * count, 2)
    assert np.allclose(found.numpy(), reference.cell_means(image, count, window), atol=1e-6)


def test_a_constant_image_has_constant_cells():
    assert torch.allclose(cell_means(torch.full((3, 224, 224), 7.0), 28), torch.tensor(7.0))


def test_a_ramp_has_the_means_of_overlapping_cells():
    ramp = torch.arange(-1.0, 223).repeat(224, 1)[None]  # its windows' means are 0..221
    found = cell_means(ramp, 28).view(28, 28)[5]
    assert [found[i].item() for i in (0, 1, 13, 27)] == pytest.approx([3.5, 11, 106.5, 217.5])


def test_an_image_smaller_than_a_window_is_refused():
    with pytest.raises(ValueError, match=r"expected an image .* of 3 pixels a side or more, found"):
        cell_means(torch.zeros(1, 2, 5), 1)
