"""Reference implementation of AU-PRO, as MVTec's second evaluation code: one sort over all pixels, false positives and
overlap summed threshold by threshold; and the definition itself, threshold by threshold over whole maps."""

import numpy as np
from scipy.ndimage import label


def curve_by_sorting(maps, masks):
    flat, normal_step, overlap_step = [], [], []
    components = sum(label(mask, np.ones((3, 3)))[1] for mask in masks)
    normal = sum(int((np.asarray(mask) == 0).sum()) for mask in masks)
    for scores, mask in zip(maps, masks, strict=True):
        labels, count = label(mask, np.ones((3, 3)))
        overlap = np.zeros(scores.shape)
        for number in range(1, count + 1):
            overlap[labels == number] = 1 / ((labels == number).sum() * components)
        flat.append(scores.ravel())
        normal_step.append((labels == 0).ravel() / normal)
        overlap_step.append(overlap.ravel())
    flat, fpr, pro = (np.concatenate(each) for each in (flat, normal_step, overlap_step))
    order = np.argsort(flat)[::-1]
    flat, fpr, pro = flat[order], np.cumsum(fpr[order]), np.cumsum(pro[order])
    last = np.append(np.diff(flat) != 0, True)  # ties are one threshold
    return np.concatenate([[0], fpr[last], [1]]), np.concatenate([[0], pro[last], [1]])


def curve_by_definition(maps, masks):
    points = [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate([m.ravel() for m in maps]))[::-1]:
        false, normal, overlaps = 0, 0, []
        for scores, mask in zip(maps, masks, strict=True):
            found, labels = scores >= threshold, label(mask, np.ones((3, 3)))[0]
            false, normal = false + (found & (labels == 0)).sum(), normal + (labels == 0).sum()
            overlaps += [found[labels == number].mean() for number in range(1, labels.max() + 1)]
        points.append((false / normal, float(np.mean(overlaps))))
    return tuple(np.array([*points, (1.0, 1.0)]).T)


def area(fpr, pro, limit):
    at_limit = None
    total = 0.0
    for x0, x1, y0, y1 in zip(fpr[:-1], fpr[1:], pro[:-1], pro[1:], strict=True):
        if x1 <= limit:
            total += (x1 - x0) * (y0 + y1) / 2
        else:
            at_limit = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
            total += (limit - x0) * (y0 + at_limit) / 2
            break
    return total / limit


def sampled(maps, masks, limit, thresholds):
    """The first evaluation code: thresholds at evenly spaced ranks of the sorted normal scores, `>` finds a pixel."""
    normal = np.sort(np.concatenate([m[np.asarray(k) == 0] for m, k in zip(maps, masks, strict=True)]))
    fpr, pro = [1.0], [1.0]
    for rank in np.linspace(0, len(normal) - 1, thresholds, dtype=int):
        overlaps = []
        for scores, mask in zip(maps, masks, strict=True):
            labels = label(mask, np.ones((3, 3)))[0]
            overlaps += [(scores[labels == number] > normal[rank]).mean() for number in range(1, labels.max() + 1)]
        fpr.append(1 - (rank + 1) / len(normal))
        pro.append(float(np.mean(overlaps)))
    return area(fpr[::-1], pro[::-1], limit)


def maps_and_masks(seed, levels, images=3):
    """Few levels make ties common; the sizes differ; masks hold components that touch at corners, and single pixels."""
    rng = np.random.default_rng(seed)
    shapes = [(int(rng.integers(2, 9)), int(rng.integers(2, 9))) for _ in range(images)]
    maps = [rng.integers(0, levels, shape).astype(np.float32) / levels for shape in shapes]
    masks = [rng.random(shape) < 0.3 for shape in shapes]
    masks[0].flat[0], masks[1].flat[0] = True, False
    return maps, masks
