"""Reference implementations of st3d.extractors.point_features and of a Chamfer distance, point by point."""

import math

import numpy as np


def normal(points, index, near):
    """The last right singular vector of the centred neighbourhood, looking at the origin."""
    own = points[[index, *near]]
    least = np.linalg.svd(own - own.mean(axis=0))[2][2]
    return -least if least @ points[index] > 0 else least


def angle(a, b):
    """Kahan's formula, which keeps its digits at both ends."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return 2 * math.atan2(np.linalg.norm(a - b), np.linalg.norm(a + b))


def point_pair_feature(points, normals, reference, other):
    """Three angles and a distance; d leads from the other point to the reference."""
    d = points[reference] - points[other]
    if not d.any():
        return [0.0, 0.0, angle(normals[reference], normals[other]), 0.0]
    first, second = angle(normals[reference], d), angle(normals[other], d)
    return [first, second, angle(normals[reference], normals[other]), np.linalg.norm(d)]


def nearest(points, index, m):
    """Distances to the m nearest points, itself included."""
    return np.sort(np.linalg.norm(points - points[index], axis=1))[:m]


def fpfh(points, normals, k):
    """Simple histograms of each point and its k nearest others, then their sum weighted by 1 / squared distance."""
    n = len(points)
    squared_distance = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    near = [[j for j in np.argsort(squared_distance[i], kind="stable") if j != i][:k] for i in range(n)]
    simple, result = np.zeros((n, 33)), np.zeros((n, 33))
    for i in range(n):
        for j in near[i]:
            for number, fraction in enumerate(_darboux(points[i], normals[i], points[j], normals[j])):
                simple[i, 11 * number + min(10, max(0, math.floor(11 * fraction)))] += 100 / len(near[i])
    for i in range(n):
        weighted = sum(simple[j] / squared_distance[i, j] for j in near[i])
        for part in (slice(0, 11), slice(11, 22), slice(22, 33)):
            result[i, part] = simple[i, part] + 100 * weighted[part] / weighted[part].sum()
    return result


def _darboux(first, first_normal, second, second_normal):
    """Three angles of a pair in Rusu's frame, each as a fraction of its range."""
    line = (second - first) / np.linalg.norm(second - first)
    if abs(first_normal @ line) < abs(second_normal @ line):  # the frame stands on the normal nearer to the line
        first_normal, second_normal, line = second_normal, first_normal, -line
    v = np.cross(line, first_normal)
    v /= np.linalg.norm(v)
    w = np.cross(first_normal, v)
    theta = math.atan2(w @ second_normal, first_normal @ second_normal)
    return (theta + math.pi) / (2 * math.pi), (v @ second_normal + 1) / 2, (first_normal @ line + 1) / 2


def chamfer(first, second):
    """Mean squared distance to the nearest of the other set, both ways, summed; of two sets."""
    squared_distance = [[((a - b) ** 2).sum() for b in second] for a in first]
    forward = sum(min(row) for row in squared_distance) / len(first)
    return forward + sum(min(column) for column in zip(*squared_distance)) / len(second)
