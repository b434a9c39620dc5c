"""Locks between runs: who works alone in a folder, or shares it with others that only read.

A lock dies with the process that holds it, however it ends; Snakemake's own would outlive a killed run. Jobs do not
inherit it: their file descriptors are closed when they start.
"""

import errno
import fcntl
import os
from pathlib import Path

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # some network file systems
UNWRITABLE = (errno.EROFS, errno.EACCES)


class RunLock:
    """A lock that has not been taken yet.

    Parameters
    ----------
    path
        Its file; made, with its folder, once the lock is taken.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._descriptor = -1

    def take(self, alone: bool, wait: bool = False) -> bool:
        """Take the lock, or change it from alone to shared.

        Parameters
        ----------
        alone
            No other may hold it; else others may that share it too.
        wait
            Wait until it is free.

        Returns
        -------
        Whether it was free; true where the file system has no locks, or cannot be written to
        """
        try:
            if self._descriptor < 0:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            fcntl.flock(self._descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (*NO_LOCKS, *UNWRITABLE):
                raise
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
