"""Sparse convolution written out: dictionaries of voxels, loops over offsets. The reference of st3d.kernels.sparse."""

import numpy as np


def cube(kernel):
    """Offsets of a centred cube in MinkowskiEngine's order: an odometer whose first axis, x, varies fastest."""
    low, high = -(kernel // 2), kernel // 2
    offset, found = [low, low, low], []
    while True:
        found.append(tuple(offset))
        axis = 0
        while axis < 3:
            offset[axis] += 1
            if offset[axis] <= high:
                break
            offset[axis] = low
            axis += 1
        if axis == 3:
            return found


def coarser(voxels, stride):
    """Voxels of the coarser grid, in order."""
    return sorted({tuple(int(np.floor(value / stride)) * stride for value in voxel) for voxel in voxels})


def convolved(features, weight, inputs, outputs, kernel, stride):
    """(w, d): sums of features (v, c) times weight (o, c, d) over the input voxels that a kernel covers."""
    row = {tuple(voxel): index for index, voxel in enumerate(inputs)}
    result = np.zeros((len(outputs), weight.shape[2]))
    for out, voxel in enumerate(outputs):
        for number, offset in enumerate(cube(kernel)):
            seen = row.get(tuple(int(v) + stride * o for v, o in zip(voxel, offset, strict=True)))
            if seen is not None:
                result[out] += features[seen] @ weight[number]
    return result


def spread(features, weight, inputs, outputs, kernel, stride):
    """The transposed convolution, from coarse voxels `inputs` to fine ones `outputs`, `stride` long."""
    row = {tuple(voxel): index for index, voxel in enumerate(outputs)}
    result = np.zeros((len(outputs), weight.shape[2]))
    for at, voxel in enumerate(inputs):
        for number, offset in enumerate(cube(kernel)):
            reached = row.get(tuple(int(v) + stride * o for v, o in zip(voxel, offset, strict=True)))
            if reached is not None:
                result[reached] += features[at] @ weight[number]
    return result


def hardest_contrastive(first, second, views, positive_margin, negative_margin):
    """The loss, pair by pair."""
    positive, negative = [], {0: [], 1: []}
    sides = (first, second)
    for a, b in zip(views[0].positives.tolist(), views[1].positives.tolist(), strict=True):
        positive.append(max(0.0, float(((first[a] - second[b]) ** 2).sum()) - positive_margin))
        for this, other, anchor in ((0, 1, a), (1, 0, b)):
            near = [
                (float(np.sqrt(((sides[this][anchor] - sides[other][c]) ** 2).sum())), c)
                for c in views[other].candidates.tolist()
            ]
            distance, hardest = min(near)
            apart = np.linalg.norm(views[this].centres[anchor].numpy() - views[other].centres[hardest].numpy())
            if apart > 1.5 * views[this].voxel:
                negative[this].append(max(0.0, negative_margin - distance) ** 2)
    halves = [np.mean(each) if each else 0.0 for each in negative.values()]
    return np.mean(positive) + sum(halves) / 2
