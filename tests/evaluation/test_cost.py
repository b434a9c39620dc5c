import json

import numpy as np
import pytest
from stage_call import call
from test_training import GRAPH, MODEL, scenes

from st3d.evaluation.cost import cost
from st3d.evaluation.peak_memory import PeakMemory

__all__ = ["scenes"]  # the fixture


def test_cost_measures_time_and_memory_and_names_the_device(scenes, tmp_path):
    settings = MODEL | GRAPH | {"device": "cpu", "threads": 1, "repeats": 3, "code": "c"}
    call(cost, train=scenes["train"], scale=scenes["scale"], output=tmp_path / "cost.json", **settings)
    found = json.loads((tmp_path / "cost.json").read_text())
    assert 0 < found["inference_seconds"] < 10
    assert 0 <= found["inference_memory_gb"] <= found["training_memory_gb"] < 1
    assert found["device"].endswith("(1 thread)") and found["points"] == 150 and found["code"] == "c"


def test_peak_memory_is_what_was_held_at_once():
    import torch

    memory = PeakMemory(torch.device("cpu"))
    arrays = [np.ones(40_000_000, np.uint8)]
    arrays[0] = np.ones(20_000_000, np.uint8)  # made while the first is still there
    arrays.clear()
    assert memory.grown_gb() == pytest.approx(0.06, abs=0.01)
