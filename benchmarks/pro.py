"""AU-PRO on 110 maps of 800 x 800 with 112 components, beside one argsort over all pixels; medians and ratios.

python benchmarks/pro.py    # the twin needs 3 GB
"""

import logging
import time
from statistics import median

import numpy as np
import torch
from scipy.ndimage import label

from st3d.pro import au_pro
from st3d.runtime import PeakMemory

SIDE, MAPS, COMPONENTS, REPEATS = 800, 110, 112, 3
LIMIT = 0.3


def one_argsort(maps, masks):
    """The algorithm of MVTec's second evaluation code."""
    found, false = np.zeros((len(maps), SIDE, SIDE)), np.zeros((len(maps), SIDE, SIDE), np.uint32)
    components = 0
    for index, mask in enumerate(masks):
        labels, count = label(mask, np.ones((3, 3), int))
        false[index] = labels == 0
        for number in range(1, count + 1):
            region = labels == number
            found[index][region] = 1 / region.sum()
        components += count
    scores = np.array(maps).ravel()
    order = np.argsort(scores).astype(np.uint32)[::-1]
    scores, false, found = scores[order], false.ravel()[order], found.ravel()[order]
    del order
    last = np.append(np.diff(scores) != 0, True)
    fpr, pro = np.cumsum(false, out=false)[last], np.cumsum(found, out=found)[last] / components
    fpr = fpr / fpr[-1]
    inside = fpr <= LIMIT
    y = np.concatenate([[0], pro[inside], [np.interp(LIMIT, fpr, pro)]])
    return np.trapezoid(y, np.concatenate([[0], fpr[inside], [LIMIT]])) / LIMIT


def case():
    rng = np.random.default_rng(0)
    maps = [rng.gamma(2, 1, (SIDE, SIDE)).astype(np.float32) for _ in range(MAPS)]
    masks = [np.zeros((SIDE, SIDE), bool) for _ in maps]
    for number in range(COMPONENTS):
        top = 100 + 400 * (number // MAPS)
        masks[number % MAPS][top : top + 60, 200:250] = True
        maps[number % MAPS][top : top + 60, 200:250] += 1
    return maps, masks


def main():
    maps, masks = case()
    seconds, grown, areas = {}, {}, {}
    for _ in range(REPEATS):
        for name, call in (("kernel", lambda: au_pro(maps, masks, LIMIT)), ("twin", lambda: one_argsort(maps, masks))):
            memory, start = PeakMemory(torch.device("cpu")), time.perf_counter()
            areas[name] = call()
            seconds.setdefault(name, []).append(time.perf_counter() - start)
            grown.setdefault(name, []).append(memory.grown_gb())
    kernel, twin = median(seconds["kernel"]), median(seconds["twin"])
    small, large = median(grown["kernel"]), median(grown["twin"])
    logging.info("%.2f s, twin %.2f s: %.1f x faster", kernel, twin, twin / kernel)
    logging.info("%.2f GB, twin %.2f GB: %.2f of it", small, large, small / large)
    logging.info("areas differ by %.1e", abs(areas["kernel"] - areas["twin"]))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
