"""PNG and other images of 8 and 16 bits: opened so that a damaged one costs no more memory than its file and pixels."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from st3d.formats.errors import one_line, refuse_devices


@contextlib.contextmanager
def open_image(path: Path, expected: str) -> Iterator[Image.Image]:
    """Open an image; what Pillow raises inside the context becomes an error of one line.

    Parameters
    ----------
    path
        The file.
    expected
        First part of the error, such as "<file>: expected a mask image".

    Yields
    ------
    Pillow's image, not yet decoded

    Raises
    ------
    ValueError
        One line if the file is missing, or no image, or damaged.
    """
    refuse_devices(path, expected)
    # from memory: of a file, Pillow would allocate the 2 GB that a damaged chunk names as its length
    with one_line(expected), Image.open(io.BytesIO(Path(path).read_bytes())) as image:
        yield image
