"""The device of a job, the locks of GPUs, and the peak of memory."""

import multiprocessing
import resource
import tempfile
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from st3d.evaluation import peak_memory
from st3d.training.device import choose_device, free_gpu, lock_folder


def take_gpu(names, folder, queue):
    queue.put(names[free_gpu(names, folder)])
    time.sleep(60)


def test_each_process_gets_a_gpu_of_its_own_and_the_next_one_waits(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    arguments = ["GPU-a", "GPU-b"], tmp_path, queue
    processes = [context.Process(target=take_gpu, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    try:
        assert {queue.get(timeout=20), queue.get(timeout=20)} == {"GPU-a", "GPU-b"}
        time.sleep(1.5)
        assert queue.empty()
    finally:
        for process in processes:
            process.kill()


def test_a_process_gets_the_gpu_again_that_it_has(tmp_path):
    assert [free_gpu(["GPU-a", "GPU-b"], tmp_path) for _ in range(2)] == [0, 0]


def test_a_gpu_that_is_not_there_is_refused_and_auto_does_without():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ValueError, match="expected a CUDA device, found none"):
        choose_device("cuda")


def test_two_jobs_that_each_see_one_gpu_do_not_wait_for_each_other(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=take_gpu, args=([name], tmp_path, queue)) for name in ("GPU-a", "GPU-b")]
    for process in processes:
        process.start()
    try:
        assert {queue.get(timeout=20), queue.get(timeout=20)} == {"GPU-a", "GPU-b"}
    finally:
        for process in processes:
            process.kill()


def test_gpus_are_told_apart_by_their_uuids(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid="1234-abcd"))
    assert choose_device("auto") == torch.device("cuda", 0)
    assert [path.name for path in lock_folder().iterdir()] == ["gpu-1234-abcd.lock"]


def test_the_folder_of_the_locks_is_this_users_alone(tmp_path):
    folder = lock_folder(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700 and lock_folder(tmp_path) == folder
    free_gpu(["a"], folder)
    assert (folder / "gpu-a.lock").stat().st_mode & 0o777 == 0o600
    folder.chmod(0o777)
    with pytest.raises(OSError, match="expected a folder that only you can write to"):
        lock_folder(tmp_path)


def test_a_link_in_the_place_of_a_lock_or_of_its_folder_is_refused(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (lock_folder(tmp_path) / "gpu-a.lock").symlink_to(victim)
    with pytest.raises(OSError):
        free_gpu(["a"], lock_folder(tmp_path))
    assert victim.read_text() == "precious"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / lock_folder(tmp_path).name).symlink_to(tmp_path)
    with pytest.raises(OSError, match="expected a folder that only you can write to"):
        lock_folder(tmp_path / "other")


def test_growth_of_memory_is_measured_where_the_peak_cannot_be_reset(monkeypatch, tmp_path):
    monkeypatch.setattr(peak_memory, "CLEAR", tmp_path / "none")
    memory = peak_memory.PeakMemory(torch.device("cpu"))
    block = np.ones(int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + 2e7), np.uint8)
    assert memory.grown_gb() >= 0.019
    del block


def test_a_single_gpu_that_slurm_has_handed_out_is_not_locked(monkeypatch, tmp_path):
    locked = []
    monkeypatch.setattr("st3d.training.device.free_gpu", lambda names, folder: locked.append(names) or 0)
    monkeypatch.setattr("st3d.training.device.lock_folder", lambda: tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=f"GPU-{number}"))
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("auto").type == "cuda" and locked == []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)  # a whole allocation, whose jobs must share them out
    assert choose_device("auto").index == 0 and locked == [["GPU-0", "GPU-1"]]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.delenv("SLURM_JOB_ID")
    assert choose_device("auto").index == 0 and len(locked) == 2
