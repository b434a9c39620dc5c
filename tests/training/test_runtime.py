import multiprocessing
import time

import pytest
import torch

from st3d.formats.provenance import digest
from st3d.training.device import choose_device, free_gpu


def take_gpu(folder, queue):
    queue.put(free_gpu(["GPU-a", "GPU-b"], folder))
    time.sleep(60)


def test_each_process_gets_a_gpu_of_its_own_and_the_next_one_waits(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=take_gpu, args=(tmp_path, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    try:
        first = {queue.get(timeout=20), queue.get(timeout=20)}
        assert first == {0, 1}
        time.sleep(1.5)
        assert queue.empty()
    finally:
        for process in processes:
            process.kill()


def test_equal_settings_have_equal_digests_in_any_order():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 2, "b": [2]})


def test_a_gpu_that_is_not_there_is_refused_and_auto_does_without():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ValueError, match="expected a CUDA device, found none"):
        choose_device("cuda")
