import numpy as np
import pytest
import reference_rows as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.kernels.matching_pursuit import matching_pursuit


def drawn(seed, q=20, k=10, d=128, spread=1.0):
    rng = np.random.default_rng(seed)
    vectors = np.abs(rng.standard_normal((q, d)))
    return vectors, np.abs(vectors[:, None] + spread * rng.standard_normal((q, k, d)))


def found(vectors, atoms, nonzero=3):
    return matching_pursuit(torch.from_numpy(vectors), torch.from_numpy(atoms), nonzero).numpy()


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 5), st.sampled_from([3, 8, 128]),
       st.sampled_from([1e-3, 0.1, 3.0]))  # fmt: skip
@settings(deadline=None, max_examples=50)
def test_it_is_the_plain_loop_of_least_squares(seed, k, nonzero, d, spread):
    vectors, atoms = drawn(seed, k=k, d=d, spread=spread)
    expected = np.stack([reference.matching_pursuit(*each, nonzero)[0] for each in zip(vectors, atoms, strict=True)])
    assert np.allclose(found(vectors, atoms, nonzero), expected, rtol=1e-8, atol=1e-8)


def test_what_is_left_is_orthogonal_to_the_atoms_taken():
    vectors, atoms = drawn(1)
    left = vectors - found(vectors, atoms)
    for row, vector, own in zip(left, vectors, atoms, strict=True):
        assert np.abs(own[reference.matching_pursuit(vector, own, 3)[1]] @ row).max() < 1e-9


def test_a_vector_among_its_atoms_is_left_as_it_is_and_one_of_zeros_too():
    vectors, atoms = drawn(2)
    atoms[:, 4] = vectors
    assert np.allclose(found(vectors, atoms, 10), vectors, atol=1e-12)
    orthogonal = np.broadcast_to(np.eye(6), (3, 6, 6)).copy()
    assert np.array_equal(found(orthogonal[:, 2], orthogonal, 1), orthogonal[:, 2])
    assert not found(np.zeros_like(vectors), atoms).any()


def test_equal_atoms_and_atoms_of_zeros_do_no_harm():
    vectors, atoms = drawn(3, k=4)
    doubled = np.concatenate([atoms, atoms, np.zeros_like(atoms)], axis=1)
    few = np.repeat(atoms[:, :1], 5, axis=1)
    assert np.isfinite(found(vectors, doubled)).all()
    assert np.allclose(found(vectors, few), found(vectors, atoms[:, :1]), atol=1e-9)
    assert np.allclose(found(vectors, np.zeros_like(atoms)), 0)


def test_it_scales_with_the_vectors_and_the_order_of_atoms_is_irrelevant():
    vectors, atoms = drawn(4)
    expected = found(vectors, atoms)
    assert np.allclose(found(5 * vectors, atoms), 5 * expected, rtol=1e-9)
    assert np.allclose(found(vectors, atoms[:, ::-1].copy()), expected, rtol=1e-9)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"expected vectors \(q, d\) and atoms \(q, k, d\), found"):
        matching_pursuit(torch.zeros(2, 3), torch.zeros(3, 4, 3), 1)
    with pytest.raises(ValueError, match="expected nonzero of 1 or more, found 0"):
        matching_pursuit(torch.zeros(2, 3), torch.zeros(2, 4, 3), 0)
