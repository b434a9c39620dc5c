"""Which runs may work at once: one in a results folder; in a data folder those that read, or one that makes data there.

A lock dies with the process that holds it, however it ends; Snakemake's own would outlive a killed run. Jobs do not
inherit it: their file descriptors are closed when they start.
"""

import errno
import fcntl
import os
from pathlib import Path

NAME = ".st3d.lock"
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # some network file systems


class FolderLock:
    """The lock of a folder, not yet taken.

    Parameters
    ----------
    folder
        Made if it is missing, once the lock is taken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
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
        Whether it was free; true where the file system has no locks, or the folder cannot be written to
        """
        try:
            if self._descriptor < 0:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._descriptor = os.open(self.folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(self._descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (*NO_LOCKS, errno.EROFS, errno.EACCES):
                raise
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
