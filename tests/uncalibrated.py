"""A pair without thresholds worth the name, for tests of scores and maps alone."""

import numpy as np
import torch

from st3d.kernels.false_alarms import PixelThreshold, Threshold
from st3d.student_teacher.calibration import Model
from st3d.student_teacher.judging import judge
from st3d.student_teacher.likeness import Likeness
from st3d.student_teacher.pair import load_pair


def mapped(teacher, student, scan):
    """The anomaly map of a scan."""
    pair = load_pair(teacher, student, torch.device("cpu"))
    nothing = Likeness(np.zeros((2, 1)), np.zeros((2, 3)), 0.0)
    model = Model(pair, "maximum", Threshold(1, 0.5, 0.5, False), PixelThreshold(1, 0.5, 0.5, 0.5), nothing, ())
    return judge(model, scan, accept_unlike=True).map
