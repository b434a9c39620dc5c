"""Jobs as forks of one process that has torch loaded, so that a job starts in milliseconds instead of seconds.

A local run of the workflow starts the server (rules/common.smk) and names its socket in ST3D_SERVER; `python -m st3d`
then hands its command line, environment, folder and open files over, and ends as the job does. Without a server, under
a cluster's scheduler for instance, the command runs where it is. Linux only.
"""

import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ADDRESS = "ST3D_SERVER"
_LENGTH = struct.Struct("!I")  # of a request, and the exit code in the answer
_PR_SET_PDEATHSIG = 1


def forward(arguments: Sequence[str]) -> int | None:
    """Run a command in the server's fork.

    Parameters
    ----------
    arguments
        The command line, without the program.

    Returns
    -------
    The job's exit code; None if no server is named or none answers, so that the command is to be run here
    """
    address = os.environ.get(ADDRESS)
    if not address:
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _short(address) as path:
            connection.connect(path)
    except OSError:
        return None
    mask = os.umask(0)
    os.umask(mask)
    request = {"arguments": list(arguments), "environment": dict(os.environ), "folder": str(Path.cwd()), "mask": mask}
    content = json.dumps(request).encode()  # an undecodable byte of a path is a surrogate, which JSON keeps
    for number in (signal.SIGINT, signal.SIGTERM):  # the job is told, and its end awaited
        signal.signal(number, lambda *_: connection.shutdown(socket.SHUT_WR))
    answer = None
    with contextlib.suppress(ConnectionError):
        socket.send_fds(connection, [_LENGTH.pack(len(content))], [0, 1, 2])
        connection.sendall(content)
        answer = _received(connection, _LENGTH.size)
    if answer is None:
        sys.stderr.write("st3d: the process that jobs are started from has ended, and the job with it\n")
        return 1
    return _LENGTH.unpack(answer)[0]


@dataclass
class _Job:
    connection: socket.socket
    pid: int
    ended: int  # a pidfd: readable once the job has ended


def serve(address: str, parent: int, run: Callable[[list[str]], int]) -> None:
    """Start jobs until `parent` ends.

    A job whose client is gone is killed, one whose client was interrupted is interrupted.

    Parameters
    ----------
    address
        Path of the socket to make; in a folder that only this user can enter.
    parent
        Process that the server belongs to.
    run
        Runs a command line, and returns its exit code.
    """
    listener = socket.socket(socket.AF_UNIX)
    with _short(address) as path:
        listener.bind(path)
    listener.listen(1000)
    try:
        parent_ended = os.pidfd_open(parent)  # before the seconds that loading takes, in which it may end
    except ProcessLookupError:  # it has ended already
        Path(address).unlink(missing_ok=True)
        return
    _load()
    jobs: list[_Job] = []
    told: set[int] = set()
    while True:
        talking = {job.connection: job for job in jobs if job.pid not in told}
        ended = {job.ended: job for job in jobs}
        watched: list[socket.socket | int] = [listener, parent_ended, *talking, *ended]
        ready, _, _ = select.select(watched, [], [])
        if parent_ended in ready:
            for job in jobs:
                os.kill(job.pid, signal.SIGKILL)
            Path(address).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the parent, unless it was killed, has removed its folder itself
                Path(address).parent.rmdir()
            return
        for job in [ended[each] for each in ready if isinstance(each, int) and each in ended]:
            _end(job)
            jobs.remove(job)
            told.discard(job.pid)
        for job in [talking[each] for each in ready if isinstance(each, socket.socket) and each in talking]:
            if job in jobs:  # a client says nothing more: what is read is its end, or its interruption
                told.add(job.pid)
                os.kill(job.pid, signal.SIGINT if _is_there(job.connection) else signal.SIGKILL)
        if listener in ready:
            started = _start(listener, run, [listener.fileno(), parent_ended, *_descriptors(jobs)])
            jobs += [started] if started else []


def _load() -> None:
    """Import what the jobs import, but Open3D, which few need."""
    from st3d.workflow.stages import MODULE

    for module in sorted(set(MODULE.values())):
        importlib.import_module(f"st3d.{module}")


def _start(listener: socket.socket, run: Callable[[list[str]], int], others: list[int]) -> _Job | None:
    """Accept a client and fork its job."""
    connection, _ = listener.accept()
    head, files, _, _ = socket.recv_fds(connection, _LENGTH.size, 3)
    content = _received(connection, _LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else None
    if content is None:  # the client is gone already
        connection.close()
        for each in files:
            os.close(each)
        return None
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != server:
                os._exit(1)
            for each in (connection.fileno(), *others):
                os.close(each)
            code = _job(json.loads(content), files, run)
        finally:
            os._exit(code)
    for each in files:
        os.close(each)
    return _Job(connection, pid, os.pidfd_open(pid))


def _job(request: dict, files: Sequence[int], run: Callable[[list[str]], int]) -> int:
    """The job's own process: take on the client's files, folder and environment, and run."""
    for number, each in enumerate(files):
        os.dup2(each, number)
        os.close(each)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv[1:] = request["arguments"]
    try:
        os.chdir(request["folder"])
        os.umask(request["mask"])
        os.environ.clear()
        os.environ.update(request["environment"])
        return run(request["arguments"])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _end(job: _Job) -> None:
    """Tell the client how its job ended; a job ended by a signal has 128 + its number, as in a shell."""
    code = os.waitstatus_to_exitcode(os.waitpid(job.pid, 0)[1])
    with contextlib.suppress(OSError):  # the client is gone
        job.connection.sendall(_LENGTH.pack(code if code >= 0 else 128 - code))
    job.connection.close()
    os.close(job.ended)


def _is_there(connection: socket.socket) -> bool:
    """Whether a client that says nothing more still waits for its answer."""
    state = select.poll()
    state.register(connection, select.POLLHUP)
    return not any(event & (select.POLLHUP | select.POLLERR) for _, event in state.poll(0))


def _descriptors(jobs: Sequence[_Job]) -> list[int]:
    return [each for job in jobs for each in (job.connection.fileno(), job.ended)]


@contextlib.contextmanager
def _short(address: str) -> Iterator[str]:
    """A socket's path through its open folder: the kernel takes 107 bytes, and temporary folders can lie deep."""
    folder = os.open(Path(address).parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{Path(address).name}"
    finally:
        os.close(folder)


def _received(connection: socket.socket, size: int) -> bytes | None:
    """`size` bytes; None if the other side ends before."""
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            return None
        content += part
    return content


if __name__ == "__main__":
    from st3d.workflow.command_line import main, set_environment

    set_environment()  # before torch is loaded
    serve(sys.argv[1], int(sys.argv[2]), main)
