import errno
import fcntl
import logging
import multiprocessing
import os

import pytest

from st3d.formats import atomic as module
from st3d.formats.atomic import atomic, locked, read_json, write_json
from st3d.formats.folders import replaced

FORK = multiprocessing.get_context("fork")


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def stopped():
    """Start `call` in a process of its own and return once it says that it is in the middle; it never ends by itself.

    A warning ends it, such as the one that another process waits for it.
    """
    processes = []

    def start(call, *arguments):
        ours, theirs = FORK.Pipe()
        process = FORK.Process(target=call, args=(theirs, *arguments))
        process.start()
        processes.append(process)
        assert ours.recv() == "in the middle"
        return process

    class OnWarning(logging.Handler):
        def emit(self, record):
            self.messages.append(record.getMessage())
            for process in processes:
                process.kill()

    handler = OnWarning(logging.WARNING)
    handler.messages = start.warnings = []
    logging.getLogger("st3d").addHandler(handler)
    yield start
    logging.getLogger("st3d").removeHandler(handler)
    for process in processes:
        process.kill()
        process.join()


def wait(pipe):
    pipe.send("in the middle")
    pipe.recv()


def write_half(pipe, path):
    with atomic(path) as partial:
        partial.write_text("half of a long text")
        wait(pipe)


def fill_half(pipe, path):
    with replaced(path) as partial:
        (partial / "half").touch()
        wait(pipe)


def hold(pipe, path):
    with locked(path):
        wait(pipe)


def test_an_atomic_write_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "result.json"
    write_json(target, {"a": 1})
    with pytest.raises(RuntimeError), atomic(target) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert read_json(target) == {"a": 1} and names(target.parent) == ["result.json"]


def test_an_error_of_a_missing_file_passes_through_an_atomic_write(tmp_path):
    with pytest.raises(FileNotFoundError), atomic(tmp_path / "a") as partial:
        (tmp_path / "none").read_text()
    assert not partial.exists()


def test_what_a_killed_write_left_is_gone_after_the_next_one(tmp_path, stopped):
    process = stopped(write_half, tmp_path / "a.txt")
    process.kill()
    process.join()
    assert names(tmp_path) == [".a.txt.partial"]
    with atomic(tmp_path / "a.txt") as partial:
        assert partial.read_text() == ""
        partial.write_text("all")
    assert names(tmp_path) == ["a.txt"] and (tmp_path / "a.txt").read_text() == "all"


@pytest.mark.parametrize("fails", [False, True])
def test_a_killed_write_in_the_middle_of_another_leaves_no_file_whatever_becomes_of_it(tmp_path, stopped, fails):
    stopped(write_half, tmp_path / "a.txt")
    try:
        with atomic(tmp_path / "a.txt") as partial:  # waits; the warning kills the first writer
            partial.write_text("all")
            if fails:
                raise RuntimeError
    except RuntimeError:
        pass
    assert len(stopped.warnings) == 1 and "another process is at work on this" in stopped.warnings[0]
    assert names(tmp_path) == ([] if fails else ["a.txt"])


def test_a_second_writer_waits_and_does_not_touch_the_file_that_the_first_one_ended(tmp_path, stopped, monkeypatch):
    wait_for_lock = module._lock

    def first_one_ends(descriptor, path):  # between this process's opening of the partial file and its lock
        monkeypatch.setattr(module, "_lock", wait_for_lock)
        with atomic(tmp_path / "a.txt") as partial:
            partial.write_text("first")
        wait_for_lock(descriptor, path)

    monkeypatch.setattr(module, "_lock", first_one_ends)
    with atomic(tmp_path / "a.txt") as partial:
        assert (tmp_path / "a.txt").read_text() == "first"
        partial.write_text("second")
    assert names(tmp_path) == ["a.txt"] and (tmp_path / "a.txt").read_text() == "second"


def test_a_file_gets_the_permissions_that_the_user_wants_for_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o640


def test_a_file_system_without_locks_is_warned_of_once(tmp_path, monkeypatch, caplog):
    def refused(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    module._warn_of_no_locks.cache_clear()
    with caplog.at_level(logging.WARNING):
        for number in range(2):
            write_json(tmp_path / "a.json", {"number": number})
    assert len(caplog.messages) == 1 and "has no locks" in caplog.messages[0]
    assert read_json(tmp_path / "a.json") == {"number": 1}


def test_a_lock_is_waited_for_and_ends_with_its_process(tmp_path, stopped):
    stopped(hold, tmp_path / "x.lock")
    with locked(tmp_path / "x.lock"):
        assert len(stopped.warnings) == 1
    assert names(tmp_path) == []


def test_a_replaced_folder_keeps_nothing_of_the_old_and_an_error_keeps_all_of_it(tmp_path):
    folder = tmp_path / "maps"
    for name in ("old", "new"):
        with replaced(folder) as partial:
            (partial / name).write_text(name)
    assert names(folder) == [".made_by_st3d", "new"]
    with pytest.raises(RuntimeError), replaced(folder) as partial:
        (partial / "half").write_text("")
        raise RuntimeError
    assert names(folder) == [".made_by_st3d", "new"] and names(tmp_path) == ["maps"]


def test_a_killed_filling_of_a_folder_leaves_no_folder_after_the_next_one(tmp_path, stopped):
    stopped(fill_half, tmp_path / "maps")
    with replaced(tmp_path / "maps") as partial:  # waits; the warning kills the first process
        (partial / "all").touch()
    assert len(stopped.warnings) == 1 and names(tmp_path) == ["maps"]
    assert names(tmp_path / "maps") == [".made_by_st3d", "all"]


def test_a_folder_of_the_users_own_is_not_replaced(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "mine.tiff").touch()
    found = r"maps: expected an empty folder or one made by st3d, found other files"
    with pytest.raises(ValueError, match=found), replaced(tmp_path / "maps"):
        raise AssertionError
    assert names(tmp_path) == ["maps"] and names(tmp_path / "maps") == ["mine.tiff"]


def test_a_damaged_json_is_one_line(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ValueError, match=r"x.json: expected JSON, found .*; delete it and run again"):
        read_json(tmp_path / "x.json")
