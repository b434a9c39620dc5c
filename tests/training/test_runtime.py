import multiprocessing
import resource
import tempfile
import time
from queue import Empty
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from st3d.evaluation import peak_memory
from st3d.formats.atomic import atomic, locked, read_json, replaced_folder, write_json
from st3d.formats.provenance import digest
from st3d.training.device import choose_device, free_gpu, lock_folder


def test_an_atomic_write_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "result.json"
    write_json(target, {"a": 1})
    with pytest.raises(RuntimeError), atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(target) == {"a": 1}
    assert [path.name for path in target.parent.iterdir()] == ["result.json"]


def test_a_replaced_folder_keeps_nothing_of_the_old_and_an_error_keeps_all_of_it(tmp_path):
    folder = tmp_path / "maps"
    for name in ("old", "new"):
        with replaced_folder(folder) as temporary:
            (temporary / name).write_text(name)
    assert [path.name for path in folder.iterdir()] == ["new"]
    with pytest.raises(RuntimeError), replaced_folder(folder) as temporary:
        (temporary / "half").write_text("")
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["maps", "new"]


def test_a_damaged_json_is_one_line(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ValueError, match=r"x.json: expected JSON, found .*; delete it and run again"):
        read_json(tmp_path / "x.json")


def hold(path, seconds):
    with locked(path):
        time.sleep(seconds)


def test_a_lock_is_waited_for_and_ends_with_its_process(tmp_path, caplog):
    process = multiprocessing.get_context("fork").Process(target=hold, args=(tmp_path / "x.lock", 60))
    process.start()
    while not (tmp_path / "x.lock").exists():
        time.sleep(0.01)
    time.sleep(0.2)
    process.kill()
    started = time.monotonic()
    with locked(tmp_path / "x.lock"):
        assert time.monotonic() - started < 10


def take_gpu(names, folder, queue):
    queue.put(names[free_gpu(names, folder)])
    time.sleep(60)


def locked_gpus(folder, *visible):
    """The GPUs that processes which see `visible` get, one after the other; None if one waits."""
    context = multiprocessing.get_context("fork")
    found, processes = [], []
    try:
        for names in visible:
            queue = context.Queue()
            processes.append(context.Process(target=take_gpu, args=(names, folder, queue)))
            processes[-1].start()
            try:
                found.append(queue.get(timeout=20 if len(set(names) - set(found)) else 1.5))
            except Empty:
                found.append(None)
    finally:
        for process in processes:
            process.kill()
            process.join()
    return found


def test_each_process_gets_a_gpu_of_its_own_and_the_next_one_waits(tmp_path):
    both = ["GPU-a", "GPU-b"]
    assert locked_gpus(tmp_path, both, both, both) == ["GPU-a", "GPU-b", None]


def test_two_jobs_that_each_see_one_gpu_do_not_wait_for_each_other(tmp_path):
    assert locked_gpus(tmp_path, ["GPU-a"], ["GPU-b"]) == ["GPU-a", "GPU-b"]


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


def test_equal_settings_have_equal_digests_in_any_order():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 2, "b": [2]})


def test_a_gpu_that_is_not_there_is_refused_and_auto_does_without():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ValueError, match="expected a CUDA device, found none"):
        choose_device("cuda")


def test_growth_of_memory_is_measured_where_the_peak_cannot_be_reset(monkeypatch, tmp_path):
    monkeypatch.setattr(peak_memory, "CLEAR", tmp_path / "none")
    memory = peak_memory.PeakMemory(torch.device("cpu"))
    block = np.ones(int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + 2e7), np.uint8)
    assert memory.grown_gb() >= 0.019
    del block
