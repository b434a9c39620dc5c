"""Mahalanobis distances in clusters, beside NumPy in float64."""

import numpy as np
import pytest
import torch

from st3d.kernels.mahalanobis import centres_of, clusters_of


@pytest.fixture
def data(rng):
    """Descriptors in three far groups; residuals with a covariance of their own in each."""
    group = np.repeat(np.arange(3), 200)
    descriptors = 10 * np.eye(3, 5)[group] + rng.normal(size=(600, 5))
    mixing = rng.normal(size=(3, 5, 5))
    residuals = np.einsum("nij,nj->ni", mixing[group], rng.normal(size=(600, 5))) + group[:, None]
    return group, torch.from_numpy(descriptors).float(), torch.from_numpy(residuals).float()


def reference(group, residuals, shrinkage):
    exact = residuals.double().numpy()
    total = sum((exact[group == each] ** 2).sum() for each in range(3)) / exact.size
    result = np.empty(len(exact))
    for each in range(3):
        some = exact[group == each]
        covariance = (1 - shrinkage) * np.cov(some.T, bias=True) + shrinkage * total * np.eye(5)
        centred = some - some.mean(axis=0)
        result[group == each] = np.sqrt((centred * np.linalg.solve(covariance, centred.T).T).sum(axis=1))
    return result


def test_distances_are_those_of_each_groups_covariance(data):
    group, descriptors, residuals = data
    centres = centres_of(descriptors, 3, seed=1)
    halves = [(descriptors[::2], residuals[::2]), (descriptors[1::2], residuals[1::2])]
    found = clusters_of(centres, halves, 0.02).distances(descriptors, residuals)
    assert np.allclose(found.numpy(), reference(group, residuals, 0.02), rtol=1e-4)


def test_a_share_of_one_leaves_the_euclidean_distance_from_the_mean(data):
    _, descriptors, residuals = data
    clusters = clusters_of(centres_of(descriptors, 1, seed=1), [(descriptors, residuals)], 1.0)
    found = clusters.distances(descriptors, residuals)
    euclidean = (residuals - residuals.mean(dim=0)).norm(dim=1)
    assert torch.allclose(found / found.mean(), euclidean / euclidean.mean(), rtol=1e-4)


def test_a_residual_like_others_in_another_group_is_far_in_its_own(data):
    group, descriptors, residuals = data
    narrow = residuals.clone()
    narrow[group == 0] *= 0.01
    clusters = clusters_of(centres_of(descriptors, 3, seed=1), [(descriptors, narrow)], 0.02)
    usual = clusters.distances(descriptors[group == 0], narrow[group == 0])
    foreign = clusters.distances(descriptors[group == 0], residuals[group == 1])
    assert foreign.median() > 3 * usual.median()


def test_more_clusters_than_points_and_clusters_without_a_residual_are_no_fault():
    descriptors = torch.eye(3)
    clusters = clusters_of(centres_of(descriptors, 10, seed=1), [(descriptors[:1], descriptors[:1])], 0.5)
    assert torch.isfinite(clusters.distances(descriptors, descriptors)).all()
