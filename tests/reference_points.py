"""Reference implementations of st3d.kernels.points, written from the definitions."""

import numpy as np


def farthest_points(points, count, first=0):
    """The quadratic greedy loop: each next point is the farthest from all chosen, the lowest index among equals."""
    squared_distance = np.full(len(points), np.inf)
    chosen, current = [], first
    for _ in range(count):
        chosen.append(current)
        squared_distance = np.minimum(squared_distance, ((points - points[current]) ** 2).sum(axis=1))
        squared_distance[chosen] = -1
        current = int(squared_distance.argmax())
    return np.array(chosen)


def neighbour_distances(points, k):
    """Sorted distances of each point to its k nearest others, from the full matrix."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return np.sort(distance, axis=1)[:, :k]


def receptive_field(neighbours, index, hops):
    """Breadth-first search with sets."""
    inside = frontier = {index}
    for _ in range(hops):
        frontier = {int(q) for p in frontier for q in neighbours[p]}
        inside = inside | frontier
    return np.array(sorted(inside))
