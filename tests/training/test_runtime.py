import multiprocessing
import time

import pytest
import torch

from st3d.formats.atomic import atomic, locked, read_json, replaced_folder, write_json
from st3d.formats.provenance import digest
from st3d.training.device import choose_device, free_gpu


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
