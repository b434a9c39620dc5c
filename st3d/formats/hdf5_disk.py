"""The file that HDF5 writes to."""

import io
from typing import Any


class Disk(io.FileIO):
    """A file that stores its first error instead of raising it: HDF5 2.0 crashes at exit when a write has failed."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all, until the first error."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self.failure is None:
                done += super().write(view[done:])
        except OSError as error:
            self.failure = error
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        """Set the length."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0

    def check(self) -> None:
        """Raise the stored error, if there is one."""
        if self.failure is not None:
            raise self.failure
