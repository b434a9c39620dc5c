"""Jobs as forks of the server: they run as if they were started by themselves, and nothing outlives its client."""

import os
import signal
import subprocess
import sys
import time

import pytest

from st3d.workflow.server import ADDRESS, forward

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the server needs Linux")

SERVER = """
import os, sys, time
from st3d.workflow import server

def run(arguments):
    exec(arguments[0])
    return 0

server._load = lambda: None  # seconds, and of no use to these jobs
server.serve(sys.argv[1], int(sys.argv[2]), run)
"""
CLIENT = "import sys; from st3d.workflow.server import forward; sys.exit(forward(sys.argv[1:]))"


@pytest.fixture
def address(tmp_path):
    path = tmp_path / "jobs"
    parent = subprocess.Popen(["sleep", "100"])
    server = subprocess.Popen([sys.executable, "-c", SERVER, path, str(parent.pid)])
    wait_for(path.exists)
    yield SimpleServer(path, server, parent)
    for process in (parent, server):
        process.kill()
        process.wait()


class SimpleServer:
    def __init__(self, path, process, parent):
        self.path, self.process, self.parent = path, process, parent

    def client(self, code, **options):
        environment = {**os.environ, ADDRESS: str(self.path), "OF_THE_CLIENT": "1"}
        command = [sys.executable, "-c", CLIENT, code]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def wait_for(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited for 20 s")


def started_job(server, folder):
    """A client whose job has written its process number and sleeps; the number."""
    path = folder / "pid"
    code = (
        f"open({str(path)!r} + '.new', 'w').write(str(os.getpid())); os.rename({str(path)!r} + '.new', {str(path)!r})"
    )
    client = server.client(f"{code}\ntry:\n    time.sleep(100)\nexcept KeyboardInterrupt:\n    print('interrupted')")
    wait_for(path.exists)
    return client, int(path.read_text())


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_job_has_its_clients_files_folder_environment_and_mask(address, tmp_path):
    code = (
        "print(os.getcwd(), os.environ['OF_THE_CLIENT'], oct(os.umask(0))); print(sys.argv[1:2] != [], file=sys.stderr)"
    )
    client = address.client(code, cwd=tmp_path, preexec_fn=lambda: os.umask(0o027))
    out, error = client.communicate(timeout=20)
    assert (client.returncode, out.decode(), error) == (0, f"{tmp_path} 1 0o27\n", b"True\n")


@pytest.mark.parametrize(
    ("code", "expected"),
    [("sys.exit(3)", 3), ("1 / 0", 1), ("os.kill(os.getpid(), 9)", 137), ("os._exit(7)", 7), ("sys.exit('why')", 1)],
)
def test_a_client_ends_as_its_job_does(address, code, expected):
    client = address.client(code)
    _, error = client.communicate(timeout=20)
    assert client.returncode == expected
    assert (b"ZeroDivisionError" in error) == (code == "1 / 0")


def test_jobs_run_side_by_side_and_leave_nothing_to_each_other(address):
    clients = [
        address.client(f"time.sleep(0.2); os.environ['X'] = '{i}'; print({i}, len(os.environ))") for i in range(4)
    ]
    found = [client.communicate(timeout=20)[0].split() for client in clients]
    assert [int(number) for number, _ in found] == [0, 1, 2, 3]
    assert len({size for _, size in found}) == 1


def test_a_job_ends_with_a_killed_client(address, tmp_path):
    client, pid = started_job(address, tmp_path)
    client.kill()
    wait_for(lambda: not runs(pid))
    assert address.process.poll() is None


def test_an_interrupted_client_interrupts_its_job_and_awaits_its_end(address, tmp_path):
    client, pid = started_job(address, tmp_path)
    client.send_signal(signal.SIGINT)
    out, _ = client.communicate(timeout=20)
    assert (out, client.returncode, runs(pid)) == (b"interrupted\n", 0, False)


def test_a_job_ends_with_the_server_and_its_client_says_so(address, tmp_path):
    client, pid = started_job(address, tmp_path)
    address.process.kill()
    _, error = client.communicate(timeout=20)
    assert client.returncode == 1 and b"has ended, and the job with it" in error
    wait_for(lambda: not runs(pid))


def test_the_server_and_its_jobs_end_with_the_process_they_belong_to(address, tmp_path):
    client, pid = started_job(address, tmp_path)
    address.parent.kill()
    client.communicate(timeout=20)
    assert address.process.wait(timeout=20) == 0 and client.returncode == 1
    wait_for(lambda: not runs(pid))


def test_without_a_server_a_command_is_run_where_it_is(tmp_path, monkeypatch):
    monkeypatch.delenv(ADDRESS, raising=False)
    assert forward(["score"]) is None
    monkeypatch.setenv(ADDRESS, str(tmp_path / "gone"))
    assert forward(["score"]) is None
