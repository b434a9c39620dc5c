import subprocess
import sys

from st3d.workflow.run_locks import RunLock

HOLD = "import sys, time; from st3d.workflow.run_locks import RunLock; lock = RunLock(sys.argv[1])"
HOLD += "; lock.take(alone=True); print(1, flush=True); time.sleep(60)"


def test_one_may_work_alone_or_many_share(tmp_path):
    path = tmp_path / "results/lock"
    first, second, third = (RunLock(path) for _ in range(3))
    assert first.take(alone=True)
    assert not second.take(alone=True) and not second.take(alone=False)
    assert first.take(alone=False)  # from now on it shares
    assert second.take(alone=False) and not third.take(alone=True)
    first.release()
    second.release()
    assert third.take(alone=True)


def test_a_lock_dies_with_its_process(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    holder.stdout.readline()
    lock = RunLock(tmp_path / "lock")
    assert not lock.take(alone=False)
    holder.kill()
    holder.wait()
    assert lock.take(alone=True)
